"""Mapped files where the system, or who shares the process, is not as it mostly is."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modeldiff.changes.kernels.object_code import kernels
from modeldiff.checkpoints.local.mapped_file import MappedFile
from modeldiff.native import bus_errors
from modeldiff.native.bus_errors import list_range

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals of Linux")

PAGE = mmap.PAGESIZE
SIZE = 1 << 20


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The handler's code comes with the kernels."""
    kernels()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that the system holds in its memory."""
    path = tmp_path / "file"
    path.write_bytes(b"\1" * SIZE)
    return path


def test_a_python_made_for_older_systems_looks_at_files_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was compiled with a C library of before 2018 has no name for what is asked."""
    monkeypatch.delattr(os, "RWF_NOWAIT")
    with path.open("rb") as file:
        mapped = MappedFile(file.fileno(), SIZE)
        view = mapped.view(0, SIZE)
        assert view is not None and view.octets.sum() == SIZE
        mapped.close()


class Info(ctypes.Structure):
    """The begin of ``siginfo_t``."""

    _fields_ = (
        ("signal", ctypes.c_int),
        ("error", ctypes.c_int),
        ("code", ctypes.c_int),
        ("address", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 16),
    )


def test_a_fault_is_known_of_before_there_are_zeros() -> None:
    """Another thread reads the same page without an error as soon as it is there, and asks."""
    import llvmlite.binding as llvm

    begin = 16 * PAGE  # of no memory: nothing is mapped here
    listed = list_range(begin, begin + 4 * PAGE)
    assert listed is not None
    known: list[bool] = []

    def mapped(address: int, *_: int) -> int:
        known.append(listed.faults(address, address + 1))
        return address

    word, number = ctypes.c_int64, ctypes.c_int
    mapping = ctypes.CFUNCTYPE(word, word, word, number, number, number, word)(mapped)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(bus_errors._ASSEMBLY)
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(module, machine)
    assert bus_errors.ANSWER is not None
    where = {**bus_errors.ANSWER.variables, "mmap": ctypes.cast(mapping, ctypes.c_void_p).value}
    for name, address in where.items():
        found = module.get_function(name) if name == "mmap" else module.get_global_variable(name)
        engine.add_global_mapping(found, address)
    engine.finalize_object()
    handler = ctypes.CFUNCTYPE(None, number, ctypes.c_void_p, ctypes.c_void_p)(
        engine.get_function_address(bus_errors.HANDLER)
    )
    try:
        info = Info(signal.SIGBUS, 0, 2, begin + PAGE + 5)
        handler(signal.SIGBUS, ctypes.addressof(info), None)
    finally:
        listed.strike()
    assert known == [True]


def test_nothing_is_left_of_a_range_that_was_struck() -> None:
    listed = list_range(PAGE, 2 * PAGE)
    assert listed is not None
    listed.strike()
    begin, end, *_ = bus_errors._RANGES[listed.number]
    assert begin == end == 0, "half of it is no half of the next"


def test_a_thread_that_has_blocked_the_signal_does_not_look(path: Path) -> None:
    """The system ends the process there, without asking any handler."""
    found: list[object] = []

    def blocked() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGBUS})
        found.append(list_range(PAGE, 2 * PAGE))

    thread = threading.Thread(target=blocked)
    thread.start()
    thread.join()
    assert found == [None]


DISPLACED = """
import os, signal, sys
from modeldiff.changes.kernels.object_code import kernels
from modeldiff.checkpoints.local import mapped_file

kernels()
size = int(sys.argv[2])
mapped_file._MOST_HELD = size
file = open(sys.argv[1], "r+b")
mapped = mapped_file.MappedFile(file.fileno(), size)
signal.signal(signal.SIGBUS, signal.SIG_DFL)
assert mapped.view(0, size) and (view := mapped.view(0, size))
os.ftruncate(file.fileno(), 0)
print(view.octets.sum(), view.is_sound())
"""


def ended(program: str, path: Path, size: int) -> subprocess.CompletedProcess[str]:
    """How a program ends that is given a file and its size."""
    return subprocess.run(
        [sys.executable, "-c", program, str(path), str(size)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_who_took_the_handlers_place_meanwhile_gives_it_back(path: Path) -> None:
    """As files are looked at, before the next is mapped."""
    found = ended(DISPLACED, path, SIZE)
    assert (found.returncode, found.stdout.strip()) == (0, "0 False")


RECOVERING = """
import os, sys

# Another library that answers its own bus errors: what is imported anew is one to what was before.
def imported():
    for name in [name for name in sys.modules if name.startswith("modeldiff")]:
        del sys.modules[name]
    from modeldiff.changes.kernels.object_code import kernels
    from modeldiff.checkpoints.local.mapped_file import MappedFile
    kernels()
    return MappedFile

size = int(sys.argv[2])
file = open(sys.argv[1], "r+b")
theirs, ours = (imported()(file.fileno(), size).view(0, size) for _ in range(2))
os.ftruncate(file.fileno(), 0)
found = [int(view.octets[at]) for at in (5, size // 2, size - 5) for view in (theirs, ours)]
print(found, theirs.is_sound(), ours.is_sound())
"""


def test_a_library_that_answers_its_own_bus_errors_does_not_end_this(path: Path) -> None:
    found = ended(RECOVERING, path, SIZE)
    assert (found.returncode, found.stdout.strip()) == (0, f"{[0] * 6} False False")


LIMITED = """
import resource, sys
import numpy as np
from modeldiff.changes.kernels.object_code import kernels
from modeldiff.checkpoints.local.reader import LocalReader
from pathlib import Path

kernels()
path, size = Path(sys.argv[1]), int(sys.argv[2])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
room = used + size + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
reader = LocalReader(path, size, "file", "it", lambda: None)
reader.view(0, 1 << 20)
print(np.ones(100 << 20, np.uint8).sum())
"""


def test_files_take_no_room_where_address_space_is_limited(tmp_path: Path) -> None:
    """As batch systems limit it, so that a model that is larger than the limit was compared."""
    path, size = tmp_path / "sparse", 1 << 30
    with path.open("wb") as file:
        file.truncate(size)
    found = ended(LIMITED, path, size)
    assert found.stdout.strip() == str(100 << 20), found.stderr
