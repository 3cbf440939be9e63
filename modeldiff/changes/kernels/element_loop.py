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
    F16,
    F32,
    KEYS32,
    LEAF,
    RUN,
)
from modeldiff.changes.kernels.decode import decode
from modeldiff.changes.kernels.equal_run import make_equal_run
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
    can_compress,
    make_vector_run,
)
from modeldiff.native.addresses import address_of, pointer_to
from modeldiff.native.numba_types import always_inlined, f32, f64, i64, inlined, u32, u64
from modeldiff.native.vector_code import has_halves

INFINITY = f32(np.inf)
TINY = f32(2.0**-90)
"""Below this a float32 sum of squares may have lost squares to underflow."""
NOT_COUNTED = u32(KEYS32 << 16)
"""Stands in place of ``r`` where the histogram does not count: unchanged, or not finite. Its key is
past the last, and it is spread over 64 keys, since adding to one number again and again is slow."""
KEEP_ALL = u32(ALL_KEPT)


_COMPRESS = can_compress()
_LOADED = (BF16, F16, F32) if has_halves() else (BF16, F32)
"""What vector runs take as it is stored; all else is decoded to float32 before."""
_WIDENS = F16 in _LOADED


def _runs(bracket):
    """The vector run of any two types of ``_LOADED``, by their codes; the new size."""
    bf16, bf16_f32, f32_bf16, words = (
        make_vector_run(x, y, bracket, _COMPRESS) for x in (BF16, F32) for y in (BF16, F32)
    )
    half = F16 if _WIDENS else F32  # without halves no code is looked for that needs these
    f16, f16_bf16, f16_f32, bf16_f16, f32_f16 = (
        make_vector_run(x, y, bracket, _COMPRESS)
        for x, y in ((half, half), (half, BF16), (half, F32), (BF16, half), (F32, half))
    )

    @always_inlined
    def run(x_code, y_code, x, y, out, previous, tables, sums, kept, masks, low, width, size):
        if _WIDENS and x_code == F16:
            if y_code == F16:
                return f16(x, y, out, previous, tables, sums, kept, masks, low, width, size)
            if y_code == BF16:
                return f16_bf16(x, y, out, previous, tables, sums, kept, masks, low, width, size)
            return f16_f32(x, y, out, previous, tables, sums, kept, masks, low, width, size)
        if _WIDENS and y_code == F16:
            if x_code == BF16:
                return bf16_f16(x, y, out, previous, tables, sums, kept, masks, low, width, size)
            return f32_f16(x, y, out, previous, tables, sums, kept, masks, low, width, size)
        if x_code == BF16:
            if y_code == BF16:
                return bf16(x, y, out, previous, tables, sums, kept, masks, low, width, size)
            return bf16_f32(x, y, out, previous, tables, sums, kept, masks, low, width, size)
        if y_code == BF16:
            return f32_bf16(x, y, out, previous, tables, sums, kept, masks, low, width, size)
        return words(x, y, out, previous, tables, sums, kept, masks, low, width, size)

    return run


_run, _run_kept = _runs(bracket=False), _runs(bracket=True)
_equal_bf16, _equal_f32 = make_equal_run(BF16), make_equal_run(F32)
_equal_f16 = make_equal_run(F16) if _WIDENS else _equal_f32


@always_inlined
def _vector_run(x_code, y_code, x, y, out, previous, tables, sums, kept, masks, low, width, size):
    """The vector run for these types; the new size. Sides that are not loaded are float32."""
    if width == 0 or width == KEEP_ALL:
        return _run(
            x_code, y_code, x, y, out, previous, tables, sums, kept, masks, low, width, size
        )
    return _run_kept(
        x_code, y_code, x, y, out, previous, tables, sums, kept, masks, low, width, size
    )


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
    if code == BF16:
        equal = _equal_bf16(x, y, address_of(sums))
    elif _WIDENS and code == F16:
        equal = _equal_f16(x, y, address_of(sums))
    else:
        equal = _equal_f32(x, y, address_of(sums))
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
    if code == BF16 or (_WIDENS and code == F16):
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
    alike = a_code == b_code and a_code in _LOADED
    # Counted next; the fillers' own counts nobody reads.
    previous = fillers
    turn = 0
    size = i64(0)
    for first in range(0, n, RUN):
        m = min(n - first, RUN)
        start = begin + first
        leaf = leaves[first // LEAF]
        # Not where the run lies that is counted meanwhile.
        out = words[4, turn * RUN : turn * RUN + m]
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
            if a_code not in _LOADED:
                decode(a, a_code, a_table, start, m, x)
            if b_code not in _LOADED:
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
