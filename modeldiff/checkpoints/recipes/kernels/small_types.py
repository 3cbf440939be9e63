"""Floats of eight and sixteen bits: to float32, and float32 rounded to them."""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from modeldiff.native.numba_types import f32, inlined_exactly, u8, u32


@inlined_exactly
def e2m1(code):
    """The value of the four-bit float E2M1, by its bits: as ``e4m3``."""
    magnitude = u32(code & u8(7))
    normal = u32((magnitude << u32(22)) + u32(126 << 23)).view(f32)
    small = f32(magnitude) * f32(0.5)
    value = normal if magnitude >= u32(2) else small
    return u32(f32(value).view(u32) | (u32(code & u8(8)) << u32(28))).view(f32)


@inlined_exactly
def e4m3(code):
    """The value of FP8's E4M3, by its bits: with the exponent moved, or as a fraction alone."""
    magnitude = u32(code & u8(0x7F))
    normal = u32((magnitude << u32(20)) + u32(120 << 23)).view(f32)
    small = f32(magnitude) * f32(2.0**-9)
    value = normal if magnitude >= u32(8) else small
    bits = u32(f32(value).view(u32))
    if magnitude == u32(0x7F):
        bits = u32(0x7FC00000)
    return u32(bits | (u32(code & u8(0x80)) << u32(24))).view(f32)


@inlined_exactly
def without_payload(value):
    """The value; of NaN, one whose lower half is 0."""
    return value if value == value else u32(0x7FC00000).view(f32)


@inlined_exactly
def bf16_bits(value):
    """A float32 rounded to bfloat16, half to even, in the lower half of a word. NaN stays what it
    is, as far as its lower half is 0: one that comes of bfloat16, or of arithmetic, is so."""
    bits = u32(f32(value).view(u32))
    return u32(u32(bits + ((bits >> u32(16)) & u32(1))) + u32(0x7FFF)) >> u32(16)


@inlined_exactly
def f16_bits(value):
    """A float32 rounded to half precision, half to even, in the lower half of a word."""
    bits = u32(f32(value).view(u32))
    sign = (bits >> u32(16)) & u32(0x8000)
    magnitude = u32(bits & u32(0x7FFFFFFF))
    # A normal one: the exponent moved by 112, and what is cut off rounded.
    odd = (magnitude >> u32(13)) & u32(1)
    normal = u32(u32(magnitude - u32(0x38000000)) + u32(0xFFF) + odd) >> u32(13)
    # Below 2**-14: adding one half lets the addition round at the last bit there is, 2**-24.
    small = u32(f32(u32(magnitude).view(f32) + f32(0.5)).view(u32)) - u32(0x3F000000)
    half = small if magnitude < u32(0x38800000) else normal
    if magnitude >= u32(0x477FF000):
        half = u32(0x7C00)
    if magnitude > u32(0x7F800000):
        half = u32(0x7E00)
    return u32(sign | half)


@inlined_exactly
def of_f16(half):
    """The value of a half in the lower half of a word."""
    # Exponent and fraction moved into place are the value times 2**-112, exactly.
    wide = u32(u32(half & u32(0x7FFF)) << u32(13))
    value = f32(wide.view(f32) * f32(2.0**112))
    magnitude = u32(f32(value).view(u32))
    if wide >= u32(0x0F800000):
        magnitude = u32(wide | u32(0x7F800000))
    return u32(magnitude | u32(u32(half & u32(0x8000)) << u32(16))).view(f32)
