"""Measuring elements: the relative change of each, sums, counts, and what is kept."""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import carray
from numba.cpython.unsafe.numbers import trailing_zeros

from modeldiff.changes.kernels.bins import (
    ALL_KEPT,
    BF16,
    BLOCK,
    F32,
    KEYS32,
    LEAF,
    RUN,
)
from modeldiff.changes.kernels.decode import decode
from modeldiff.changes.kernels.vector_run import (
    ABS_DELTA,
    BASE_SQUARED,
    DELTA_SQUARED,
    FLIPS,
    HIGHEST,
    LARGEST,
    LOWEST,
    PRODUCT,
    TARGET_SQUARED,
    ZEROS,
    address_of,
    can_compress,
    make_equal_run,
    make_vector_run,
    pointer_to,
)
from modeldiff.native.numba_types import always_inlined, f32, f64, i64, inlined, u32, u64

INFINITY = f32(np.inf)
TINY = f32(2.0**-90)
"""Below this a float32 sum of squares may have lost squares to underflow."""
NOT_COUNTED = u32(KEYS32 << 16)
"""Stands in place of ``r`` where the histogram does not count: unchanged, or not finite. Its key is
past the last, and it is spread over 64 keys, since adding to one number again and again is slow."""
KEEP_ALL = u32(ALL_KEPT)


_COMPRESS = can_compress()
_halves = make_vector_run(16, 16, False, _COMPRESS)
_halves_kept = make_vector_run(16, 16, True, _COMPRESS)
_half_word = make_vector_run(16, 32, False, _COMPRESS)
_half_word_kept = make_vector_run(16, 32, True, _COMPRESS)
_word_half = make_vector_run(32, 16, False, _COMPRESS)
_word_half_kept = make_vector_run(32, 16, True, _COMPRESS)
_words = make_vector_run(32, 32, False, _COMPRESS)
_words_kept = make_vector_run(32, 32, True, _COMPRESS)
_equal_halves = make_equal_run(16)
_equal_words = make_equal_run(32)


@always_inlined
def _vector_run(x_code, y_code, x, y, out, previous, tables, sums, kept, masks, low, width, size):
    """The vector run for these types; the new size. Sides that are no bfloat16 are float32."""
    if width == 0 or width == KEEP_ALL:
        if x_code == BF16:
            if y_code == BF16:
                return _halves(x, y, out, previous, tables, sums, kept, masks, low, width, size)
            return _half_word(x, y, out, previous, tables, sums, kept, masks, low, width, size)
        if y_code == BF16:
            return _word_half(x, y, out, previous, tables, sums, kept, masks, low, width, size)
        return _words(x, y, out, previous, tables, sums, kept, masks, low, width, size)
    if x_code == BF16:
        if y_code == BF16:
            return _halves_kept(x, y, out, previous, tables, sums, kept, masks, low, width, size)
        return _half_word_kept(x, y, out, previous, tables, sums, kept, masks, low, width, size)
    if y_code == BF16:
        return _word_half_kept(x, y, out, previous, tables, sums, kept, masks, low, width, size)
    return _words_kept(x, y, out, previous, tables, sums, kept, masks, low, width, size)


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


@always_inlined
def _keep_by_masks(out, masks, kept, size):
    """Appends the words whose bit is set; the new size."""
    for i in range(masks.size):
        bits = masks[i]
        while bits != u64(0):
            kept[size] = out[64 * i + i64(trailing_zeros(bits))]
            size += 1
            bits &= u64(bits - u64(1))
    return size


@always_inlined
def _add_run(sums, leaf, counts):
    """Adds what a vector run found; False where float32 had no room for it."""
    floats = sums.view(f32)
    base_squared = floats[BASE_SQUARED]
    target_squared = floats[TARGET_SQUARED]
    delta_squared = floats[DELTA_SQUARED]
    unchanged = sums[LARGEST] == u32(0)
    all_zero = (sums[ZEROS] == RUN) & unchanged
    finite = (base_squared < INFINITY) & (target_squared < INFINITY) & (delta_squared < INFINITY)
    lost = ((base_squared < TINY) | (target_squared < TINY)) & (not all_zero)
    lost |= (delta_squared < TINY) & (not unchanged)
    if lost | (not finite):
        return False
    leaf[0] += f64(base_squared)
    leaf[1] += f64(target_squared)
    leaf[2] += f64(floats[PRODUCT])
    leaf[3] += f64(delta_squared)
    leaf[4] += f64(floats[ABS_DELTA])
    leaf[5] = max(leaf[5], f64(floats[LARGEST]))
    counts[0] += RUN
    counts[2] += i64(sums[FLIPS])
    counts[3] += i64(sums[ZEROS])
    if sums[LOWEST] < NOT_COUNTED:
        counts[6] = min(counts[6], i64(sums[LOWEST] >> u32(16)))
        counts[7] = max(counts[7], i64(sums[HIGHEST] >> u32(16)))
    return True


