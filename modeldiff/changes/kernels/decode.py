"""Stored bytes to float32 and float64."""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import carray

from modeldiff.changes.kernels.bins import BF16, F16, F32, F64
from modeldiff.native.numba_types import f32, f64, inlined, u16, u32


@inlined
def decode(raw, code, table, start, m, out):
    """Elements ``start`` to ``start + m`` of a chunk, as float32 in ``out``.

    Each view is cut once and read from 0: of ``start + i`` LLVM can't tell that it is no negative
    index, which counts from the end, and then makes a loop of single elements.
    """
    bits = out.view(u32)
    if code == BF16:
        halves = carray(raw, start + m, u16)[start:]
        for i in range(m):
            bits[i] = u32(u32(halves[i]) << u32(16))
    elif code == F32:
        words = carray(raw, start + m, u32)[start:]
        for i in range(m):
            bits[i] = words[i]
    elif code == F16:
        halves = carray(raw, start + m, u16)[start:]
        for i in range(m):
            half = u32(halves[i])
            # Exponent and fraction moved into place are the value times 2**-112, exactly, and so
            # for subnormals; only infinity and NaN need their exponent filled up.
            wide = u32(u32(half & u32(0x7FFF)) << u32(13))
            value = f32(wide.view(f32) * f32(2.0**112))
            magnitude = u32(value.view(u32))
            if wide >= u32(0x0F800000):
                magnitude = u32(wide | u32(0x7F800000))
            bits[i] = u32(magnitude | u32(u32(half & u32(0x8000)) << u32(16)))
    else:
        octets = carray(raw, start + m, np.uint8)[start:]
        for i in range(m):
            bits[i] = table[octets[i]]


@inlined
def decode64(raw, code, table, start, m, words, out):
    """Elements ``start`` to ``start + m`` of a chunk, as float64 in ``out``."""
    if code == F64:
        doubles = carray(raw, start + m, f64)
        for i in range(m):
            out[i] = doubles[start + i]
    else:
        decode(raw, code, table, start, m, words)
        for i in range(m):
            out[i] = f64(words[i])
