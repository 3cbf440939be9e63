"""Compiles ``measure32`` for another processor than this one, measures what the test measures, and
writes it down: ``python -m tests.support.vector_run_elsewhere PROCESSOR FEATURES FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite.binding.targets import FeatureMap

from modeldiff.changes.kernels.object_code import MEASURING_KERNELS, SIGNATURES
from modeldiff.native.library import Kernel, KernelLibrary
from tests.support.measured_chunks import BRACKETS, MeasuredChunk
from tests.support.slow_statistics import Bytes

Arrays = dict[str, Any]


def measured_samples(measure32: Kernel) -> Arrays:
    """Everything that the kernel leaves of some pairs, hostile ones among them."""
    arrays: Arrays = {}
    random = np.random.default_rng(5)
    elements = 65536 + 512 * 3 + 77
    sides: dict[str, Bytes] = {}
    for dtype, bits, unit in (("BF16", 16, 0x3F80), ("F32", 32, 0x3F800000)):
        words = unit + random.integers(0, 1 << bits - 3, elements)
        words[:2048] = random.integers(0, 1 << bits, 2048)  # NaN, infinities, zeros, subnormals
        words[4096:8192] = unit
        sides[dtype] = words.astype(f"<u{bits // 8}").view(np.uint8)
    turned = {dtype: np.roll(raw, STORED_BYTES[dtype]) for dtype, raw in sides.items()}
    for base in sides:
        for target in turned:
            for number, bracket in enumerate(BRACKETS):
                chunk = MeasuredChunk(elements)
                chunk.measure(
                    measure32, (sides[base], turned[target]), (base, target), bracket, elements
                )
                for name in ("histogram", "counts", "leaves"):
                    arrays[f"{base} {target} {number} {name}"] = getattr(chunk, name)
                arrays[f"{base} {target} {number} words"] = chunk.words(bracket)
    return arrays


STORED_BYTES = {"BF16": 2, "F32": 4}


class _Pretended(dict[str, bool]):
    """Says that there is AVX-512, but not to LLVM, which makes several vectors of each."""

    def get(self, name: str, default: object = None) -> Any:
        return True if name == "avx512f" else super().get(name, default)

    def flatten(self) -> str:
        return str(FeatureMap(self).flatten())


def library_for(processor: str, features: str) -> KernelLibrary:
    """``measure32`` as it would be compiled there, for these features, one after the other, or
    "all" that this processor has, or as if it had "AVX-512". This process has to be able to run
    it."""
    own = llvm.get_host_cpu_features()
    there: Any = _Pretended(own)
    if features != "AVX-512":
        there = FeatureMap(own if features == "all" else dict.fromkeys(features.split(), True))
    for module in (llvm, llvm.targets):
        setattr(module, "get_host_cpu_name", lambda: processor)  # noqa: B010
        setattr(module, "get_host_cpu_features", lambda: there)  # noqa: B010
    one = {"measure32": SIGNATURES["measure32"]}
    return KernelLibrary("the kernels", MEASURING_KERNELS.sources, MEASURING_KERNELS.module, one)


if __name__ == "__main__":
    library = library_for(sys.argv[1], sys.argv[2])  # kept: it owns the code
    samples = measured_samples(library.load()["measure32"])
    np.savez(Path(sys.argv[3]), allow_pickle=False, **samples)