@always_inlined
def _add_equal_run(code, x, y, sums, leaf, counts):
    """Adds a run of which both sides are the same bits; False where they are not, or where it
    needs care. Equal values have no change, so that one sum says all."""
    equal = (
        _equal_halves(x, y, address_of(sums))
        if code == BF16
        else _equal_words(x, y, address_of(sums))
    )
    if not equal:
        return False
    squared = sums.view(f32)[BASE_SQUARED]
    if not ((squared >= TINY) & (squared < INFINITY)):
        return False
    for column in range(3):
        leaf[column] += f64(squared)
    counts[0] += RUN
    counts[3] += i64(sums[ZEROS])
    return True


@inlined
def plain_run(x, y, fillers, out, leaf, counts):
    """What a vector run does but for counting and keeping, for any values and any length: the
    ``r`` of each element, fillers where it is not counted, and sums in float64."""
    for i in range(x.size):
        out[i] = fillers[i]
        if count_element(x[i], y[i], leaf, counts):
            r = f32(f32(abs(f32(y[i] - x[i]))) / f32(abs(x[i]))).view(u32)
            out[i] = r
            counts[6] = min(counts[6], i64(r >> u32(16)))
            counts[7] = max(counts[7], i64(r >> u32(16)))


@inlined
def _keep(out, low, width, kept, size):
    for i in range(out.size):
        if u32(out[i] - low) < width:
            kept[size] = out[i]
            size += 1
    return size


@inlined
def _count(out, tables):
    """Counts in four tables in turn, so that neighbours do not wait on each other."""
    for i in range(out.size):
        tables[i & 3, out[i] >> u32(16)] += u32(1)


@always_inlined
def _place(raw, code, start, decoded):
    """Where a vector run finds a side's elements from ``start`` on: where they are stored, or where
    they were decoded to."""
    if code == BF16:
        return address_of(raw) + 2 * start
    if code == F32:
        return address_of(raw) + 4 * start
    return address_of(decoded)


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
    words = carray(scratch, (6, BLOCK), u32)
    x = words[0, :RUN].view(f32)
    y = words[1, :RUN].view(f32)
    sums = words[2, :16]
    masks = carray(pointer_to(address_of(words[2, 64:])), RUN // 64, u64)
    fillers = words[3, :RUN]
    for i in range(RUN):
        fillers[i] = u32(NOT_COUNTED | u32(u32(i & 63) << u32(16)))
    bracketed = width != 0 and width != KEEP_ALL
    alike = a_code == b_code and a_code in (BF16, F32)
    # Counted next; the fillers' own counts nobody reads.
    previous = fillers
    turn = 0
    size = i64(0)
    for first in range(0, n, RUN):
        m = min(n - first, RUN)
        start = begin + first
        leaf = leaves[first // LEAF]
        # Not where the run lies that is counted meanwhile.
        out = words[4 + turn, :m]
        if width == KEEP_ALL:
            out = keeps[first : first + m]
        x_at = _place(a, a_code, start, x)
        y_at = _place(b, b_code, start, y)
        done = False
        if m == RUN and alike and _add_equal_run(a_code, x_at, y_at, sums, leaf, counts):
            if width == KEEP_ALL:
                for i in range(RUN):
                    out[i] = fillers[i]
            continue
        if m == RUN:
            if a_code != BF16 and a_code != F32:
                decode(a, a_code, a_table, start, m, x)
            if b_code != BF16 and b_code != F32:
                decode(b, b_code, b_table, start, m, y)
            more = _vector_run(
                a_code,
                b_code,
                x_at,
                y_at,
                address_of(out),
                address_of(previous),
                address_of(counters),
                address_of(sums),
                address_of(keeps),
                address_of(masks),
                low,
                width,
                size,
            )
            previous = out
            turn = 1 - turn
            done = _add_run(sums, leaf, counts)
            if done:
                size = (
                    more if _COMPRESS or not bracketed else _keep_by_masks(out, masks, keeps, size)
                )
        else:
            _count(previous, counters)
            previous = out
        if not done:
            decode(a, a_code, a_table, start, m, x)
            decode(b, b_code, b_table, start, m, y)
            plain_run(x[:m], y[:m], fillers, out, leaf, counts)
            if bracketed:
                size = _keep(out, low, width, keeps, size)
    _count(previous, counters)
    return n if width == KEEP_ALL else size
