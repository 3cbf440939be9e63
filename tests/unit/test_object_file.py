"""Object files that are put into memory without LLVM run as those that LLVM links, or are left to
it."""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from modeldiff.changes.backends.cpu import CpuWorker
from modeldiff.changes.dtype_pairs import dtype_pair
from modeldiff.changes.kernels.object_code import MEASURING_KERNELS, SIGNATURES
from modeldiff.native import library, processor
from modeldiff.native.bus_errors import HANDLER
from modeldiff.native.library import Kernel, _function, _stored, _target_machine
from modeldiff.native.object_file import CodeInMemory, NotCodeAlone

IS_ELF = sys.platform == "linux" and llvm.get_process_triple().startswith("x86_64")
pytestmark = pytest.mark.skipif(not IS_ELF, reason="other object files are left to LLVM")


def object_of(code: str) -> bytes:
    """What LLVM makes of some of its assembly."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return bytes(_target_machine().emit_object(llvm.parse_assembly(code)))


@pytest.fixture(scope="module")
def object_code() -> bytes:
    MEASURING_KERNELS.load()
    file = MEASURING_KERNELS.private_file()
    stored = file and _stored(file)
    assert stored
    return stored


def outside() -> dict[str, int]:
    return MEASURING_KERNELS._outside()


def measured(kernels: Mapping[str, Kernel], stored: str) -> list[object]:
    """What a worker with these kernels says of tensors of all ways: small, with a bracket, with
    every value kept."""
    types = dtype_pair(stored, stored)
    assert types is not None
    worker: Any = CpuWorker()
    worker._kernels = SimpleNamespace(**kernels)
    rng = np.random.default_rng(1)
    worker.base[:] = rng.integers(0, 256, worker.base.size)
    worker.target[:] = worker.base
    worker.target[::7] = rng.integers(0, 256, worker.target[::7].size)
    said: list[object] = []
    for n in (1, 511, 5_000, 3 * 65_536 + 77):
        with np.errstate(all="ignore"):  # random numbers of 64 bits are beyond all sums
            statistics = worker.measure_whole(types, n)
        histogram = statistics.histogram
        said += [repr(replace(statistics, histogram=None)), histogram.counts.tolist()]
    return said


@pytest.mark.parametrize("stored", ["BF16", "F16", "F32", "F64"])
def test_the_kernels_say_the_same(object_code: bytes, stored: str) -> None:
    code = CodeInMemory(object_code, outside())
    here = code.addresses(SIGNATURES)
    by_llvm = MEASURING_KERNELS._link_by_llvm(object_code, SIGNATURES, outside())
    ours, theirs = (
        {name: _function(addresses[name], SIGNATURES[name]) for name in SIGNATURES}
        for addresses in (here, by_llvm)
    )
    assert measured(ours, stored) == measured(theirs, stored)


def test_constants_zeros_and_calls_within_and_outside() -> None:
    content = object_of("""
@table = internal constant [3 x i64] [i64 5, i64 7, i64 11]
@zeros = internal constant [4 x i64] zeroinitializer
@pointers = internal constant [2 x ptr] [ptr @table, ptr @zeros]
declare ptr @memset(ptr, i32, i64)
define internal i64 @pick(i64 %n) noinline {
  %list = load volatile ptr, ptr @pointers
  %at = getelementptr i64, ptr %list, i64 %n
  %value = load volatile i64, ptr %at
  ret i64 %value
}
define i64 @sum(ptr %out) {
  %ignored = call ptr @memset(ptr %out, i32 1, i64 8)
  %a = call i64 @pick(i64 1)
  %b = call i64 @pick(i64 2)
  %c = add i64 %a, %b
  %z = load volatile i64, ptr @zeros
  %d = add i64 %c, %z
  ret i64 %d
}
""")
    code = CodeInMemory(content, outside())
    out = ctypes.c_int64()
    address = code.addresses(["sum"])["sum"]
    call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)
    assert call(ctypes.byref(out)) == 18
    assert out.value == 0x0101010101010101
    with pytest.raises(NotCodeAlone, match="'product'"):
        code.addresses(["sum", "product"])


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("@n = global i64 0\ndefine ptr @f() { ret ptr @n }", "variables"),
        ("declare i64 @who()\ndefine i64 @f() { %n = call i64 @who()\n ret i64 %n }", "symbol"),
    ],
)
def test_what_asks_for_more_is_left_to_llvm(code: str, says: str) -> None:
    with pytest.raises(NotCodeAlone, match=says):
        CodeInMemory(object_of(code), outside())


def test_what_is_cut_or_something_else_is_left_to_llvm(object_code: bytes) -> None:
    other_machine = bytearray(object_code)
    struct.pack_into("<H", other_machine, 18, 183)
    for content in (b"", b"\x7fELF", object_code[:5_000], object_code[:-1], bytes(other_machine)):
        with pytest.raises(NotCodeAlone):
            CodeInMemory(content, outside())


def bent(content: bytes, kind: int, at: int, layout: str, value: int) -> bytes:
    """An object file with another number ``at`` bytes into the header of its first section of a
    ``kind``; of a negative one, into the section's own last entry."""
    changed = bytearray(content)
    (first,), (count,) = (
        struct.unpack_from("<Q", content, 40),
        struct.unpack_from("<H", content, 60),
    )
    headers = [first + 64 * each for each in range(count)]
    header = next(h for h in headers if struct.unpack_from("<I", content, h + 4) == (kind,))
    offset, size = struct.unpack_from("<QQ", content, header + 24)
    struct.pack_into(layout, changed, header + at if at >= 0 else offset + size + at, value)
    return bytes(changed)


