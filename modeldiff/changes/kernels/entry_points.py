"""The kernels as they are called: plain pointers and sizes in, an integer out."""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from numba import carray

from modeldiff.changes.kernels.bins import (
    BLOCK,
    INFINITE_KEY32,
    KEY64_OFFSET,
    KEYS32,
    KEYS64,
    LEAF,
    MEDIAN,
    NO_KEY,
    QUANTILES,
    TABLES,
)
from modeldiff.changes.kernels.decode import decode, decode64
from modeldiff.changes.kernels.element_loop import KEEP_ALL, count_element, measure_elements
from modeldiff.changes.kernels.quantiles import flush, pick, summarize_histogram
from modeldiff.native.numba_types import f32, f64, i64, u32, u64


def measure32(
    a, a_code, a_table, b, b_code, b_table, n, low, width, scratch, tables, leaves, counts, kept
):
    """Measures a chunk of ``n`` elements that starts on a leaf; how many words were kept.

    ``a`` and ``b`` hold the stored bytes, ``*_code`` how to decode them. Kept are the ``r`` whose
    bits lie in ``low`` to ``low + width``; with ALL_KEPT for a width one word for each element,
    be it an ``r`` or not. ``scratch`` has room for 6 * BLOCK words, ``kept`` for n. ``tables``
    (TABLES x (KEYS32 + 64)), ``leaves`` (six a leaf) and ``counts`` (eight, without the unchanged)
    are added to; see ``bins`` for what stands in them.
    """
    return measure_elements(
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
    quantile_keys,
    buckets,
    bucket_counts,
):
    """Measures ``batch`` tensors of ``sizes`` elements that stand one after the other, wholly; the
    number of buckets listed.

    For each, ``counts`` gets its first six counts, the number of its buckets and of infinite ``r``;
    ``sums`` its six sums; ``quantile_keys`` the keys at its quantiles (see ``summarize32``) and its
    median's bits; its buckets and their counts stand one after the other. ``kept`` and
    ``leaves`` have room for the largest tensor, ``histogram`` is all zero, before and after.
    """
    x_table = carray(a_table, 256)
    y_table = carray(b_table, 256)
    all_sizes = carray(sizes, batch)
    counters = carray(tables, (TABLES, KEYS32 + 64))
    totals = carray(histogram, KEYS32)
    digits = carray(fine, 256)
    all_counts = carray(counts, (batch, 8))
    all_sums = carray(sums, (batch, 6))
    all_quantile_keys = carray(quantile_keys, (batch, QUANTILES + 1))
    begin = 0
    listed = 0
    for tensor in range(batch):
        n = all_sizes[tensor]
        own = all_counts[tensor]
        own[:] = 0
        own[6] = NO_KEY
        rows = carray(leaves, ((n + LEAF - 1) // LEAF, 6))
        rows[:] = 0.0
        keeps = carray(kept, n)
        size = measure_elements(
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
        own[1] = own[0] - flush(counters, low_key, high_key, totals)
        own_keys = all_quantile_keys[tensor]
        more = summarize_histogram(totals, own, own_keys, buckets, bucket_counts, listed)
        median_key = own_keys[MEDIAN]
        rank = own_keys[QUANTILES]
        own_keys[QUANTILES] = max(median_key, 0) << 16
        if 0 <= median_key < INFINITE_KEY32:
            own_keys[QUANTILES] |= pick(keeps, size, median_key, rank, digits)
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
        decode(a, a_code, x_table, first, m, x)
        decode(b, b_code, y_table, first, m, y)
        for i in range(m):
            # An unchanged element has r = 0 or NaN here, an excluded one infinity or NaN; neither
            # has a key that is ever refined.
            words[2, i] = f32(f32(abs(f32(y[i] - x[i]))) / f32(abs(x[i]))).view(u32)
        for i in range(m):
            r = words[2, i]
            if (r >> u32(16)) == key:
                counters[r & u32(0xFFFF)] += u32(1)
    return 0


def flush32(tables, low_key, high_key, histogram):
    """Moves the tables' counts of these keys into ``histogram`` (KEYS32 int64); how many."""
    counters = carray(tables, (TABLES, KEYS32 + 64))
    return flush(counters, low_key, high_key, carray(histogram, KEYS32))


def summarize32(histogram, counts, quantile_keys, buckets, bucket_counts):
    """Lists the buckets that hold something, but for infinity's; how many.

    ``counts`` are a tensor's, complete. ``quantile_keys`` gets the keys of ``r`` at the quantiles,
    -1 for unchanged, and the median's rank within its key. The lists have room for all buckets
    between the lowest and the highest key.
    """
    all_keys = carray(quantile_keys, QUANTILES + 1)
    totals = carray(histogram, KEYS32)
    return summarize_histogram(totals, carray(counts, 8), all_keys, buckets, bucket_counts, 0)


def pick32(kept, size, key, rank, fine):
    """The low 16 bits of the element of this rank among the kept ``r`` of this key.

    Overwrites ``kept``; ``fine`` lends 256 counters.
    """
    return pick(carray(kept, size), size, key, rank, carray(fine, 256))


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
        decode64(a, a_code, x_table, first, m, words, sides[1])
        decode64(b, b_code, y_table, first, m, words, sides[2])
        for i in range(m):
            x = sides[1, i]
            y = sides[2, i]
            if count_element(x, y, leaf, totals):
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
        decode64(a, a_code, x_table, first, m, words, sides[1])
        decode64(b, b_code, y_table, first, m, words, sides[2])
        for i in range(m):
            r = f64(abs(sides[2, i] - sides[1, i]) / abs(sides[1, i])).view(u64)
            if (r >> u64(shift + 16)) == prefix:
                counters[i64(r >> u64(shift)) & 0xFFFF] += u32(1)
    return 0
