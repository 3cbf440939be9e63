"""Files that are looked at in the system's memory: the same results, and nothing of a torn one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeldiff.changes import Change, measure
from modeldiff.changes.backends.cpu import CpuBackend, CpuWorker
from modeldiff.changes.engine import tensor_files
from modeldiff.changes.engine.engine import measure_together, walk
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.changes.kernels.object_code import kernels
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.checkpoints.local.mapped_file import MappedFile
from modeldiff.checkpoints.local.reader import LocalReader
from modeldiff.errors import CheckpointChanged
from modeldiff.native import bus_errors
from tests.support.slow_statistics import encode
from tests.support.small_checkpoints import (
    Stored,
    normal,
    pairs_by_name,
    write_checkpoint,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux maps them")

CHUNK = LEAF * 2
SIZES = (3 * LEAF + 11, 2 * LEAF, 5 * LEAF, LEAF + 1, 2 * LEAF + 7)
DTYPES = ("BF16", "F32", "F16", "F64", "I32")


def tensors(seed: int) -> dict[str, Stored]:
    """Some of several chunks, of every precision."""
    made = {}
    for number, (size, dtype) in enumerate(zip(SIZES, DTYPES, strict=True)):
        values = normal(size, 1) + 0.1 * normal(size, 2 + seed)
        raw = values.astype(np.int32).view(np.uint8) if dtype == "I32" else encode(values, dtype)
        made[f"tensor.{number}"] = (dtype, raw)
    return made


@pytest.fixture(autouse=True)
def _loaded() -> None:
    kernels()


def write_aligned(folder: Path, stored: dict[str, Stored], behind: int = 0) -> Checkpoint:
    """A checkpoint whose elements begin on multiples of 8 bytes, as the library writes them; or so
    many bytes behind."""
    write_checkpoint(folder, stored)
    path = folder / "model.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].rstrip()
    header += b" " * (-len(header) % 8 + behind)
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    return open_checkpoint(str(folder))


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Checkpoint, Checkpoint]:
    return write_aligned(tmp_path / "base", tensors(0)), write_aligned(
        tmp_path / "target", tensors(1)
    )


@pytest.fixture
def tells(tmp_path: Path) -> None:
    """Temporary files lie where the system says what of them it holds: not on a RAM disk."""
    path = tmp_path / "probe"
    path.write_bytes(b"1")
    with path.open("rb") as file:
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except OSError as error:
            pytest.skip(f"the file system of temporary files cannot tell: {error}")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, tells: None) -> list[int]:
    """However few the bytes, they are looked at in place; the bytes of each look."""
    found: list[int] = []
    look_at = CpuWorker.look_at

    def watched(worker: CpuWorker, side: int, values: Any, at: int) -> None:
        assert at == values.ctypes.data
        found.append(values.size)
        look_at(worker, side, values, at)

    monkeypatch.setattr(tensor_files, "_WORTH_A_VIEW", 0)
    monkeypatch.setattr(CpuWorker, "look_at", watched)
    return found


def read_into_buffers(pair: tuple[Checkpoint, Checkpoint], chunk: int = CHUNK) -> list[Change]:
    """The changes with no byte looked at in place."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LocalReader, "view", lambda *_: None)
        patched.setattr(LocalReader, "copy_runs", lambda *_: False)
        return list(walk(pairs_by_name(*pair), *pair, CpuBackend(2, chunk)))


def mapped_files() -> list[str]:
    """The checkpoints' files in this process's memory."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split()[-1] for line in lines if line.endswith(".safetensors")]


@pytest.fixture(autouse=True)
def _nothing_stays_mapped() -> Iterator[None]:
    yield
    assert mapped_files() == []


@pytest.mark.parametrize("chunk", [CHUNK, 2 << 20], ids=["in chunks", "whole"])
def test_the_same_bits_as_by_reading(
    opened: tuple[Checkpoint, Checkpoint], looks: list[int], chunk: int
) -> None:
    wanted = read_into_buffers(opened, chunk)
    assert not looks
    assert list(walk(pairs_by_name(*opened), *opened, CpuBackend(2, chunk))) == wanted
    assert looks


def test_elements_that_begin_at_odd_places_are_read(
    tmp_path: Path, opened: tuple[Checkpoint, Checkpoint], looks: list[int]
) -> None:
    """A header may have any length, and then no element begins where a kernel may load it."""
    wanted = read_into_buffers(opened)
    base, target = (
        write_aligned(tmp_path / "odd" / side, tensors(seed), behind=1)
        for seed, side in enumerate(("base", "target"))
    )
    assert base.tensors[0].offset % 2 == 1
    got = list(walk(pairs_by_name(base, target), base, target, CpuBackend(2, CHUNK)))
    assert [change.statistics for change in got] == [change.statistics for change in wanted]
    assert not looks


def test_several_targets_look_at_base_again(
    tmp_path: Path, opened: tuple[Checkpoint, Checkpoint], looks: list[int]
) -> None:
    base, target = opened
    third = write_aligned(tmp_path / "third", tensors(2))
    wanted = [*read_into_buffers((base, target)), *read_into_buffers((base, third))]
    together = [(side, pairs_by_name(base, side)) for side in (target, third)]
    got = sorted(measure_together(base, together, device="cpu"), key=lambda each: each[0])
    assert [change.statistics for _, change in got] == [change.statistics for change in wanted]
    own = sum(tensor.nbytes for tensor in base.tensors)
    assert sum(looks) < 3.5 * own, "base once, two targets"


def cut(path: Path) -> None:
    """To the middle of a page, which has zeros behind it without any error."""
    os.truncate(path, path.stat().st_size // 2 + 100)


@pytest.mark.parametrize("part", ["measure_part", "measure_whole"])
def test_a_file_cut_short_while_it_is_measured_is_not_measured(
    opened: tuple[Checkpoint, Checkpoint],
    looks: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
) -> None:
    chunk = CHUNK if part == "measure_part" else 2 << 20
    wanted = read_into_buffers(opened, chunk)
    measure_it = getattr(CpuWorker, part)
    harmed: list[bool] = []
    got: list[Change] = []

    def harmful(worker: CpuWorker, *arguments: Any) -> Any:
        if not harmed:
            harmed.append(True)
            cut(tmp_path / "target" / "model.safetensors")
        return measure_it(worker, *arguments)

    monkeypatch.setattr(CpuWorker, part, harmful)
    with pytest.raises(CheckpointChanged, match="safetensors"):
        got.extend(walk(pairs_by_name(*opened), *opened, CpuBackend(1, chunk)))
    assert harmed
    # What was there before the end are no statistics of zeros.
    assert all(change in wanted for change in got if change.statistics)


def test_zeros_of_a_moment_are_no_statistics(
    opened: tuple[Checkpoint, Checkpoint],
    looks: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file that is short for a moment, and the same to all appearance when anybody asks: what was
    looked at then is unreadable, and the rest is measured."""
    wanted = read_into_buffers(opened)
    path = tmp_path / "target" / "model.safetensors"
    content, state = path.read_bytes(), path.stat()
    measure_part = CpuWorker.measure_part
    harmed: list[bool] = []

    def harmful(worker: CpuWorker, *arguments: Any) -> None:
        if not harmed:
            os.truncate(path, 0)
        measure_part(worker, *arguments)
        if not harmed:
            harmed.append(True)
            path.write_bytes(content)
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    monkeypatch.setattr(CpuWorker, "measure_part", harmful)
    got = list(walk(pairs_by_name(*opened), *opened, CpuBackend(1, CHUNK)))
    bad = [change for change in got if change.statistics is None]
    assert len(bad) == 1 and "could not be read for a moment" in bad[0].pair.reason
    assert [change for change in got if change.statistics] == [
        change for change in wanted if change.pair.base != bad[0].pair.base
    ]


