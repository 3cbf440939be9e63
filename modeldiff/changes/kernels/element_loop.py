"""Measuring elements: the relative change of each, sums, counts, and what is kept."""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import carray

from modeldiff.changes.kernels.bins import ALL_KEPT, BF16, BLOCK, KEYS32, LEAF, RUN
from modeldiff.changes.kernels.decode import decode
from modeldiff.native.numba_types import f32, f64, i32, i64, inlined, u16, u32

ZERO = f32(0)
INFINITY = f32(np.inf)
SIGN = u32(0x80000000)
TINY = f32(2.0**-90)
"""Below this a float32 sum of squares may have lost squares to underflow."""
NOT_COUNTED = u32(KEYS32 << 16)
"""Stands in place of ``r`` where the histogram does not count: unchanged, or not finite. Its key is
past the last, and it is spread over 64 keys, since adding to one number again and again is slow."""
KEEP_ALL = u32(ALL_KEPT)


@inlined
def _widen_bfloat16(word):
    return u32(u32(word) << u32(16))


@inlined
def _widen_nothing(word):
    return word


def _make_runs(widen):
    """The function that measures the runs of one block, for words that ``widen`` makes the bits of
    a float32."""

    @inlined
    def fast_run(x_words, y_words, not_counted, out, leaf, counts):
        """A run's ``r`` into ``out`` and its sums into ``leaf``; False where it needs care."""
        base_squared = ZERO
        target_squared = ZERO
        product = ZERO
        delta_squared = ZERO
        abs_delta = ZERO
        largest = u32(0)
        zeros = i32(0)
        flips = i32(0)
        lowest_r = NOT_COUNTED
        highest_r = i32(0)
        for i in range(x_words.size):
            x_bits = u32(widen(x_words[i]))
            y_bits = u32(widen(y_words[i]))
            x = x_bits.view(f32)
            y = y_bits.view(f32)
            delta = f32(y - x)
            size = f32(abs(delta))
            base_squared += x * x
            target_squared += y * y
            product += x * y
            delta_squared += delta * delta
            abs_delta += size
            largest = max(largest, size.view(u32))
            zero = x == ZERO
            flipped = (u32(x_bits ^ y_bits) >= SIGN) & (not zero) & (y != ZERO)
            zeros = i32(zeros + i32(zero))
            flips = i32(flips + i32(flipped))
            r = f32(size / f32(abs(x))).view(u32)
            counted = not_counted[i] if x == y else r
            lowest_r = min(lowest_r, counted)
            highest_r = max(highest_r, i32(counted))
            out[i] = counted
        finite = (
            (base_squared < INFINITY) & (target_squared < INFINITY) & (delta_squared < INFINITY)
        )
        all_zero = (zeros == x_words.size) & (largest == u32(0))
        lost = ((base_squared < TINY) | (target_squared < TINY)) & (not all_zero)
        lost |= (delta_squared < TINY) & (largest != u32(0))
        if lost | (not finite):
            return False
        leaf[0] += f64(base_squared)
        leaf[1] += f64(target_squared)
        leaf[2] += f64(product)
        leaf[3] += f64(delta_squared)
        leaf[4] += f64(abs_delta)
        leaf[5] = max(leaf[5], f64(u32(largest).view(f32)))
        counts[0] += x_words.size
        counts[2] += flips
        counts[3] += zeros
        if lowest_r < NOT_COUNTED:
            counts[6] = min(counts[6], i64(lowest_r >> u32(16)))
            counts[7] = max(counts[7], i64(highest_r >> i32(16)))
        return True

    @inlined
    def careful_run(x_words, y_words, not_counted, out, leaf, counts):
        """What ``fast_run`` does, for any values."""
        for i in range(x_words.size):
            x = u32(widen(x_words[i])).view(f32)
            y = u32(widen(y_words[i])).view(f32)
            out[i] = not_counted[i]
            if count_element(x, y, leaf, counts):
                r = f32(f32(abs(f32(y - x))) / f32(abs(x))).view(u32)
                out[i] = r
                counts[6] = min(counts[6], i64(r >> u32(16)))
                counts[7] = max(counts[7], i64(r >> u32(16)))

    @inlined
    def runs(x_words, y_words, not_counted, out, leaf, counts):
        for start in range(0, x_words.size, RUN):
            x = x_words[start : start + RUN]
            y = y_words[start : start + RUN]
            r = out[start : start + RUN]
            if not fast_run(x, y, not_counted, r, leaf, counts):
                careful_run(x, y, not_counted, r, leaf, counts)

    return runs


