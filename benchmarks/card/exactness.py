"""Whether a card gives the CPU's bits: of what is asked before anything is measured there, of
random bits of each stored type, and of each kind of codes that the kernel decodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.card.card import Card, Found, yes
from modeldiff.changes.change import Statistics
from modeldiff.changes.dtype_pairs import dtype_pair
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import STORED_TYPES, TensorInfo
from modeldiff.checkpoints.recipes.ggml_blocks import GgmlBlocks
from modeldiff.checkpoints.recipes.ggml_types import BLOCK_TYPES
from modeldiff.checkpoints.recipes.groups import SameOfAll, StoredNumbers
from modeldiff.checkpoints.recipes.scaled_codes import NO_ZEROS, Coding, Grid, ScaledCodes
from modeldiff.checkpoints.recipes.stored_codes import CodeReader
from modeldiff.checkpoints.tensor import Fill, Recipe

Bytes = npt.NDArray[np.uint8]
_TYPES = (("BF16", "BF16"), ("F16", "F16"), ("F32", "F32"), ("F8_E4M3", "F8_E5M2"))
_GROUP = 32


def exactness(card: Card) -> Iterator[Found]:
    """Each in turn; a kernel that was not used yet is compiled first."""
    import torch

    from modeldiff.changes.backends.cpu import CpuWorker
    from modeldiff.changes.backends.exactness import CHECKED_BYTES, computes_exactly
    from modeldiff.changes.backends.torch_backend import TorchWorker

    eager = TorchWorker(torch.device(card.name), CHECKED_BYTES)
    yield "eager gives the CPU's bits", yes(computes_exactly(eager))
    eager.close()
    backend = card.fused()
    yield "fused gives the CPU's bits, and is used", yes(backend is not None)
    if backend is None:
        return
    from modeldiff.changes.backends.fused.worker import FusedWorker

    n = 4096 if card.small else 8 * LEAF + 1024
    worker, cpu = FusedWorker(torch.device(card.name), 8 * n), CpuWorker(8 * n)
    random = np.random.default_rng(1)
    try:
        for names in _TYPES:
            types = dtype_pair(*names)
            assert types is not None
            sides = [_any_bytes(n * STORED_TYPES[name].bits // 8, random) for name in names]
            for each in (worker, cpu):
                for buffer, side in zip((each.base, each.target), sides, strict=True):
                    buffer[: side.size] = side
            same = _same(worker.measure_whole(types, n), cpu.measure_whole(types, n))
            yield f"random bits, {' · '.join(names)}", yes(same)
        types = dtype_pair("F32", "F32")
        assert types is not None
        for kind, (recipe, memory) in _codes(n, random).items():
            values = np.empty(n, np.float32)
            decoder = recipe.open(_reading(memory))
            decoder.fill(0, n, values.data.cast("B"))
            with np.errstate(all="ignore"):
                target = values * np.float32(1.5) + random.standard_normal(n, np.float32)
            assert isinstance(decoder, CodeReader)
            codes = decoder.read_codes(0, n, worker.base.data)
            assert codes is not None
            worker.hold_codes(0, codes)
            cpu.base[: values.nbytes] = values.view(np.uint8)
            for each in (worker, cpu):
                each.target[: target.nbytes] = target.view(np.uint8)
            same = _same(worker.measure_whole(types, n), cpu.measure_whole(types, n))
            yield f"codes, {kind} · F32", yes(same)
    finally:
        worker.close()


def _codes(n: int, random: np.random.Generator) -> dict[str, tuple[Recipe, dict[str, Bytes]]]:
    """A recipe of each kind of codes for ``n`` values, with the bytes of its operands."""
    made: dict[str, tuple[Recipe, dict[str, Bytes]]] = {}
    for kind in ("Q8_0", "Q4_K", "Q6_K", "MXFP4"):
        block = BLOCK_TYPES[kind]
        memory = {"codes": _any_bytes(n // block.values * block.nbytes, random)}
        made[kind] = GgmlBlocks(_operand(memory, "codes", "U8"), kind), memory
    scales = (random.standard_normal(n // _GROUP) * 0.01).astype(np.float32).view(np.uint8)
    for kind, coding in (
        ("8 bits", Coding("octets", 8, "F8_E4M3")),
        ("4 bits", Coding("low nibbles", 4, "unsigned")),
        ("4 bits, high first", Coding("high nibbles", 4, "unsigned")),
        ("2 bits", Coding("quarters", 2, "unsigned")),
    ):
        memory = {"codes": _any_bytes(n * coding.bits // 8, random), "scales": scales}
        made[kind] = (
            ScaledCodes(
                *(kind, kind),
                _operand(memory, "codes", "U8"),
                coding,
                Grid.flat(_GROUP),
                StoredNumbers(_operand(memory, "scales", "F32")),
                NO_ZEROS if coding.bits == 8 else SameOfAll(1.0),
            ),
            memory,
        )
    return made


def _reading(memory: dict[str, Bytes]) -> Fill:
    def read(tensor: TensorInfo, element: int, view: memoryview) -> None:
        begin = element * STORED_TYPES[tensor.values].bits // 8
        view[:] = memory[tensor.name][begin : begin + len(view)].data

    return read


def _operand(memory: dict[str, Bytes], name: str, dtype: str) -> TensorInfo:
    """A tensor whose bytes are in memory."""
    raw = memory[name]
    elements = raw.size * 8 // STORED_TYPES[dtype].bits
    return TensorInfo.stored(name, dtype, (elements,), "in memory", 0, raw.size)


def _any_bytes(count: int, random: np.random.Generator) -> Bytes:
    return random.integers(0, 256, count, dtype=np.uint8)


def _same(one: Statistics, other: Statistics) -> bool:
    """Medians, counts and histograms; sums are added in another order."""
    names = (
        *("median_pct", "p05_pct", "p25_pct", "p75_pct", "p95_pct", "p99_pct", "unchanged_pct"),
        *("sign_flip_pct", "base_zero_pct", "nonfinite_base", "nonfinite_target", "histogram"),
    )
    return all(getattr(one, name) == getattr(other, name) for name in names)
