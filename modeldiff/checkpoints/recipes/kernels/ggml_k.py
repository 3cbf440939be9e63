"""ggml's K-quants: blocks of 256 values whose groups have scales of few bits, to float32.

As in ``ggml_small``; a block's scale, in half precision, scales those of its groups.
"""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from numba import carray

from modeldiff.checkpoints.recipes.kernels.ggml_small import half, turns
from modeldiff.native.numba_types import f32, i8, i32, inlined_exactly, u8, u64


def q2_k(stored, count, values):
    raw, out = carray(stored, count * 84, u8), carray(values, count * 256, f32)
    width = turns(16, count)
    for block in range(u64(count)):
        at = u64(block) * u64(84)
        whole = half(raw, at + u64(80))
        whole_least = half(raw, at + u64(82))
        for n in range(u64(2)):
            codes = at + u64(16) + n * u64(32)
            for j in range(u64(4)):
                shift = u8(u64(2) * j)
                for k in range(u64(2)):
                    packed = raw[at + n * u64(8) + j * u64(2) + k]
                    scale = whole * f32(packed & u8(15))
                    least = whole_least * f32(packed >> u8(4))
                    to = u64(block) * u64(256) + n * u64(128) + j * u64(32) + k * u64(16)
                    for i in range(width):
                        code = (raw[codes + k * u64(16) + u64(i)] >> shift) & u8(3)
                        out[to + u64(i)] = scale * f32(code) - least
    return 0


def q3_k(stored, count, values):
    raw, out = carray(stored, count * 110, u8), carray(values, count * 256, f32)
    width = turns(16, count)
    for block in range(u64(count)):
        at = u64(block) * u64(110)
        whole = half(raw, at + u64(108))
        for n in range(u64(2)):
            codes = at + u64(32) + n * u64(32)
            for j in range(u64(4)):
                shift = u8(u64(2) * j)
                bit = u8(n * u64(4) + j)
                for k in range(u64(2)):
                    g = n * u64(8) + j * u64(2) + k
                    low = (raw[at + u64(96) + (g & u64(7))] >> u8(u64(4) * (g >> u64(3)))) & u8(15)
                    high = (raw[at + u64(104) + (g & u64(3))] >> u8(u64(2) * (g >> u64(2)))) & u8(3)
                    scale = whole * f32(i32(low | u8(high << u8(4))) - i32(32))
                    to = u64(block) * u64(256) + n * u64(128) + j * u64(32) + k * u64(16)
                    for i in range(width):
                        within = k * u64(16) + u64(i)
                        top = u8(((raw[at + within] >> bit) & u8(1)) << u8(2))
                        code = u8((raw[codes + within] >> shift) & u8(3)) | top
                        out[to + u64(i)] = scale * f32(i8(code - u8(4)))
    return 0


@inlined_exactly
def _scale_and_least(raw, at, j):
    """The six-bit scale and least value of group ``j``, from the twelve bytes at ``at``."""
    if j < u64(4):
        return raw[at + j] & u8(63), raw[at + j + u64(4)] & u8(63)
    last = raw[at + j + u64(4)]
    scale = (last & u8(15)) | ((raw[at + j - u64(4)] >> u8(6)) << u8(4))
    return scale, (last >> u8(4)) | ((raw[at + j] >> u8(6)) << u8(4))


def q4_k(stored, count, values):
    raw, out = carray(stored, count * 144, u8), carray(values, count * 256, f32)
    for block in range(u64(count)):
        at = u64(block) * u64(144)
        whole = half(raw, at)
        whole_least = half(raw, at + u64(2))
        for j in range(u64(4)):
            s1, m1 = _scale_and_least(raw, at + u64(4), u64(2) * j)
            s2, m2 = _scale_and_least(raw, at + u64(4), u64(2) * j + u64(1))
            scale1 = whole * f32(s1)
            least1 = whole_least * f32(m1)
            scale2 = whole * f32(s2)
            least2 = whole_least * f32(m2)
            to = u64(block) * u64(256) + j * u64(64)
            codes = at + u64(16) + u64(32) * j
            for i in range(u64(32)):
                code = raw[codes + u64(i)]
                out[to + u64(i)] = scale1 * f32(code & u8(15)) - least1
                out[to + u64(32) + u64(i)] = scale2 * f32(code >> u8(4)) - least2
    return 0


def q5_k(stored, count, values):
    raw, out = carray(stored, count * 176, u8), carray(values, count * 256, f32)
    for block in range(u64(count)):
        at = u64(block) * u64(176)
        whole = half(raw, at)
        whole_least = half(raw, at + u64(2))
        for j in range(u64(4)):
            s1, m1 = _scale_and_least(raw, at + u64(4), u64(2) * j)
            s2, m2 = _scale_and_least(raw, at + u64(4), u64(2) * j + u64(1))
            scale1 = whole * f32(s1)
            least1 = whole_least * f32(m1)
            scale2 = whole * f32(s2)
            least2 = whole_least * f32(m2)
            to = u64(block) * u64(256) + j * u64(64)
            codes = at + u64(48) + u64(32) * j
            bit1 = u8(u64(2) * j)
            bit2 = u8(u64(2) * j + u64(1))
            for i in range(u64(32)):
                code = raw[codes + u64(i)]
                high = raw[at + u64(16) + u64(i)]
                low1 = (code & u8(15)) | u8(((high >> bit1) & u8(1)) << u8(4))
                low2 = (code >> u8(4)) | u8(((high >> bit2) & u8(1)) << u8(4))
                out[to + u64(i)] = scale1 * f32(low1) - least1
                out[to + u64(32) + u64(i)] = scale2 * f32(low2) - least2
    return 0


@inlined_exactly
def _six_bits(low, high):
    """A code of four low bits and two high ones, from -32 on."""
    return f32(i8(u8((low | (high & u8(48))) - u8(32))))


def q6_k(stored, count, values):
    raw, out = carray(stored, count * 210, u8), carray(values, count * 256, f32)
    for block in range(u64(count)):
        at = u64(block) * u64(210)
        whole = half(raw, at + u64(208))
        for n in range(u64(2)):
            lows = at + u64(64) * n
            highs = at + u64(128) + u64(32) * n
            scales = at + u64(192) + u64(8) * n
            start = u64(block) * u64(256) + n * u64(128)
            for k in range(u64(2)):
                scale1 = whole * f32(i8(raw[scales + k]))
                scale2 = whole * f32(i8(raw[scales + k + u64(2)]))
                scale3 = whole * f32(i8(raw[scales + k + u64(4)]))
                scale4 = whole * f32(i8(raw[scales + k + u64(6)]))
                for i in range(u64(16)):
                    within = k * u64(16) + u64(i)
                    one = raw[lows + within]
                    two = raw[lows + u64(32) + within]
                    high = raw[highs + within]
                    to = start + within
                    out[to] = scale1 * _six_bits(one & u8(15), high << u8(4))
                    out[to + u64(32)] = scale2 * _six_bits(two & u8(15), high << u8(2))
                    out[to + u64(64)] = scale3 * _six_bits(one >> u8(4), high)
                    out[to + u64(96)] = scale4 * _six_bits(two >> u8(4), high >> u8(2))
    return 0
