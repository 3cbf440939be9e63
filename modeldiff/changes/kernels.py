"""The CPU kernels, in the part of Python that Numba compiles.

This module is imported only to compile (see ``compiled``): importing it imports Numba. The kernels
take plain pointers and sizes, allocate nothing and call nothing of Python's, so their object code
can be stored and loaded again without Numba.

What a kernel does to a chunk of two tensors, block by block so that everything between reading and
counting stays in the first-level cache:

1. decode both sides to float32; two sides of bfloat16, the usual case, are decoded by the next step
2. run by run (``RUN`` elements): the relative change ``r`` of each element, and the run's sums
3. count the block's ``r`` in the histogram, and keep those that fall into the bracket

Sums of a run are made in float32 (sixteen or more partial sums side by side, so the rounding error
is a few units in the eighth digit) and added up in float64, leaf by leaf. Where float32 has no room
for the squares, and where a value is not finite, the run is done again by ``careful_run``, element
by element with sums in float64. A run is careless or careful by its values alone, and leaves are
counted from the tensor's start: chunks and threads cannot change a bit of any result.

Of the fast-math flags only those are on that cannot touch ``r``: sums may be reordered and products
fused into them. Reciprocals, and assumptions about NaN and infinity, stay off.
"""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from modeldiff.changes.geometry import (
    ALL_KEPT,
    BF16,
    BLOCK,
    F16,
    F32,
    F64,
    INFINITE_KEY32,
    KEY64_OFFSET,
    KEYS32,
    KEYS64,
    KEYS_A_BUCKET,
    LEAF,
    MEDIAN,
    NO_KEY,
    PERCENTS,
    QUANTILES,
    RUN,
    TABLES,
)

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

_inline = njit(**OPTIONS)

u16, u32, u64 = np.uint16, np.uint32, np.uint64
i32, i64 = np.int32, np.int64
f32, f64 = np.float32, np.float64

ZERO = f32(0)
INFINITY = f32(np.inf)
SIGN = u32(0x80000000)
TINY = f32(2.0**-90)
"""Below this a float32 sum of squares may have lost squares to underflow."""
NOT_COUNTED = u32(KEYS32 << 16)
"""Stands in place of ``r`` where the histogram does not count: unchanged, or not finite. Its key is
past the last, and it is spread over 64 keys, since adding to one number again and again is slow."""
KEEP_ALL = u32(ALL_KEPT)


@_inline
def _decode(raw, code, table, start, m, out):
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
def _widen_bfloat16(word):
    return u32(u32(word) << u32(16))


@_inline
def _widen_nothing(word):
    return word


def _make_runs(widen):
    """The function that measures the runs of one block, for words that ``widen`` makes the bits of
    a float32."""

    @_inline
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

    @_inline
    def careful_run(x_words, y_words, not_counted, out, leaf, counts):
        """What ``fast_run`` does, for any values."""
        for i in range(x_words.size):
            x = u32(widen(x_words[i])).view(f32)
            y = u32(widen(y_words[i])).view(f32)
            out[i] = not_counted[i]
            if _count(x, y, leaf, counts):
                r = f32(f32(abs(f32(y - x))) / f32(abs(x))).view(u32)
                out[i] = r
                counts[6] = min(counts[6], i64(r >> u32(16)))
                counts[7] = max(counts[7], i64(r >> u32(16)))

    @_inline
    def runs(x_words, y_words, not_counted, out, leaf, counts):
        for start in range(0, x_words.size, RUN):
            x = x_words[start : start + RUN]
            y = y_words[start : start + RUN]
            r = out[start : start + RUN]
            if not fast_run(x, y, not_counted, r, leaf, counts):
                careful_run(x, y, not_counted, r, leaf, counts)

    return runs


@_inline
def _count(x, y, leaf, counts):
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


@_inline
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


@_inline
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


