"""Memory of files that are cut short: zeros that are known of, and no other bus error less."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from modeldiff.changes.kernels.object_code import kernels
from modeldiff.native import bus_errors
from modeldiff.native.bus_errors import ListedRange, list_range

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals of Linux")

PAGE = mmap.PAGESIZE
PAGES = 8


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The handler's code comes with the kernels."""
    kernels()


class Mapped:
    """A file of PAGES pages of ones, its memory, and where that begins."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(b"\1" * (PAGE * PAGES))
        self.file = path.open("r+b")
        self.memory = mmap.mmap(
            self.file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE
        )
        self.octets: npt.NDArray[np.uint8] = np.frombuffer(self.memory, np.uint8)
        self.at: int = self.octets.ctypes.data

    def listed(self) -> ListedRange:
        listed = list_range(self.at, self.at + PAGE * PAGES)
        assert listed is not None
        return listed

    def cut(self, size: int) -> None:
        os.ftruncate(self.file.fileno(), size)


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[Mapped]:
    mapped = Mapped(tmp_path / "file")
    yield mapped
    mapped.file.close()


def test_what_was_cut_off_is_zeros_and_known_of(mapped: Mapped) -> None:
    listed = mapped.listed()
    try:
        assert mapped.octets.sum() == PAGE * PAGES
        mapped.cut(3 * PAGE)
        assert not listed.faults(mapped.at, mapped.at + PAGES * PAGE), "nothing was read yet"
        assert mapped.octets[: 4 * PAGE].sum() == 3 * PAGE
        assert not listed.faults(mapped.at, mapped.at + 3 * PAGE)
        assert listed.faults(mapped.at + 3 * PAGE, mapped.at + 4 * PAGE)
        assert listed.faults(mapped.at + 4 * PAGE - 1, mapped.at + 5 * PAGE)
        assert not listed.faults(mapped.at + 4 * PAGE, mapped.at + 5 * PAGE)
        assert mapped.octets[7 * PAGE] == 0
        assert listed.faults(mapped.at + 7 * PAGE, mapped.at + 8 * PAGE)
    finally:
        listed.strike()


def test_a_range_that_is_listed_anew_has_no_faults(mapped: Mapped) -> None:
    first = mapped.listed()
    mapped.cut(0)
    assert mapped.octets[PAGE] == 0 and first.faults(mapped.at, mapped.at + PAGES * PAGE)
    first.strike()
    second = mapped.listed()
    assert second.number == first.number
    assert not second.faults(mapped.at, mapped.at + PAGES * PAGE)
    second.strike()


def test_no_more_ranges_than_there_is_room_for(mapped: Mapped) -> None:
    ranges = []
    while (listed := list_range(mapped.at, mapped.at + PAGE)) is not None:
        ranges.append(listed)
        assert len(ranges) < 10_000
    try:
        assert len({listed.number for listed in ranges}) == len(ranges) > 400
    finally:
        for listed in ranges:
            listed.strike()
    mapped.listed().strike()


def test_the_last_range_of_the_table_is_answered_too(mapped: Mapped, tmp_path: Path) -> None:
    """The code looks through as many ranges as there are, each as long as in the table."""
    other = Mapped(tmp_path / "other")
    ranges: list[ListedRange] = []
    while len(ranges) < len(bus_errors._RANGES) and (
        listed := list_range(other.at, other.at + PAGE * PAGES)
    ):
        ranges.append(listed)
    assert ranges[-1].number == len(bus_errors._RANGES) - 1
    ranges.pop().strike()
    last = mapped.listed()
    try:
        mapped.cut(0)
        assert mapped.octets[PAGE] == 0 and last.faults(mapped.at, mapped.at + PAGES * PAGE)
        assert not any(each.faults(other.at, other.at + PAGES * PAGE) for each in ranges)
    finally:
        for each in (*ranges, last):
            each.strike()
        other.file.close()


PROGRAM = """
import faulthandler, mmap, os, signal, sys
import numpy as np
from modeldiff.changes.kernels.object_code import kernels
from modeldiff.native.bus_errors import list_range

def mapped(name):
    with open(name, "wb") as file:
        file.write(bytes(8 * mmap.PAGESIZE))
    file = open(name, "r+b")
    memory = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE)
    os.ftruncate(file.fileno(), 0)
    return np.frombuffer(memory, np.uint8)

def listed(name):
    octets = mapped(name)
    assert list_range(octets.ctypes.data, octets.ctypes.data + octets.size)
    return octets

kernels()
own = listed(sys.argv[1] + "/own")
assert own[0] == 0
"""


def run(tmp_path: Path, then: str) -> subprocess.CompletedProcess[str]:
    """How a process ends that has answered one bus error before."""
    program = PROGRAM + then + "\nprint('alive')"
    return subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )


def test_another_bus_error_ends_the_process_as_ever(tmp_path: Path) -> None:
    ended = run(tmp_path, "mapped(sys.argv[1] + '/other')[0]")
    assert ended.returncode == -signal.SIGBUS and "alive" not in ended.stdout


@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_answered_bus_errors_hears_of_others(tmp_path: Path, when: str) -> None:
    enable = "faulthandler.enable()"
    again = "again = listed(sys.argv[1] + '/again'); assert again[0] == 0"
    steps = [enable, again] if when == "before" else [again, enable]
    ended = run(tmp_path, "\n".join([*steps, "mapped(sys.argv[1] + '/other')[0]"]))
    assert ended.returncode == -signal.SIGBUS
    assert "Fatal Python error: Bus error" in ended.stderr


def test_a_signal_that_somebody_sends_ends_the_process(tmp_path: Path) -> None:
    ended = run(tmp_path, "os.kill(os.getpid(), signal.SIGBUS)")
    assert ended.returncode == -signal.SIGBUS and "alive" not in ended.stdout


def test_a_handler_put_in_its_place_is_replaced_with_the_next_range(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "signal.signal(signal.SIGBUS, signal.SIG_DFL)\n"
        "assert listed(sys.argv[1] + '/again')[0] == 0",
    )
    assert ended.returncode == 0 and "alive" in ended.stdout
