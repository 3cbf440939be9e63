"""The walk over the pairs: order, progress, stopping, and files that go wrong meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from modeldiff.architectures.place import Place
from modeldiff.changes import Change, Pair, Progress, measure
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.engine.engine import walk
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import Checkpoint, FetchProgress, open_checkpoint
from modeldiff.checkpoints.local.reader import LocalReader
from modeldiff.checkpoints.sources.local import LocalFolder
from modeldiff.errors import Cancelled, CheckpointChanged, InvalidOption
from tests.support.slow_statistics import encode, expect
from tests.support.small_checkpoints import (
    Stored,
    normal,
    open_pair,
    pairs_by_name,
    write_checkpoint,
)

SMALLEST_CHUNK = LEAF * 2
"""Bytes of a leaf of bf16."""


def open_files() -> list[str]:
    """What this process's descriptors stand for."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them
            found.append(str(descriptor.readlink()))
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No thread and no open file outlives a walk."""
    threads, files = threading.active_count(), open_files()
    yield
    assert threading.active_count() == threads
    assert sorted(open_files()) == sorted(files)


def varied(seed: int) -> dict[str, Stored]:
    """Tensors of many sizes and types, the largest of several chunks."""
    sizes = (5, 0, 3 * LEAF + 11, 70, 1, 2 * LEAF, 4096, LEAF + 1, 30)
    dtypes = ("BF16", "BF16", "BF16", "F32", "F16", "F64", "BF16", "F32", "I32")
    tensors = {}
    for number, (size, dtype) in enumerate(zip(sizes, dtypes, strict=True)):
        values = normal(size, 1) + 0.1 * normal(size, 2 + seed)
        raw = values.astype(np.int32).view(np.uint8) if dtype == "I32" else encode(values, dtype)
        tensors[f"tensor.{number}"] = (dtype, raw)
    return tensors


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Checkpoint, Checkpoint]:
    return open_pair(tmp_path, varied(0), varied(1))


def test_every_pair_comes_in_order_with_its_statistics(
    opened: tuple[Checkpoint, Checkpoint],
) -> None:
    changes = list(measure(pairs_by_name(*opened), *opened, device="cpu"))
    names = [change.pair.base.name for change in changes if change.pair.base]
    assert names == [tensor.name for tensor in opened[0].tensors]
    base, target = varied(0), varied(1)
    for name, change in zip(names, changes, strict=True):
        assert change.statistics is not None
        dtype, raw = base[name]
        if dtype != "I32":
            expect(change.statistics, raw, target[name][1], (dtype, dtype))
    assert changes[8].statistics is not None
    assert changes[8].statistics.unchanged_pct is not None
    assert changes[8].statistics.median_pct is None


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("shards", [1, 3, 9])
def test_chunks_threads_and_shards_change_nothing(
    tmp_path: Path, threads: int, shards: int
) -> None:
    whole = open_pair(tmp_path / "whole", varied(0), varied(1))
    parts = open_pair(tmp_path / "parts", varied(0), varied(1), shards)
    wanted = [change.statistics for change in measure(pairs_by_name(*whole), *whole, device="cpu")]
    backend = CpuBackend(threads, SMALLEST_CHUNK)
    got = [change.statistics for change in walk(pairs_by_name(*parts), *parts, backend)]
    assert got == wanted


def test_a_bracket_that_misses_costs_only_time(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [change.statistics for change in measure(pairs_by_name(*opened), *opened)]
    monkeypatch.setattr(
        "modeldiff.changes.backends.cpu.bracket_of", lambda *_: Bracket(1 << 16, 1 << 16)
    )
    backend = CpuBackend(2, SMALLEST_CHUNK)
    assert [
        change.statistics for change in walk(pairs_by_name(*opened), *opened, backend)
    ] == wanted


def test_what_memory_cannot_hold_is_read_alike(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [change.statistics for change in measure(pairs_by_name(*opened), *opened)]
    dropped: list[int] = []

    def advise(descriptor: int, offset: int, size: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_DONTNEED and offset >= 0 and size > 0
        dropped.append(size)

    monkeypatch.setattr("modeldiff.changes.engine.engine.physical_memory", lambda: 1)
    monkeypatch.setattr("os.posix_fadvise", advise)
    pairs = pairs_by_name(*opened)
    assert [change.statistics for change in measure(pairs, *opened)] == wanted
    assert dropped


def test_a_bracket_that_holds_too_much_is_given_up(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [change.statistics for change in measure(pairs_by_name(*opened), *opened)]
    monkeypatch.setattr("modeldiff.changes.backends.accumulator._KEPT_LIMIT", 100)
    backend = CpuBackend(2, SMALLEST_CHUNK)
    assert [
        change.statistics for change in walk(pairs_by_name(*opened), *opened, backend)
    ] == wanted


def test_what_is_not_compared_passes_through_in_its_place(
    opened: tuple[Checkpoint, Checkpoint],
) -> None:
    pairs = pairs_by_name(*opened)
    pairs[1] = replace(pairs[1], status="different_shape")
    pairs.insert(3, Pair(Place(3, "mlp"), "only_in_target", None, opened[1].tensors[0]))
    changes = list(measure(pairs, *opened, device="cpu"))
    assert [change.pair for change in changes] == pairs
    assert [change.statistics is None for change in changes].count(True) == 2


def test_types_with_nothing_in_common_are_unreadable_with_the_reason(tmp_path: Path) -> None:
    base = {"w": ("BF16", encode(normal(4, 1), "BF16"))}
    target = {"w": ("I16", np.zeros(8, np.uint8))}
    sides = open_pair(tmp_path, base, target)
    (change,) = measure(pairs_by_name(*sides), *sides, device="cpu")
    assert change.pair.status == "unreadable"
    assert "BF16 and I16" in change.pair.reason
    assert change.statistics is None


def test_no_pairs_no_changes(opened: tuple[Checkpoint, Checkpoint]) -> None:
    assert list(measure([], *opened, device="cpu")) == []


def test_a_device_that_is_not_here_is_refused_at_once(
    opened: tuple[Checkpoint, Checkpoint],
) -> None:
    with pytest.raises(InvalidOption):
        measure([], *opened, device="gpu")


class TestProgress:
    def test_it_ends_with_all_bytes_and_tensors(
        self, opened: tuple[Checkpoint, Checkpoint]
    ) -> None:
        seen: list[Progress] = []
        pairs = pairs_by_name(*opened)
        backend = CpuBackend(2, SMALLEST_CHUNK)
        assert len(list(walk(pairs, *opened, backend, seen.append))) == len(pairs)
        nbytes = sum(pair.nbytes for pair in pairs)
        last = seen[-1]
        assert (last.phase, last.bytes_done, last.bytes_total) == ("measuring", nbytes, nbytes)
        assert (last.tensors_done, last.tensors_total) == (len(pairs), len(pairs))
        done = [progress.bytes_done for progress in seen]
        assert done == sorted(done)

    def test_it_is_told_in_the_thread_that_takes_the_changes(
        self, opened: tuple[Checkpoint, Checkpoint]
    ) -> None:
        threads = set()
        list(
            measure(
                pairs_by_name(*opened),
                *opened,
                device="cpu",
                progress=lambda _: threads.add(threading.get_ident()),
            )
        )
        assert threads == {threading.get_ident()}

    def test_cancelling_stops_everything(self, opened: tuple[Checkpoint, Checkpoint]) -> None:
        def cancel(_: Progress) -> None:
            raise Cancelled("enough")

        changes = measure(pairs_by_name(*opened), *opened, device="cpu", progress=cancel)
        with pytest.raises(Cancelled):
            list(changes)

    def test_closing_half_way_stops_everything(self, opened: tuple[Checkpoint, Checkpoint]) -> None:
        changes = walk(pairs_by_name(*opened), *opened, CpuBackend(2, SMALLEST_CHUNK))
        next(changes)
        changes.close()


@dataclass(frozen=True)
class RemoteFolder(LocalFolder):
    """Files that are elsewhere until they are fetched."""

    here: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        source = checkpoint.source
        assert isinstance(source, LocalFolder)
        return cls(source.reference, source.folder, heads=source.heads)

    def reader(self, file: str, progress: FetchProgress | None = None) -> LocalReader:
        reader, size = super().reader(file), self.heads[file].stat.size
        if progress is not None:
            progress(size // 2, size)
        self.here.add(file)
        return reader

    def bytes_to_download(self, file: str) -> int:
        return 0 if file in self.here else self.heads[file].stat.size


class TestFilesElsewhere:
    def test_they_are_fetched_and_then_read(self, opened: tuple[Checkpoint, Checkpoint]) -> None:
        target = replace(opened[1], source=RemoteFolder.of(opened[1]))
        seen: list[Progress] = []
        pairs = pairs_by_name(opened[0], target)
        changes = list(walk(pairs, opened[0], target, CpuBackend(2), seen.append))
        assert changes == list(measure(pairs, *opened, device="cpu"))
        assert seen[-1].phase == "measuring"

    def test_what_goes_wrong_there_is_raised_here(
        self, opened: tuple[Checkpoint, Checkpoint]
    ) -> None:
        class Refusing(RemoteFolder):
            def reader(self, file: str, progress: FetchProgress | None = None) -> LocalReader:
                raise CheckpointChanged("gone", hint="look for it")

        target = replace(opened[1], source=Refusing.of(opened[1]))
        with pytest.raises(CheckpointChanged, match="gone"):
            list(measure(pairs_by_name(opened[0], target), opened[0], target, device="cpu"))


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def replace_file(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + b"!")


class TestFilesThatChange:
    @pytest.mark.parametrize("harm", [shrink, Path.unlink, replace_file])
    def test_before_they_are_read(
        self, opened: tuple[Checkpoint, Checkpoint], tmp_path: Path, harm: Callable[[Path], None]
    ) -> None:
        harm(tmp_path / "target" / "model.safetensors")
        with pytest.raises(CheckpointChanged, match="safetensors") as caught:
            list(measure(pairs_by_name(*opened), *opened, device="cpu"))
        assert caught.value.hint

    @pytest.mark.parametrize("harm", [shrink, Path.unlink, replace_file])
    def test_while_they_are_read(
        self,
        opened: tuple[Checkpoint, Checkpoint],
        tmp_path: Path,
        harm: Callable[[Path], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        read = os.preadv
        harmed = threading.Event()

        def harmful(descriptor: int, buffers: list[memoryview], offset: int) -> int:
            count = read(descriptor, buffers, offset)
            if not harmed.is_set():
                harmed.set()
                harm(tmp_path / "base" / "model.safetensors")
            return count

        monkeypatch.setattr(os, "preadv", harmful)
        with pytest.raises(CheckpointChanged, match="safetensors"):
            list(measure(pairs_by_name(*opened), *opened, device="cpu"))


class TestDisksThatFail:
    def fail_at(self, monkeypatch: pytest.MonkeyPatch, first: int, last: int) -> None:
        """Reading any of these bytes of base's file fails as a bad disk does."""
        read = os.preadv
        failing: dict[int, str] = {}

        def failing_read(descriptor: int, buffers: list[memoryview], offset: int) -> int:
            name = failing.setdefault(
                descriptor, str(Path(f"/proc/self/fd/{descriptor}").readlink())
            )
            inside = offset <= last and offset + len(buffers[0]) > first
            if inside and "/base/" in name:
                raise OSError(5, "Input/output error")
            return read(descriptor, buffers, offset)

        monkeypatch.setattr(os, "preadv", failing_read)

    @pytest.mark.parametrize("number", [0, 2, 6], ids=["in a batch", "in chunks", "alone"])
    def test_only_the_tensor_on_the_bad_spot_is_unreadable(
        self,
        opened: tuple[Checkpoint, Checkpoint],
        monkeypatch: pytest.MonkeyPatch,
        number: int,
    ) -> None:
        bad = opened[0].tensors[number]
        wanted: list[Change] = list(measure(pairs_by_name(*opened), *opened, device="cpu"))
        self.fail_at(monkeypatch, bad.offset, bad.offset)
        backend = CpuBackend(2, SMALLEST_CHUNK)
        seen: list[Progress] = []
        changes = list(walk(pairs_by_name(*opened), *opened, backend, seen.append))
        assert seen[-1].bytes_done == seen[-1].bytes_total
        assert changes[number].pair.status == "unreadable"
        assert "Input/output error" in changes[number].pair.reason
        assert changes[number].statistics is None
        del changes[number], wanted[number]
        assert changes == wanted


def test_few_files_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {f"t.{i}": ("BF16", encode(normal(2 * LEAF, i), "BF16")) for i in range(40)}
    side = open_checkpoint(str(write_checkpoint(tmp_path / "many", tensors, shards=40)))
    counts = []
    open_file = os.open

    def counting(path: Path, flags: int) -> int:
        counts.append(sum(name.startswith(str(tmp_path)) for name in open_files()))
        return open_file(path, flags)

    monkeypatch.setattr(os, "open", counting)
    backend = CpuBackend(1, SMALLEST_CHUNK)
    assert len(list(walk(pairs_by_name(side, side), side, side, backend))) == 40
    assert max(counts) < 30
