"""Several devices at once, pretended by the processor; which one is current, and what is chosen."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest
import torch

from modeldiff.changes import measure, resolve_device
from modeldiff.changes.backends import devices as devices_module
from modeldiff.changes.backends.cpu import CpuBackend, CpuWorker
from modeldiff.changes.backends.device_memory import (
    LEAST_BYTES,
    bind_thread,
    give_back,
    host_memory,
    smaller,
)
from modeldiff.changes.backends.fused import choice
from modeldiff.changes.backends.select import backend_for
from modeldiff.changes.backends.several import SeveralBackend
from modeldiff.changes.backends.torch_backend import TorchBackend, TorchWorker
from modeldiff.changes.engine.engine import walk
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import Checkpoint
from modeldiff.errors import InvalidOption
from tests.support.same_statistics import expect_same_changes
from tests.support.slow_statistics import encode
from tests.support.small_checkpoints import normal, open_pair, pairs_by_name


def sizable(seed: int) -> dict[str, tuple[str, object]]:
    sizes = {"a": 70, "b": 9 * LEAF + 3, "c": 2 * LEAF, "d": 0, "e": 4 * LEAF, "f": 50}
    dtypes = {"a": "BF16", "b": "BF16", "c": "F32", "d": "BF16", "e": "F64", "f": "F16"}
    return {
        name: (dtypes[name], encode(normal(size, 1) + normal(size, 5 + seed, 0.1), dtypes[name]))
        for name, size in sizes.items()
    }


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Checkpoint, Checkpoint]:
    return open_pair(tmp_path, sizable(0), sizable(1))  # type: ignore[arg-type]


def test_two_devices_and_the_processor_share_one_tensors_chunks(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each measures some, since each waits at its first chunk until all are there."""
    measured_by: Counter[str] = Counter()
    meeting = threading.Barrier(3, timeout=60)
    met = threading.local()

    def watch(kind: type[CpuWorker] | type[TorchWorker], name: str) -> None:
        really = kind.measure_part

        def watched(worker: object, *arguments: object) -> None:
            if not getattr(met, "before", False):
                met.before = True
                meeting.wait()
            if threading.current_thread() is not threading.main_thread():
                measured_by[f"{name} {id(worker)}"] += 1
            really(worker, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(kind, "measure_part", watched)

    watch(TorchWorker, "torch")
    watch(CpuWorker, "cpu")
    pairs = pairs_by_name(*opened)
    several = SeveralBackend(
        (TorchBackend("cpu", LEAF * 2, -1), TorchBackend("cpu", LEAF * 2, -1), CpuBackend(1, 1))
    )
    assert several.threads == 3
    found = list(walk(pairs, *opened, several))
    assert len(measured_by) >= 3
    monkeypatch.undo()
    expect_same_changes(found, list(measure(pairs, *opened, device="cpu")))


def test_they_are_joined_by_name(opened: tuple[Checkpoint, Checkpoint]) -> None:
    backend = backend_for("torch:cpu+torch:cpu+cpu")
    assert isinstance(backend, SeveralBackend)
    assert [type(each) for each in backend.backends] == [TorchBackend, TorchBackend, CpuBackend]
    pairs = pairs_by_name(*opened)
    found = list(measure(pairs, *opened, device="torch:cpu+cpu"))
    expect_same_changes(found, list(measure(pairs, *opened, device="cpu")))


@pytest.mark.parametrize(
    ("names", "cores", "threads"),
    [
        ("cuda:0", 16, 12),
        ("cuda:0+cuda:1", 16, 8 + 8),
        ("+".join(f"cuda:{n}" for n in range(8)), 64, 8 * 8),
        ("+".join(f"cuda:{n}" for n in range(8)), 4, 8 * 2),
        ("cuda:0+cpu", 4, 4 + 4),
        ("mps", 16, 6),
    ],
)
def test_devices_share_the_cores_among_them(
    names: str, cores: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dozen threads each, of eight cards, would stand in each other's way, with gigabytes of
    pinned memory."""
    pytest.importorskip("triton")
    from modeldiff.changes.backends.fused.worker import FusedBackend

    fused = {f"cuda:{n}": FusedBackend(f"cuda:{n}") for n in range(8)}
    monkeypatch.setattr(choice, "fused_backend", fused.get)
    monkeypatch.setattr("modeldiff.changes.backends.select.resolve_device", str)
    monkeypatch.setattr("modeldiff.changes.backends.torch_backend.usable_cores", lambda: cores)
    monkeypatch.setattr("modeldiff.changes.backends.cpu.usable_cores", lambda: cores)
    assert backend_for(names).threads == threads


class TestAll:
    @pytest.fixture(autouse=True)
    def three(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names = ["cuda:0", "cuda:1", "cuda:2"]
        monkeypatch.setattr(devices_module, "_accelerators", lambda: names)

    def test_are_those_that_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices_module, "_works", lambda name: name != "cuda:1")
        assert resolve_device("all") == "cuda:0+cuda:2"

    def test_is_the_processor_where_none_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices_module, "_works", lambda _: False)
        assert resolve_device("all") == "cpu"


@pytest.mark.parametrize(
    "names", ["cpu+", "+", "cpu+auto", "all+cpu", "cpu+gpu", "+".join(["cpu"] * 65)]
)
def test_what_cannot_be_joined_is_refused(names: str) -> None:
    with pytest.raises(InvalidOption):
        resolve_device(names)


def test_a_worker_of_the_second_card_is_bound_to_it_before_memory_is_pinned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pinned memory comes with a context on whichever card is current."""
    order: list[object] = []
    empty = torch.empty

    def watched(*size: int, pin_memory: bool = False, **options: object) -> torch.Tensor:
        if pin_memory:
            order.append("pinned")
        return empty(*size, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(torch.accelerator, "set_device_index", order.append)
    monkeypatch.setattr(torch, "empty", watched)
    monkeypatch.setattr(torch, "Stream", lambda _: None)
    TorchWorker(torch.device("cuda:1"), LEAF * 8)
    assert order == [1, "pinned", "pinned"]
    order.clear()
    bind_thread(torch.device("cpu"))
    assert order == []


def test_where_nothing_can_be_pinned_plain_memory_does(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = torch.empty

    def scarce(*size: int, pin_memory: bool = False, **options: object) -> torch.Tensor:
        if pin_memory:
            raise RuntimeError("CUDA error: out of memory")
        return empty(*size, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(torch, "empty", scarce)
    assert host_memory(100, torch.device("cuda")).numel() == 100


@pytest.mark.parametrize(
    ("device", "asked"),
    [("cpu", []), ("mps", ["device"]), ("xpu:0", ["device"]), ("cuda:1", ["device", "host"])],
)
def test_only_who_has_pinned_memory_is_asked_for_it(
    device: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apple's devices have no cache of it, and torch 2.13 crashes where they are asked."""
    calls: list[str] = []
    for name, which in (("empty_cache", "device"), ("empty_host_cache", "host")):
        monkeypatch.setattr(torch.accelerator, name, lambda which=which: calls.append(which))
    give_back(torch.device(device))
    assert calls == asked


def test_slices_become_smaller_down_to_a_leaf() -> None:
    sizes = [nbytes := 7 * LEAST_BYTES]
    while nbytes := smaller(nbytes):
        sizes.append(nbytes)
    assert sizes == [7 * LEAST_BYTES, 3 * LEAST_BYTES, LEAST_BYTES]


class TestTheFusedKernelIsChosen:
    def test_nowhere_but_on_cards_that_have_triton(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert choice.fused_backend.__wrapped__("mps") is None
        assert choice.fused_backend.__wrapped__("torch:cpu") is None
        monkeypatch.setattr(choice, "find_spec", lambda _: None)
        assert choice.fused_backend.__wrapped__("cuda:0") is None

    def test_unless_its_compiler_fails(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fails(_: str) -> None:
            raise FileNotFoundError("no C compiler")

        monkeypatch.setattr(choice, "find_spec", lambda _: object())
        monkeypatch.setattr(choice, "_checked_backend", fails)
        assert choice.fused_backend.__wrapped__("cuda:0") is None
        assert "no C compiler" in caplog.text

    def test_unless_it_is_not_exact(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        pytest.importorskip("triton")
        monkeypatch.setattr(choice, "computes_exactly", lambda _: False)
        assert choice._checked_backend("cpu") is None
        assert "exactly" in caplog.text
        monkeypatch.setattr(choice, "computes_exactly", lambda _: True)
        assert choice._checked_backend("cpu") is not None