@inlined
def count_element(x, y, leaf, counts):
    """Adds one element to the sums and counts, in float64; whether it is finite and changed."""
    x_finite = abs(x) < np.inf
    y_finite = abs(y) < np.inf
    counts[4] += not x_finite
    counts[5] += not y_finite
    if not (x_finite & y_finite):
        return False
    wide_x = f64(x)
    wide_y = f64(y)
    delta = wide_y - wide_x
    size = abs(delta)
    leaf[0] += wide_x * wide_x
    leaf[1] += wide_y * wide_y
    leaf[2] += wide_x * wide_y
    leaf[3] += delta * delta
    leaf[4] += size
    leaf[5] = max(leaf[5], size)
    counts[0] += 1
    counts[2] += ((x < 0) & (y > 0)) | ((x > 0) & (y < 0))
    counts[3] += x == 0
    return x != y


_runs_of_bfloat16 = _make_runs(_widen_bfloat16)
_runs_of_float32 = _make_runs(_widen_nothing)


@inlined
def _count_block(r_bits, m, tables):
    """Counts a block in four tables in turn, so that neighbours do not wait on each other."""
    even = m & ~3
    for i in range(0, even, 4):
        tables[0, r_bits[i] >> u32(16)] += u32(1)
        tables[1, r_bits[i + 1] >> u32(16)] += u32(1)
        tables[2, r_bits[i + 2] >> u32(16)] += u32(1)
        tables[3, r_bits[i + 3] >> u32(16)] += u32(1)
    for i in range(even, m):
        tables[0, r_bits[i] >> u32(16)] += u32(1)


@inlined
def _count_and_keep_block(r_bits, m, tables, low, width, kept, size):
    """``_count_block`` that also appends ``low <= r < low + width`` to ``kept``; the new size.

    A jump and not a select: few are kept, and then a jump that is foreseen costs least.
    """
    even = m & ~3
    for start in range(0, even, 4):
        for table in range(4):
            r = r_bits[start + table]
            tables[table, r >> u32(16)] += u32(1)
            if u32(r - low) < width:
                kept[size] = r
                size += 1
    for i in range(even, m):
        r = r_bits[i]
        tables[0, r >> u32(16)] += u32(1)
        if u32(r - low) < width:
            kept[size] = r
            size += 1
    return size


@inlined
def measure_elements(
    a,
    a_code,
    a_table,
    b,
    b_code,
    b_table,
    begin,
    n,
    low,
    width,
    scratch,
    counters,
    leaves,
    counts,
    keeps,
):
    """Measures ``n`` elements from ``begin`` on; how many words were kept. See ``measure32``."""
    words = carray(scratch, (4, BLOCK), u32)
    x = words[0]
    y = words[1]
    r_bits = words[2]
    not_counted = words[3, :RUN]
    for i in range(RUN):
        not_counted[i] = u32(NOT_COUNTED | u32(u32(i & 63) << u32(16)))
    size = 0
    for first in range(0, n, BLOCK):
        m = min(n - first, BLOCK)
        start = begin + first
        leaf = leaves[first // LEAF]
        if a_code == BF16 and b_code == BF16:
            x_halves = carray(a, start + m, u16)[start:]
            y_halves = carray(b, start + m, u16)[start:]
            _runs_of_bfloat16(x_halves, y_halves, not_counted, r_bits, leaf, counts)
        else:
            decode(a, a_code, a_table, start, m, x.view(f32))
            decode(b, b_code, b_table, start, m, y.view(f32))
            _runs_of_float32(x[:m], y[:m], not_counted, r_bits, leaf, counts)
        if width == 0 or width == KEEP_ALL:
            _count_block(r_bits, m, counters)
        else:
            size = _count_and_keep_block(r_bits, m, counters, low, width, keeps, size)
        if width == KEEP_ALL:
            for i in range(m):
                keeps[first + i] = r_bits[i]
    return n if width == KEEP_ALL else size