def test_errors_before_and_behind_are_not_its_own(
    opened: tuple[Checkpoint, Checkpoint],
    looks: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a file's errors the first and the last place are known; what lies between and is measured
    meanwhile is as readable as ever."""
    wanted = read_into_buffers(opened)
    measure_part = CpuWorker.measure_part
    harmed: list[bool] = []

    def harmful(worker: CpuWorker, *arguments: Any) -> None:
        measure_part(worker, *arguments)
        for listed in bus_errors._RANGES:
            if listed[0]:
                harmed.append(True)
                listed[2], listed[3] = listed[0], listed[1]

    monkeypatch.setattr(CpuWorker, "measure_part", harmful)
    assert list(walk(pairs_by_name(*opened), *opened, CpuBackend(1, CHUNK))) == wanted
    assert harmed and looks


def test_nothing_stays_open_where_a_thread_cannot_be_started(
    opened: tuple[Checkpoint, Checkpoint], looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system says is what is raised, and those that were started end."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def refused(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError, match="can't start"):
        list(walk(pairs_by_name(*opened), *opened, CpuBackend(2, CHUNK)))
    assert len(started) == 2 and not any(thread.is_alive() for thread in started)


def test_pages_are_given_back(
    tmp_path: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process does not hold the files that it has looked at."""
    monkeypatch.setattr("modeldiff.checkpoints.local.mapped_file._MOST_HELD", 4 * CHUNK)
    size = 64 * LEAF
    pair = (
        write_aligned(tmp_path / "base", {"w": ("BF16", encode(normal(size, 1), "BF16"))}),
        write_aligned(tmp_path / "target", {"w": ("BF16", encode(normal(size, 2), "BF16"))}),
    )
    held: list[int] = []
    measure_part = CpuWorker.measure_part

    def measured(worker: CpuWorker, *arguments: Any) -> None:
        measure_part(worker, *arguments)
        held.append(resident())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(CpuWorker, "measure_part", measured)
        list(walk(pairs_by_name(*pair), *pair, CpuBackend(1, CHUNK)))
    assert len(held) == 64
    # The sample lies all over the tensor; its pages are given back with the chunks, but for those
    # that the system holds in one piece with the last.
    assert 0 < held[-1] < held[0] / 2


def resident() -> int:
    """Bytes of the checkpoints' files that this process holds."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, rest = line.partition(" ")
        if not name.endswith(":"):
            ours = line.endswith(".safetensors")
        elif ours and name == "Rss:":
            found += int(rest.split()[0]) * 1024
    return found


def test_what_a_disk_has_to_give_is_read(
    opened: tuple[Checkpoint, Checkpoint], looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's word is taken for it: where a file lies the system decides from moment to
    moment, and to ask for a byte may bring it."""
    wanted = read_into_buffers(opened)
    monkeypatch.setattr(MappedFile, "lies_in_memory", lambda *_: False)
    assert list(walk(pairs_by_name(*opened), *opened, CpuBackend(2, CHUNK))) == wanted
    assert not looks


def test_a_file_that_cannot_be_mapped_is_read(
    opened: tuple[Checkpoint, Checkpoint], looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = read_into_buffers(opened)
    monkeypatch.setattr("modeldiff.checkpoints.local.mapped_file.list_range", lambda *_: None)
    assert list(measure(pairs_by_name(*opened), *opened, device="cpu")) == wanted
    assert not looks
