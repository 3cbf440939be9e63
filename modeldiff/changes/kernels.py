"""The CPU kernels, in the part of Python that Numba compiles.

This module is imported only to compile (see ``compiled``): importing it imports Numba. The kernels
take plain pointers and sizes, allocate nothing and call nothing of Python's, so their object code
can be stored and loaded again without Numba.

What a kernel does to a chunk of two tensors, block by block so that everything between reading and
counting stays in the first-level cache:

1. decode both sides to float32 (``_decode``), unless both are bfloat16
2. run by run (``RUN`` elements): the relative change ``r`` of each element, and the run's sums
3. count the block's ``r`` in the histogram, and keep those that fall into the bracket

Sums of a run are made in float32 (sixteen or more partial sums side by side, so the rounding error
is a few units in the eighth digit) and added up in float64, leaf by leaf. Where float32 has no room
for the squares, and where a value is not finite, the run is done again by ``_careful_run``, element
by element with sums in float64. A run is careless or careful by its values alone, and leaves are
counted from the tensor's start: chunks and threads cannot change a bit of any result.

Of the fast-math flags only those are on that cannot touch ``r``: sums may be reordered and products
fused into them. Reciprocals, and assumptions about NaN and infinity, stay off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from modeldiff.changes.geometry import (
    BF16,
    BLOCK,
    F16,
    F32,
    F64,
    KEY64_OFFSET,
    KEYS32,
    KEYS64,
    LEAF,
    RUN,
    TABLES,
)

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

_inline = njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})

u16, u32, u64 = np.uint16, np.uint32, np.uint64
i32, i64 = np.int32, np.int64
f32, f64 = np.float32, np.float64

ZERO = f32(0)
INFINITY = f32(np.inf)
SIGN = u32(0x80000000)
TINY = f32(2.0**-90)
"""Below this a float32 sum of squares may have lost squares to underflow."""
NOT_COUNTED = u32(KEYS32 << 16)
"""What stands in place of ``r`` for an element that the histogram does not count: unchanged, or not
finite. Spread over 64 keys past the table's end, since adding to one number again and again is
slow."""


@_inline
def _decode(raw, code, table, start, m, out):  # type: ignore[no-untyped-def]
    """Elements ``start`` to ``start + m`` of a chunk, as float32 in ``out``."""
    bits = out.view(u32)
    if code == BF16:
        halves = carray(raw, start + m, u16)
        for i in range(m):
            bits[i] = u32(u32(halves[start + i]) << u32(16))
    elif code == F32:
        words = carray(raw, start + m, u32)
        for i in range(m):
            bits[i] = words[start + i]
    elif code == F16:
        halves = carray(raw, start + m, u16)
        for i in range(m):
            half = u32(halves[start + i])
            # Exponent and fraction moved into place are the value times 2**-112, exactly, and so
            # for subnormals; only infinity and NaN need their exponent filled up.
            wide = u32(u32(half & u32(0x7FFF)) << u32(13))
            value = f32(wide.view(f32) * f32(2.0**112))
            magnitude = u32(value.view(u32))
            if wide >= u32(0x0F800000):
                magnitude = u32(wide | u32(0x7F800000))
            bits[i] = u32(magnitude | u32(u32(half & u32(0x8000)) << u32(16)))
    else:
        octets = carray(raw, start + m, np.uint8)
        for i in range(m):
            bits[i] = table[octets[start + i]]


@_inline
def _fast_run(x_bits, y_bits, shift, out, leaf, counts):  # type: ignore[no-untyped-def]
    """A run's ``r`` into ``out`` and its sums into ``leaf``; False where it needs care.

    The two sides hold float32 bits, or what becomes float32 bits when shifted left by ``shift``.
    """
    base_squared = ZERO
    target_squared = ZERO
    product = ZERO
    delta_squared = ZERO
    abs_delta = ZERO
    largest = u32(0)
    unchanged = i32(0)
    flips = i32(0)
    zeros = i32(0)
    lowest_r = u32(0xFFFFFFFF)
    highest_r = i32(0)
    for i in range(x_bits.size):
        x_word = u32(u32(x_bits[i]) << shift)
        y_word = u32(u32(y_bits[i]) << shift)
        x = x_word.view(f32)
        y = y_word.view(f32)
        delta = f32(y - x)
        size = f32(abs(delta))
        base_squared += x * x
        target_squared += y * y
        product += x * y
        delta_squared += delta * delta
        abs_delta += size
        largest = max(largest, size.view(u32))
        r = f32(size / f32(abs(x))).view(u32)
        same = x == y
        x_zero = x == ZERO
        flipped = (u32(x_word ^ y_word) >= SIGN) & (x != ZERO) & (y != ZERO)
        unchanged = i32(unchanged + i32(same))
        zeros = i32(zeros + i32(x_zero))
        flips = i32(flips + i32(flipped))
        stored = u32(NOT_COUNTED + u32(u32(i & 63) << u32(16))) if same else r
        lowest_r = min(lowest_r, stored)
        highest_r = max(highest_r, i32(stored))
        out[i] = stored
    finite = (base_squared < INFINITY) & (target_squared < INFINITY) & (delta_squared < INFINITY)
    all_zero = (zeros == x_bits.size) & (largest == u32(0))
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
    counts[0] += x_bits.size
    counts[1] += unchanged
    counts[2] += flips
    counts[3] += zeros
    counts[6] = min(counts[6], i64(lowest_r >> u32(16)))
    counts[7] = max(counts[7], i64(highest_r >> i32(16)))
    return True


@_inline
def _count_finite(x, y, leaf, counts):  # type: ignore[no-untyped-def]
    """Adds one finite element to the sums and counts, in float64; True where it is unchanged."""
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
    counts[1] += x == y
    counts[2] += ((x < 0) & (y > 0)) | ((x > 0) & (y < 0))
    counts[3] += x == 0
    return x == y


@_inline
def _is_finite(x, y, counts):  # type: ignore[no-untyped-def]
    """Whether both values are finite; counts those that are not."""
    x_finite = abs(x) < np.inf
    y_finite = abs(y) < np.inf
    counts[4] += not x_finite
    counts[5] += not y_finite
    return x_finite & y_finite


@_inline
def _careful_run(x_bits, y_bits, shift, out, leaf, counts):  # type: ignore[no-untyped-def]
    """What ``_fast_run`` does, for any values."""
    for i in range(x_bits.size):
        x = u32(u32(x_bits[i]) << shift).view(f32)
        y = u32(u32(y_bits[i]) << shift).view(f32)
        out[i] = u32(NOT_COUNTED + u32(u32(i & 63) << u32(16)))
        if _is_finite(x, y, counts) and not _count_finite(x, y, leaf, counts):
            r = f32(f32(abs(f32(y - x))) / f32(abs(x))).view(u32)
            out[i] = r
            counts[6] = min(counts[6], i64(r >> u32(16)))
            counts[7] = max(counts[7], i64(r >> u32(16)))


@_inline
def _runs(x_bits, y_bits, shift, m, first, out, leaves, counts):  # type: ignore[no-untyped-def]
    """The runs of one block; ``first`` is the block's first element within the chunk."""
    for start in range(0, m, RUN):
        stop = min(start + RUN, m)
        x = x_bits[start:stop]
        y = y_bits[start:stop]
        leaf = leaves[(first + start) // LEAF]
        if not _fast_run(x, y, shift, out[start:stop], leaf, counts):
            _careful_run(x, y, shift, out[start:stop], leaf, counts)


@_inline
def _count_block(r_bits, m, tables):  # type: ignore[no-untyped-def]
    """Counts a block in four tables side by side, so that neighbours do not wait on each other."""
    even = m & ~3
    for i in range(0, even, 4):
        tables[0, r_bits[i] >> u32(16)] += u32(1)
        tables[1, r_bits[i + 1] >> u32(16)] += u32(1)
        tables[2, r_bits[i + 2] >> u32(16)] += u32(1)
        tables[3, r_bits[i + 3] >> u32(16)] += u32(1)
    for i in range(even, m):
        tables[0, r_bits[i] >> u32(16)] += u32(1)


@_inline
def _keep_block(r_bits, m, low, width, kept, size):  # type: ignore[no-untyped-def]
    """Appends the ``r`` with ``low <= r < low + width`` to ``kept``; the new size."""
    for i in range(m):
        kept[size] = r_bits[i]
        size += i64(u32(r_bits[i] - low) < width)
    return size


def measure32(  # type: ignore[no-untyped-def]
    a, a_code, a_table, b, b_code, b_table, n, low, width, scratch, tables, leaves, counts, kept
):
    """Measures a chunk of ``n`` elements that starts on a leaf; how many ``r`` were kept.

    ``a`` and ``b`` hold the stored bytes, ``*_code`` how to decode them. ``scratch`` has room for
    6 * BLOCK words, ``kept`` for n + 1. ``tables`` (TABLES x (KEYS32 + 64)), ``leaves`` (six a
    leaf) and ``counts`` (eight) are added to; see ``geometry`` for what stands in them.
    """
    words = carray(scratch, (3, BLOCK), u32)
    r_bits = words[2]
    x_table = carray(a_table, 256)
    y_table = carray(b_table, 256)
    counters = carray(tables, (TABLES, KEYS32 + 64))
    leaf_rows = carray(leaves, ((n + LEAF - 1) // LEAF, 6))
    totals = carray(counts, 8)
    keeps = carray(kept, n + 1)
    size = 0
    for first in range(0, n, BLOCK):
        m = min(n - first, BLOCK)
        if a_code == BF16 and b_code == BF16:
            x_halves = carray(a, n, u16)[first : first + m]
            y_halves = carray(b, n, u16)[first : first + m]
            _runs(x_halves, y_halves, u32(16), m, first, r_bits, leaf_rows, totals)
        else:
            _decode(a, a_code, x_table, first, m, words[0].view(f32))
            _decode(b, b_code, y_table, first, m, words[1].view(f32))
            _runs(words[0], words[1], u32(0), m, first, r_bits, leaf_rows, totals)
        _count_block(r_bits, m, counters)
        if width != u32(0):
            size = _keep_block(r_bits, m, low, width, keeps, size)
    return size


def refine32(a, a_code, a_table, b, b_code, b_table, n, key, scratch, fine):  # type: ignore[no-untyped-def]
    """Counts, among the chunk's ``r`` of this key, the sixteen bits below it in ``fine``."""
    words = carray(scratch, (3, BLOCK), u32)
    x = words[0].view(f32)
    y = words[1].view(f32)
    x_table = carray(a_table, 256)
    y_table = carray(b_table, 256)
    counters = carray(fine, 65536)
    for first in range(0, n, BLOCK):
        m = min(n - first, BLOCK)
        _decode(a, a_code, x_table, first, m, x)
        _decode(b, b_code, y_table, first, m, y)
        for i in range(m):
            # An unchanged element has r = 0 or NaN here, an excluded one infinity or NaN; neither
            # has a key that is ever refined.
            words[2, i] = f32(f32(abs(f32(y[i] - x[i]))) / f32(abs(x[i]))).view(u32)
        for i in range(m):
            r = words[2, i]
            if (r >> u32(16)) == key:
                counters[r & u32(0xFFFF)] += u32(1)
    return 0


def flush32(tables, low_key, high_key, histogram):  # type: ignore[no-untyped-def]
    """Moves the tables' counts of these keys into ``histogram`` (KEYS32 int64)."""
    counters = carray(tables, (TABLES, KEYS32 + 64))
    totals = carray(histogram, KEYS32)
    for key in range(low_key, high_key + 1):
        count = i64(0)
        for table in range(TABLES):
            count += i64(counters[table, key])
            counters[table, key] = u32(0)
        totals[key] += count
    return 0


def locate(histogram, low_key, high_key, ranks, rank_count, keys, ranks_within):  # type: ignore[no-untyped-def]
    """Finds the keys that hold the elements of these ascending ranks, and their ranks within."""
    totals = carray(histogram, high_key + 1)
    wanted = carray(ranks, rank_count)
    found = carray(keys, rank_count)
    within = carray(ranks_within, rank_count)
    below = i64(0)
    next_rank = 0
    for key in range(low_key, high_key + 1):
        count = totals[key]
        while next_rank < rank_count and wanted[next_rank] < below + count:
            found[next_rank] = key
            within[next_rank] = wanted[next_rank] - below
            next_rank += 1
        below += count
    return next_rank


def pick32(kept, size, key, rank, fine):  # type: ignore[no-untyped-def]
    """The low 16 bits of the element of this rank among the kept ``r`` of this key.

    Reorders ``kept``; ``fine`` lends 256 counters.
    """
    values = carray(kept, size)
    digits = carray(fine, 256)
    prefix = u32(key)
    for shift in (16, 8, 0):
        matching = 0
        for i in range(size):
            value = values[i]
            values[matching] = value
            matching += i64((value >> u32(shift)) == prefix)
        size = matching
        if shift == 0:
            break
        for digit in range(256):
            digits[digit] = u32(0)
        for i in range(size):
            digits[(values[i] >> u32(shift - 8)) & u32(0xFF)] += u32(1)
        digit = 0
        while rank >= i64(digits[digit]):
            rank -= i64(digits[digit])
            digit += 1
        prefix = u32(u32(prefix << u32(8)) | u32(digit))
    return i64(prefix & u32(0xFFFF))


def take_buckets(histogram, low_key, high_key, keys_a_bucket, buckets, counts, clear):  # type: ignore[no-untyped-def]
    """Sums neighbouring keys to buckets and lists those that hold something; how many.

    With ``clear`` the histogram is zero afterwards.
    """
    totals = carray(histogram, high_key + 1)
    listed = carray(buckets, high_key // keys_a_bucket + 1)
    listed_counts = carray(counts, high_key // keys_a_bucket + 1)
    size = 0
    for bucket in range(low_key // keys_a_bucket, high_key // keys_a_bucket + 1):
        count = i64(0)
        for key in range(bucket * keys_a_bucket, min((bucket + 1) * keys_a_bucket, high_key + 1)):
            count += totals[key]
            if clear:
                totals[key] = 0
        if count:
            listed[size] = bucket
            listed_counts[size] = count
            size += 1
    return size


@_inline
def _decode64(raw, code, table, start, m, words, out):  # type: ignore[no-untyped-def]
    """Elements ``start`` to ``start + m`` of a chunk, as float64 in ``out``."""
    if code == F64:
        doubles = carray(raw, start + m, f64)
        for i in range(m):
            out[i] = doubles[start + i]
    else:
        _decode(raw, code, table, start, m, words)
        for i in range(m):
            out[i] = f64(words[i])


def measure64(  # type: ignore[no-untyped-def]
    a, a_code, a_table, b, b_code, b_table, n, scratch, tables, leaves, counts, kept
):
    """``measure32`` in float64, for a pair with a float64 side; keeps every ``r``.

    ``tables`` has KEYS64 counters, ``kept`` room for n.
    """
    x_table = carray(a_table, 256)
    y_table = carray(b_table, 256)
    words = carray(scratch, BLOCK, f32)
    sides = carray(scratch, (3, BLOCK), f64)
    counters = carray(tables, KEYS64)
    leaf_rows = carray(leaves, ((n + LEAF - 1) // LEAF, 6))
    totals = carray(counts, 8)
    keeps = carray(kept, n)
    size = 0
    for first in range(0, n, BLOCK):
        m = min(n - first, BLOCK)
        leaf = leaf_rows[first // LEAF]
        _decode64(a, a_code, x_table, first, m, words, sides[1])
        _decode64(b, b_code, y_table, first, m, words, sides[2])
        for i in range(m):
            x = sides[1, i]
            y = sides[2, i]
            if _is_finite(x, y, totals) and not _count_finite(x, y, leaf, totals):
                r = f64(abs(y - x) / abs(x)).view(u64)
                key = max(i64(r >> u64(45)) - KEY64_OFFSET, 0)
                counters[key] += u32(1)
                totals[6] = min(totals[6], key)
                totals[7] = max(totals[7], key)
                keeps[size] = r
                size += 1
    return size


def refine64(  # type: ignore[no-untyped-def]
    a, a_code, a_table, b, b_code, b_table, n, prefix, shift, scratch, fine
):
    """Counts, among the ``r`` with ``r >> (shift + 16) == prefix``, the sixteen bits below."""
    x_table = carray(a_table, 256)
    y_table = carray(b_table, 256)
    words = carray(scratch, BLOCK, f32)
    sides = carray(scratch, (3, BLOCK), f64)
    counters = carray(fine, 65536)
    for first in range(0, n, BLOCK):
        m = min(n - first, BLOCK)
        _decode64(a, a_code, x_table, first, m, words, sides[1])
        _decode64(b, b_code, y_table, first, m, words, sides[2])
        for i in range(m):
            r = f64(abs(sides[2, i] - sides[1, i]) / abs(sides[1, i])).view(u64)
            if (r >> u64(shift + 16)) == prefix:
                counters[i64(r >> u64(shift)) & 0xFFFF] += u32(1)
    return 0
