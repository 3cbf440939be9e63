"""ggml's blocks of 32 values, and IQ4_XS, to float32.

Each function decodes ``count`` blocks that stand one after the other at ``stored`` to ``values``.
The layouts are those of ``ggml-common.h``, the arithmetic that of gguf-py's ``quants.py``: a scale
(and a least value, where a block has one) in half precision, and codes of four to eight bits.
"""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import carray

from modeldiff.native.numba_types import f32, i8, i32, inlined_exactly, u8, u16, u32, u64

IQ4_VALUES = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32
)
"""What the sixteen codes of IQ4 stand for: more values where weights are dense."""
FP4_DOUBLED = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)
"""Twice the values of the four-bit float E2M1, so that they are whole; scales are halved."""


@inlined_exactly
def half(raw, at):
    """The half-precision number at a byte, as float32, without loss."""
    bits = u32(raw[at]) | (u32(raw[at + u64(1)]) << u32(8))
    # Exponent and fraction moved into place are the value times 2**-112, exactly, and so for
    # subnormals; only infinity and NaN need their exponent filled up.
    wide = u32(u32(bits & u32(0x7FFF)) << u32(13))
    value = f32(wide.view(f32) * f32(2.0**112))
    magnitude = u32(value.view(u32))
    if wide >= u32(0x0F800000):
        magnitude = u32(wide | u32(0x7F800000))
    return u32(magnitude | u32(u32(bits & u32(0x8000)) << u32(16))).view(f32)


@inlined_exactly
def turns(width, count):
    """``width``, as a number that the compiler does not know. A loop of few turns that it knows is
    unrolled before it could become one of vectors, which take a fifth of the time (measured); one
    that looks up a table becomes none either way."""
    return min(u64(width), u64(count) * u64(width))


@inlined_exactly
def _word(raw, at):
    low = u32(raw[at]) | (u32(raw[at + u64(1)]) << u32(8))
    return low | (u32(raw[at + u64(2)]) << u32(16)) | (u32(raw[at + u64(3)]) << u32(24))


@inlined_exactly
def _half_of_power(exponent):
    """2 ** (exponent - 128): a scale of E8M0, halved."""
    if exponent < u8(2):
        return u32(u32(0x00200000) << u32(exponent)).view(f32)
    return u32(u32(exponent - u8(1)) << u32(23)).view(f32)


def q8_0(stored, count, values):
    raw, out = carray(stored, count * 34, u8), carray(values, count * 32, f32)
    width = turns(32, count)
    for block in range(u64(count)):
        at, to = u64(block) * u64(34), u64(block) * u64(32)
        scale = half(raw, at)
        for i in range(width):
            out[to + u64(i)] = f32(i8(raw[at + u64(2) + u64(i)])) * scale
    return 0


def q4_0(stored, count, values):
    raw, out = carray(stored, count * 18, u8), carray(values, count * 32, f32)
    width = turns(16, count)
    for block in range(u64(count)):
        at, to = u64(block) * u64(18), u64(block) * u64(32)
        scale = half(raw, at)
        for i in range(width):
            codes = raw[at + u64(2) + u64(i)]
            out[to + u64(i)] = scale * f32(i8(u8(codes & u8(15)) - u8(8)))
            out[to + u64(16) + u64(i)] = scale * f32(i8(u8(codes >> u8(4)) - u8(8)))
    return 0


def q4_1(stored, count, values):
    raw, out = carray(stored, count * 20, u8), carray(values, count * 32, f32)
    width = turns(16, count)
    for block in range(u64(count)):
        at, to = u64(block) * u64(20), u64(block) * u64(32)
        scale = half(raw, at)
        least = half(raw, at + u64(2))
        for i in range(width):
            codes = raw[at + u64(4) + u64(i)]
            out[to + u64(i)] = scale * f32(codes & u8(15)) + least
            out[to + u64(16) + u64(i)] = scale * f32(codes >> u8(4)) + least
    return 0


@inlined_exactly
def _five_bits(codes, high, i):
    """The two codes of a byte, with their fifth bits from the block's word of them."""
    low = u32(codes & u8(15)) | (((high >> u32(i)) & u32(1)) << u32(4))
    top = u32(codes >> u8(4)) | (((high >> u32(i + u64(16))) & u32(1)) << u32(4))
    return i32(low), i32(top)


def q5_0(stored, count, values):
    raw, out = carray(stored, count * 22, u8), carray(values, count * 32, f32)
    width = turns(16, count)
    for block in range(u64(count)):
        at, to = u64(block) * u64(22), u64(block) * u64(32)
        scale = half(raw, at)
        high = _word(raw, at + u64(2))
        for i in range(width):
            low, top = _five_bits(raw[at + u64(6) + u64(i)], high, u64(i))
            out[to + u64(i)] = scale * f32(low - i32(16))
            out[to + u64(16) + u64(i)] = scale * f32(top - i32(16))
    return 0


def q5_1(stored, count, values):
    raw, out = carray(stored, count * 24, u8), carray(values, count * 32, f32)
    width = turns(16, count)
    for block in range(u64(count)):
        at, to = u64(block) * u64(24), u64(block) * u64(32)
        scale = half(raw, at)
        least = half(raw, at + u64(2))
        high = _word(raw, at + u64(4))
        for i in range(width):
            low, top = _five_bits(raw[at + u64(8) + u64(i)], high, u64(i))
            out[to + u64(i)] = scale * f32(low) + least
            out[to + u64(16) + u64(i)] = scale * f32(top) + least
    return 0


def iq4_nl(stored, count, values):
    raw, out = carray(stored, count * 18, u8), carray(values, count * 32, f32)
    for block in range(u64(count)):
        at, to = u64(block) * u64(18), u64(block) * u64(32)
        scale = half(raw, at)
        for i in range(u64(16)):
            codes = raw[at + u64(2) + u64(i)]
            out[to + u64(i)] = scale * IQ4_VALUES[codes & u8(15)]
            out[to + u64(16) + u64(i)] = scale * IQ4_VALUES[codes >> u8(4)]
    return 0


def iq4_xs(stored, count, values):
    raw, out = carray(stored, count * 136, u8), carray(values, count * 256, f32)
    for block in range(u64(count)):
        at = u64(block) * u64(136)
        whole = half(raw, at)
        highs = u16(raw[at + u64(2)]) | (u16(raw[at + u64(3)]) << u16(8))
        for group in range(u64(8)):
            low = (raw[at + u64(4) + (group >> u64(1))] >> u8(u64(4) * (group & u64(1)))) & u8(15)
            high = u8((highs >> u16(u64(2) * group)) & u16(3))
            scale = whole * f32(i32(low | u8(high << u8(4))) - i32(32))
            to = u64(block) * u64(256) + u64(32) * group
            for i in range(u64(16)):
                codes = raw[at + u64(8) + u64(16) * group + u64(i)]
                out[to + u64(i)] = scale * IQ4_VALUES[codes & u8(15)]
                out[to + u64(16) + u64(i)] = scale * IQ4_VALUES[codes >> u8(4)]
    return 0


def mxfp4(stored, count, values):
    raw, out = carray(stored, count * 17, u8), carray(values, count * 32, f32)
    for block in range(u64(count)):
        at, to = u64(block) * u64(17), u64(block) * u64(32)
        scale = _half_of_power(raw[at])
        for i in range(u64(16)):
            codes = raw[at + u64(1) + u64(i)]
            out[to + u64(i)] = scale * FP4_DOUBLED[codes & u8(15)]
            out[to + u64(16) + u64(i)] = scale * FP4_DOUBLED[codes >> u8(4)]
    return 0
