"""The measuring kernels, ready to call."""

from __future__ import annotations

from pathlib import Path

from modeldiff.native.bus_errors import ANSWER, HANDLER, answer_by
from modeldiff.native.library import Kernel, KernelLibrary, OnStep

_SIDES = "raw i64 u32* raw i64 u32*"
"""The two sides of a chunk: bytes, how to decode them, and a table for that."""
SIGNATURES: dict[str, str] = {
    "measure32": f"{_SIDES} i64 u32 u32 raw u32* f64* i64* u32*",
    "measure_batch": f"{_SIDES} i64* i64 raw u32* i64* u32* u32* f64* i64* f64* i64* u16* i64*",
    "refine32": f"{_SIDES} i64 u32 raw u32*",
    "pick32": "u32* i64 i64 i64 u32*",
    "flush32": "u32* i64 i64 i64*",
    "summarize32": "i64* i64* i64* u16* i64*",
    "measure64": f"{_SIDES} i64 raw u32* f64* i64* u64*",
    "refine64": f"{_SIDES} i64 u64 i64 raw u32*",
}
"""The kernels and their arguments; each returns an int64."""


MEASURING_KERNELS = KernelLibrary(
    "the kernels",
    (Path(__file__).parent,),
    "modeldiff.changes.kernels.entry_points",
    SIGNATURES,
    plain=ANSWER,
)


class Kernels:
    """The compiled kernels as functions, by their names."""

    def __init__(self, on_step: OnStep | None = None) -> None:
        functions = MEASURING_KERNELS.load(on_step)
        if ANSWER:
            answer_by(MEASURING_KERNELS.address(HANDLER))
        self.measure32: Kernel = functions["measure32"]
        self.measure_batch: Kernel = functions["measure_batch"]
        self.refine32: Kernel = functions["refine32"]
        self.pick32: Kernel = functions["pick32"]
        self.flush32: Kernel = functions["flush32"]
        self.summarize32: Kernel = functions["summarize32"]
        self.measure64: Kernel = functions["measure64"]
        self.refine64: Kernel = functions["refine64"]


_kernels: Kernels | None = None


def kernels(on_step: OnStep | None = None) -> Kernels:
    """The kernels, from this process, the cache folder or the compiler, whichever comes first;
    ``on_step`` is as ``KernelLibrary.load`` has it."""
    global _kernels
    if _kernels is None:
        _kernels = Kernels(on_step)
    return _kernels


def are_compiled() -> bool:
    """Whether ``kernels()`` would return without compiling."""
    return MEASURING_KERNELS.is_compiled()