CODE, SYMBOLS, RELOCATIONS = 1, 2, 4


@pytest.mark.parametrize(
    ("kind", "at", "layout", "value", "says"),
    [
        (CODE, 32, "<Q", 1 << 63, "cut"),
        (CODE, 32, "<Q", 1 << 20, "cut"),
        (CODE, 24, "<Q", (1 << 64) - 8, "cut"),
        (CODE, 48, "<Q", 1 << 20, "alignment"),
        (SYMBOLS, -16, "<Q", 1 << 20, "outside"),
        (SYMBOLS, -24, "<I", 1 << 20, "cut"),
        (SYMBOLS, 40, "<I", 99, "cut"),
        (RELOCATIONS, -24, "<Q", 1 << 63, "cut"),
        (RELOCATIONS, -24, "<Q", 1 << 20, "cut"),
        (RELOCATIONS, -12, "<I", 99, "cut"),
        (RELOCATIONS, -16, "<I", 2, "kind 2"),
        (RELOCATIONS, 4, "<I", 9, "without"),
    ],
)
def test_what_would_reach_outside_is_left_to_llvm(
    kind: int, at: int, layout: str, value: int, says: str
) -> None:
    content = object_of("""
@table = internal constant [2 x i64] [i64 5, i64 7]
define i64 @pick(i64 %n) {
  %at = getelementptr i64, ptr @table, i64 %n
  %value = load volatile i64, ptr %at
  ret i64 %value
}
""")
    assert CodeInMemory(content, outside()).addresses(["pick"])
    with pytest.raises(NotCodeAlone, match=says):
        CodeInMemory(bent(content, kind, at, layout, value), outside())


def test_where_the_system_refuses_llvm_links(
    object_code: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: CodeInMemory) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(CodeInMemory, "_make_executable", refused)
    kept: list[str] = []
    keep = library.keep_for_good

    def watched(owner: object) -> None:
        kept.append(type(owner).__name__)
        keep(owner)

    monkeypatch.setattr(library, "keep_for_good", watched)
    here = MEASURING_KERNELS.address(HANDLER)
    with monkeypatch.context() as patched:
        patched.setattr(MEASURING_KERNELS, "_addresses", {})
        linked = MEASURING_KERNELS._link(object_code)
        assert kept == ["ExecutionEngine"]
        assert MEASURING_KERNELS.address(HANDLER) not in (0, here)
    assert measured(linked, "BF16") == measured(MEASURING_KERNELS.load(), "BF16")


def test_another_processor_has_other_kernels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = processor.processor()
    assert b"avx" in here and b"MHz" not in here  # what changes from moment to moment tells nothing
    cpuinfo = tmp_path / "cpuinfo"
    content = Path("/proc/cpuinfo").read_bytes()
    monkeypatch.setattr(processor, "_CPUINFO", cpuinfo)
    cpuinfo.write_bytes(content)
    assert processor.processor() == here
    cpuinfo.write_bytes(content.replace(b" sse2", b""))
    assert processor.processor() != here
    for unknown in (b"", b"processor: 0\nFeatures: fp asimd\n"):
        cpuinfo.write_bytes(unknown)
        assert llvm.get_host_cpu_name().encode() in processor.processor().splitlines()
