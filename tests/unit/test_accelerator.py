"""The accelerators' program on the processor: the same numbers as the CPU's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings

from modeldiff.changes import measure
from modeldiff.changes.backends import torch_backend as accelerator_module
from modeldiff.changes.backends import torch_kernels
from modeldiff.changes.backends.cpu import CpuWorker
from modeldiff.changes.backends.torch_backend import TorchBackend, TorchWorker
from modeldiff.changes.dtype_pairs import DtypePair, dtype_pair
from modeldiff.changes.engine.engine import walk
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import Checkpoint
from tests.support.same_statistics import expect_same
from tests.support.slow_statistics import encode
from tests.support.small_checkpoints import normal, open_pair, pairs_by_name
from tests.support.stored_values import StoredPair, stored_pairs

ROOM = 9 * LEAF * 8


def load(worker: TorchWorker | CpuWorker, pair: StoredPair) -> tuple[DtypePair, int]:
    types = dtype_pair(*pair.types)
    assert types is not None
    worker.base[: len(pair.base)] = pair.base
    worker.target[: len(pair.target)] = pair.target
    return types, types.elements(len(pair.base))


@given(stored_pairs())
@settings(max_examples=150)
def test_it_measures_what_the_cpu_measures(pair: StoredPair) -> None:
    torch_bench, cpu_bench = TorchWorker(torch.device("cpu"), ROOM), CpuWorker(ROOM)
    wanted = cpu_bench.measure_whole(*load(cpu_bench, pair))
    expect_same(torch_bench.measure_whole(*load(torch_bench, pair)), wanted)


@given(stored_pairs(sizes=(3 * LEAF + 5,)))
@settings(max_examples=15)
def test_slices_of_a_chunk_change_no_count(pair: StoredPair) -> None:
    whole, sliced = (TorchWorker(torch.device("cpu"), ROOM) for _ in range(2))
    sliced._slice = LEAF
    expect_same(sliced.measure_whole(*load(sliced, pair)), whole.measure_whole(*load(whole, pair)))


def sizable(seed: int) -> dict[str, tuple[str, object]]:
    sizes = {"a": 70, "b": 5 * LEAF + 3, "c": 2 * LEAF, "d": 0, "e": 4 * LEAF}
    dtypes = {"a": "BF16", "b": "BF16", "c": "F32", "d": "BF16", "e": "F64"}
    return {
        name: (dtypes[name], encode(normal(size, 1) + normal(size, 5 + seed, 0.1), dtypes[name]))
        for name, size in sizes.items()
    }


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Checkpoint, Checkpoint]:
    return open_pair(tmp_path, sizable(0), sizable(1))  # type: ignore[arg-type]


@pytest.mark.parametrize("small", [-1, LEAF])
@pytest.mark.parametrize("chunk_bytes", [LEAF * 2, 32 << 20])
def test_a_walk_on_it_yields_the_same(
    opened: tuple[Checkpoint, Checkpoint], small: int, chunk_bytes: int
) -> None:
    pairs = pairs_by_name(*opened)
    backend = TorchBackend("cpu", chunk_bytes, small)
    wanted = measure(pairs, *opened, device="cpu")
    for change, other in zip(walk(pairs, *opened, backend), wanted, strict=True):
        assert change.statistics is not None
        assert other.statistics is not None
        expect_same(change.statistics, other.statistics)


def test_it_is_chosen_by_name(opened: tuple[Checkpoint, Checkpoint]) -> None:
    pairs = pairs_by_name(*opened)
    changes = list(measure(pairs, *opened, device="torch:cpu"))
    assert [change.pair for change in changes] == pairs


def test_out_of_memory_halves_the_slice_and_goes_on(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = pairs_by_name(*opened)
    wanted = list(measure(pairs, *opened, device="cpu"))
    really = torch_kernels.measure_slice
    sizes: list[int] = []

    def scarce(base: torch.Tensor, target: torch.Tensor, size: int, bracket: object) -> object:
        sizes.append(size)
        if size > 2 * LEAF:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much.")
        return really(base, target, size, bracket)  # type: ignore[arg-type]

    monkeypatch.setattr(accelerator_module, "measure_slice", scarce)
    monkeypatch.setattr(torch.accelerator, "empty_cache", lambda: None)
    changes = list(walk(pairs, *opened, TorchBackend("cpu", small=-1)))
    assert max(sizes) > 2 * LEAF
    for change, other in zip(changes, wanted, strict=True):
        assert change.statistics is not None
        assert other.statistics is not None
        expect_same(change.statistics, other.statistics)


def test_where_not_even_a_leaf_fits_the_cpu_takes_the_rest(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a chunk whose first slices did fit, too."""
    pairs = pairs_by_name(*opened)
    wanted = list(measure(pairs, *opened, device="cpu"))
    really = torch_kernels.measure_slice
    calls = 0

    def less_and_less(*arguments: Any) -> object:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much.")
        return really(*arguments)

    monkeypatch.setattr(accelerator_module, "measure_slice", less_and_less)
    monkeypatch.setattr(TorchWorker, "_can_compute", lambda _, types: types.precision == "float32")
    changes = list(walk(pairs, *opened, TorchBackend("cpu", 2 * LEAF, small=-1)))
    assert calls > 4
    for change, other in zip(changes, wanted, strict=True):
        assert change.statistics is not None
        assert other.statistics is not None
        expect_same(change.statistics, other.statistics)


def test_other_errors_are_not_taken_for_want_of_memory(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Sequence[object]) -> object:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(accelerator_module, "measure_slice", broken)
    with pytest.raises(RuntimeError, match="device-side"):
        list(walk(pairs_by_name(*opened), *opened, TorchBackend("cpu", small=-1)))


def test_without_float64_on_the_device_the_cpu_does_it(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator_module, "has_float64", lambda _: False)
    pairs = pairs_by_name(*opened)
    wanted = list(measure(pairs, *opened, device="cpu"))
    for chunk_bytes in (LEAF * 8, 32 << 20):
        changes = list(walk(pairs, *opened, TorchBackend("cpu", chunk_bytes, small=-1)))
        assert changes[4] == wanted[4]
