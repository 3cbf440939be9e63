"""How the kernels are compiled, and short names for the types of numbers in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""Division by zero is infinity, not an error; sums may be reordered; no wrappers for Python."""

inlined = njit(**OPTIONS)
"""A part of kernels, which LLVM puts where it is called."""

u16, u32, u64 = np.uint16, np.uint32, np.uint64
i32, i64 = np.int32, np.int64
f32, f64 = np.float32, np.float64