@_inline
def _measure(
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
            _decode(a, a_code, a_table, start, m, x.view(f32))
            _decode(b, b_code, b_table, start, m, y.view(f32))
            _runs_of_float32(x[:m], y[:m], not_counted, r_bits, leaf, counts)
        if width == 0 or width == KEEP_ALL:
            _count_block(r_bits, m, counters)
        else:
            size = _count_and_keep_block(r_bits, m, counters, low, width, keeps, size)
        if width == KEEP_ALL:
            for i in range(m):
                keeps[first + i] = r_bits[i]
    return n if width == KEEP_ALL else size


def measure32(
    a, a_code, a_table, b, b_code, b_table, n, low, width, scratch, tables, leaves, counts, kept
):
    """Measures a chunk of ``n`` elements that starts on a leaf; how many words were kept.

    ``a`` and ``b`` hold the stored bytes, ``*_code`` how to decode them. Kept are the ``r`` whose
    bits lie in ``low`` to ``low + width``; with ALL_KEPT for a width one word for each element,
    be it an ``r`` or not. ``scratch`` has room for 6 * BLOCK words, ``kept`` for n. ``tables``
    (TABLES x (KEYS32 + 64)), ``leaves`` (six a leaf) and ``counts`` (eight, without the unchanged)
    are added to; see ``geometry`` for what stands in them.
    """
    return _measure(
        a,
        a_code,
        carray(a_table, 256),
        b,
        b_code,
        carray(b_table, 256),
        0,
        n,
        low,
        width,
        scratch,
        carray(tables, (TABLES, KEYS32 + 64)),
        carray(leaves, ((n + LEAF - 1) // LEAF, 6)),
        carray(counts, 8),
        carray(kept, n),
    )


def measure_batch(
    a,
    a_code,
    a_table,
    b,
    b_code,
    b_table,
    sizes,
    batch,
    scratch,
    tables,
    histogram,
    kept,
    fine,
    leaves,
    counts,
    sums,
    found,
    buckets,
    bucket_counts,
):
    """Measures ``batch`` tensors of ``sizes`` elements that stand one after the other, wholly; the
    number of buckets listed.

    For each, ``counts`` gets its first six counts, the number of its buckets and of infinite ``r``;
    ``sums`` its six sums; ``found`` the keys at its quantiles (see ``summarize32``) and its
    median's bits; its buckets and their counts stand one after the other. ``kept`` and
    ``leaves`` have room for the largest tensor, ``histogram`` is all zero, before and after.
    """
    x_table = carray(a_table, 256)
    y_table = carray(b_table, 256)
    wanted_sizes = carray(sizes, batch)
    counters = carray(tables, (TABLES, KEYS32 + 64))
    totals = carray(histogram, KEYS32)
    digits = carray(fine, 256)
    all_counts = carray(counts, (batch, 8))
    all_sums = carray(sums, (batch, 6))
    all_found = carray(found, (batch, QUANTILES + 1))
    begin = 0
    listed = 0
    for tensor in range(batch):
        n = wanted_sizes[tensor]
        own = all_counts[tensor]
        own[:] = 0
        own[6] = NO_KEY
        rows = carray(leaves, ((n + LEAF - 1) // LEAF, 6))
        rows[:] = 0.0
        keeps = carray(kept, n)
        size = _measure(
            a,
            a_code,
            x_table,
            b,
            b_code,
            y_table,
            begin,
            n,
            u32(0),
            KEEP_ALL,
            scratch,
            counters,
            rows,
            own,
            keeps,
        )
        begin += n
        low_key = own[6]
        high_key = own[7]
        own[1] = own[0] - _flush(counters, low_key, high_key, totals)
        own_found = all_found[tensor]
        more = _summarize(totals, own, own_found, buckets, bucket_counts, listed)
        median_key = own_found[MEDIAN]
        rank = own_found[QUANTILES]
        own_found[QUANTILES] = max(median_key, 0) << 16
        if 0 <= median_key < INFINITE_KEY32:
            own_found[QUANTILES] |= _pick(keeps, size, median_key, rank, digits)
        own[6] = more - listed
        listed = more
        own[7] = totals[INFINITE_KEY32]
        if low_key <= high_key:
            totals[low_key : high_key + 1] = 0
        own_sums = all_sums[tensor]
        own_sums[:] = 0.0
        for row in range(rows.shape[0]):
            for column in range(5):
                own_sums[column] += rows[row, column]
            own_sums[5] = max(own_sums[5], rows[row, 5])
    return listed


def refine32(a, a_code, a_table, b, b_code, b_table, n, key, scratch, fine):
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


@_inline
def _flush(counters, low_key, high_key, totals):
    if low_key > high_key:
        return i64(0)
    # Rows of their own, so that the loop is done for many keys at once.
    one = counters[0, low_key : high_key + 1]
    two = counters[1, low_key : high_key + 1]
    three = counters[2, low_key : high_key + 1]
    four = counters[3, low_key : high_key + 1]
    own = totals[low_key : high_key + 1]
    moved = i64(0)
    for key in range(own.size):
        count = i64(one[key]) + i64(two[key]) + i64(three[key]) + i64(four[key])
        own[key] += count
        moved += count
    one[:] = 0
    two[:] = 0
    three[:] = 0
    four[:] = 0
    return moved


def flush32(tables, low_key, high_key, histogram):
    """Moves the tables' counts of these keys into ``histogram`` (KEYS32 int64); how many."""
    counters = carray(tables, (TABLES, KEYS32 + 64))
    return _flush(counters, low_key, high_key, carray(histogram, KEYS32))


@_inline
def _summarize(totals, own, found, buckets, bucket_counts, listed):
    n = own[0]
    unchanged = own[1]
    quantile = 0
    while quantile < QUANTILES and (n == 0 or PERCENTS[quantile] * (n - 1) // 100 < unchanged):
        found[quantile] = -1
        quantile += 1
    wanted = PERCENTS[min(quantile, QUANTILES - 1)] * (n - 1) // 100
    found[QUANTILES] = 0
    below = unchanged
    first = own[6] // KEYS_A_BUCKET if own[6] < NO_KEY else 1
    last = own[7] // KEYS_A_BUCKET if own[6] < NO_KEY else 0
    numbers = carray(buckets, listed + last - first + 1)
    sizes = carray(bucket_counts, listed + last - first + 1)
    for bucket in range(first, last + 1):
        keys = totals[bucket * KEYS_A_BUCKET : (bucket + 1) * KEYS_A_BUCKET]
        count = keys[0] + keys[1] + keys[2] + keys[3]
        if below + count > wanted:
            within = below
            for key in range(KEYS_A_BUCKET):
                while quantile < QUANTILES and wanted < within + keys[key]:
                    found[quantile] = bucket * KEYS_A_BUCKET + key
                    if quantile == MEDIAN:
                        found[QUANTILES] = wanted - within
                    quantile += 1
                    wanted = PERCENTS[min(quantile, QUANTILES - 1)] * (n - 1) // 100
                within += keys[key]
        below += count
        if count != 0 and bucket != INFINITE_KEY32 // KEYS_A_BUCKET:
            numbers[listed] = bucket
            sizes[listed] = count
            listed += 1
    return listed


def summarize32(histogram, counts, found, buckets, bucket_counts):
    """Lists the buckets that hold something, but for infinity's; how many.

    ``counts`` are a tensor's, complete. ``found`` gets the keys of ``r`` at the quantiles, -1 for
    unchanged, and the median's rank within its key. The lists have room for all buckets between
    the lowest and the highest key.
    """
    found_keys = carray(found, QUANTILES + 1)
    totals = carray(histogram, KEYS32)
    return _summarize(totals, carray(counts, 8), found_keys, buckets, bucket_counts, 0)


@_inline
def _pick(values, size, key, rank, digits):
    prefix = u32(key)
    for shift in (16, 8, 0):
        matching = 0
        for i in range(size):
            value = values[i]
            if (value >> u32(shift)) == prefix:
                values[matching] = value
                matching += 1
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


def pick32(kept, size, key, rank, fine):
    """The low 16 bits of the element of this rank among the kept ``r`` of this key.

    Overwrites ``kept``; ``fine`` lends 256 counters.
    """
    return _pick(carray(kept, size), size, key, rank, carray(fine, 256))


@_inline
def _decode64(raw, code, table, start, m, words, out):
    """Elements ``start`` to ``start + m`` of a chunk, as float64 in ``out``."""
    if code == F64:
        doubles = carray(raw, start + m, f64)
        for i in range(m):
            out[i] = doubles[start + i]
    else:
        _decode(raw, code, table, start, m, words)
        for i in range(m):
            out[i] = f64(words[i])


def measure64(a, a_code, a_table, b, b_code, b_table, n, scratch, tables, leaves, counts, kept):
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
            if _count(x, y, leaf, totals):
                r = f64(abs(y - x) / abs(x)).view(u64)
                key = max(i64(r >> u64(45)) - KEY64_OFFSET, 0)
                counters[key] += u32(1)
                totals[6] = min(totals[6], key)
                totals[7] = max(totals[7], key)
                keeps[size] = r
                size += 1
    return size


def refine64(a, a_code, a_table, b, b_code, b_table, n, prefix, shift, scratch, fine):
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
