"""What the codes of floats of a few bits stand for."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
"""The sixteen values of the four-bit float of the OCP Microscaling specification 1.0."""
_WHOLE: dict[str, Any] = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
_INTEGERS: dict[str, Any] = {"I8": np.int8, "U8": np.uint8, "I32": np.int32, "I64": np.int64}


@cache
def table8(dtype: str) -> npt.NDArray[np.float32]:
    """The 256 values of an eight-bit float type, by their byte.

    F8_E4M3 and F8_E5M2 as in Micikevicius et al., "FP8 formats for deep learning" (2022); the
    FNUZ variants, whose only special value is NaN at 0x80 and whose bias is one more, as in
    Noune et al., "8-bit numerical formats for deep neural networks" (2022); F8_E8M0, a bare power
    of two, as in the OCP Microscaling specification 1.0.
    """
    byte = np.arange(256)
    if dtype == "F8_E8M0":
        values = np.ldexp(1.0, byte - 127)
        values[0xFF] = np.nan
        return values.astype(np.float32)
    fraction_bits, bias = {
        "F8_E4M3": (3, 7),
        "F8_E4M3FNUZ": (3, 8),
        "F8_E5M2": (2, 15),
        "F8_E5M2FNUZ": (2, 16),
    }[dtype]
    exponent = (byte & 0x7F) >> fraction_bits
    fraction = (byte & ((1 << fraction_bits) - 1)) / (1 << fraction_bits)
    normal = np.ldexp(1.0 + fraction, exponent - bias)
    values = np.where(exponent == 0, np.ldexp(fraction, 1 - bias), normal)
    values = np.where(byte & 0x80, -values, values)
    if dtype.endswith("FNUZ"):
        values[0x80] = np.nan
    elif dtype == "F8_E4M3":
        values[[0x7F, 0xFF]] = np.nan
    else:
        values[[0x7C, 0xFC]] = np.inf, -np.inf
        values[[0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]] = np.nan
    return values.astype(np.float32)


def as_float32(raw: npt.NDArray[np.uint8], dtype: str) -> npt.NDArray[np.float32]:
    """Stored numbers of a float type, or of whole numbers, as float32. Raises ``KeyError`` for
    another type."""
    if dtype == "BF16":
        return (raw.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    if dtype.startswith("F8_"):
        return table8(dtype).take(raw)
    numbers: npt.NDArray[Any] = raw.view(_WHOLE.get(dtype) or _INTEGERS[dtype])
    return numbers.astype(np.float32)
