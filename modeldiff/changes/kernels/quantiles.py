"""From the histogram of ``r`` to quantiles, buckets and the exact median."""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from numba import carray

from modeldiff.changes.kernels.bins import (
    INFINITE_KEY32,
    KEYS_A_BUCKET,
    MEDIAN,
    NO_KEY,
    PERCENTS,
    QUANTILES,
)
from modeldiff.native.numba_types import i64, inlined, u32


@inlined
def flush(counters, low_key, high_key, totals):
    """Moves the tables' counts of these keys to ``totals``; how many."""
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


@inlined
def summarize_histogram(totals, own, quantile_keys, buckets, bucket_counts, listed):
    """Looks through the histogram of a tensor with the counts ``own`` once: see ``summarize32``.

    Buckets are listed behind those that stand there already; returns how many there are then.
    """
    n = own[0]
    unchanged = own[1]
    quantile = 0
    while quantile < QUANTILES and (n == 0 or PERCENTS[quantile] * (n - 1) // 100 < unchanged):
        quantile_keys[quantile] = -1
        quantile += 1
    rank = PERCENTS[min(quantile, QUANTILES - 1)] * (n - 1) // 100
    quantile_keys[QUANTILES] = 0
    below = unchanged
    first = own[6] // KEYS_A_BUCKET if own[6] < NO_KEY else 1
    last = own[7] // KEYS_A_BUCKET if own[6] < NO_KEY else 0
    numbers = carray(buckets, listed + last - first + 1)
    sizes = carray(bucket_counts, listed + last - first + 1)
    for bucket in range(first, last + 1):
        keys = totals[bucket * KEYS_A_BUCKET : (bucket + 1) * KEYS_A_BUCKET]
        count = keys[0] + keys[1] + keys[2] + keys[3]
        if below + count > rank:
            within = below
            for key in range(KEYS_A_BUCKET):
                while quantile < QUANTILES and rank < within + keys[key]:
                    quantile_keys[quantile] = bucket * KEYS_A_BUCKET + key
                    if quantile == MEDIAN:
                        quantile_keys[QUANTILES] = rank - within
                    quantile += 1
                    rank = PERCENTS[min(quantile, QUANTILES - 1)] * (n - 1) // 100
                within += keys[key]
        below += count
        if count != 0 and bucket != INFINITE_KEY32 // KEYS_A_BUCKET:
            numbers[listed] = bucket
            sizes[listed] = count
            listed += 1
    return listed


@inlined
def pick(values, size, key, rank, digits):
    """The low 16 bits of the value of this rank among those of this key, two digits of eight bits
    after each other. Overwrites ``values``."""
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
