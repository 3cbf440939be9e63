"""Codes with zero points that are no whole numbers, to values: each step rounded."""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from numba import carray

from modeldiff.checkpoints.recipes.kernels.small_types import (
    bf16_bits,
    f16_bits,
    of_f16,
    without_payload,
)
from modeldiff.checkpoints.recipes.kernels.stages import AS_BF16, AS_F32, ROOM, TILE
from modeldiff.native.numba_types import f32, inlined_exactly, u8, u16, u32, u64


@inlined_exactly
def _spread(numbers, first, count, group, begun, out):
    """The number of each element's group. ``numbers`` begin with that of the group ``begun``."""
    if group == u64(1):
        for i in range(count):
            out[u64(i)] = without_payload(numbers[first - begun + u64(i)])
        return
    at = u64(0)
    g = first // group
    stop = (g + u64(1)) * group - first
    while at < count:
        end = min(stop, count)
        number = without_payload(numbers[g - begun])
        for i in range(end - at):
            out[at + u64(i)] = number
        at = end
        stop += group
        g += u64(1)


@inlined_exactly
def _shifted(codes, count, scale, zero, rounding, whole, halves):
    """``(code - zero) * scale``, the difference and the product each rounded."""
    if rounding == AS_F32:
        for i in range(count):
            difference = f32(codes[u64(i)]) - zero[u64(i)]
            whole[u64(i)] = difference * scale[u64(i)]
    elif rounding == AS_BF16:
        for i in range(count):
            bits = u32(bf16_bits(f32(codes[u64(i)]) - zero[u64(i)]) << u32(16))
            halves[u64(i)] = u16(bf16_bits(bits.view(f32) * scale[u64(i)]))
    else:
        for i in range(count):
            difference = of_f16(f16_bits(f32(codes[u64(i)]) - zero[u64(i)]))
            halves[u64(i)] = u16(f16_bits(difference * scale[u64(i)]))


def decode_shifted(codes, first, count, group, scales, zeros, rounding, room, values):
    """``(code - zero) * scale``, difference and product each rounded, of ``count`` codes of a byte
    each, from element ``first`` on, with a scale and a zero for each ``group`` of elements; those
    given begin with the first element's. ``room`` is of ``ROOM`` float32. Returns 0."""
    begun = u64(first) // u64(group)
    groups = (u64(first) + u64(count) - u64(1)) // u64(group) - begun + u64(1)
    raw = carray(codes, count, u8)
    scale, zero = carray(scales, groups, f32), carray(zeros, groups, f32)
    floats = carray(room, ROOM, f32)
    own_scale, own_zero = floats[:TILE], floats[TILE : 2 * TILE]
    whole, halves = carray(values, count, f32), carray(values, count, u16)
    for start in range(0, count, TILE):
        stop = min(start + TILE, count)
        n, begin = u64(stop - start), u64(first + start)
        _spread(scale, begin, n, u64(group), begun, own_scale)
        _spread(zero, begin, n, u64(group), begun, own_zero)
        _shifted(
            raw[start:stop], n, own_scale, own_zero, rounding, whole[start:stop], halves[start:stop]
        )
    return 0
