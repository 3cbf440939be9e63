"""How kernels are compiled, and short names for the types of numbers in them. Imports Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_COMMON: dict[str, Any] = {
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
MEASURING: dict[str, Any] = {**_COMMON, "fastmath": {"reassoc", "contract", "nsz"}}
"""Division by zero is infinity, not an error; sums may be reordered; no wrappers for Python."""
EXACT: dict[str, Any] = {**_COMMON, "fastmath": False}
"""Every operation rounds as it is written. The flags go with the instructions: what is compiled so
stays so where it is called from other code."""

inlined = njit(**MEASURING)
"""A part of measuring kernels, which LLVM puts where it is called."""
always_inlined = njit(**MEASURING, forceinline=True)
"""The same where LLVM has no choice: small parts of a loop, whose call would cost as much."""
inlined_exactly = njit(**EXACT)
"""A part of kernels that decode."""

u8, u16, u32, u64 = np.uint8, np.uint16, np.uint32, np.uint64
i8, i32, i64 = np.int8, np.int32, np.int64
f32, f64 = np.float32, np.float64
