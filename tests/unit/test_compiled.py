"""The store of compiled kernels: kept, found again, distrusted, and done without."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from modeldiff.changes.kernels.object_code import MEASURING_KERNELS
from modeldiff.errors import Cancelled
from modeldiff.native.library import KernelLibrary, OnStep, _stored

compiled = MEASURING_KERNELS


@pytest.fixture
def object_code() -> bytes:
    """What the compiler makes, made once for all tests."""
    compiled.load()
    file = compiled.private_file()
    stored = file and _stored(file)
    assert stored
    return stored


@pytest.fixture
def compilations(
    object_code: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[int]]:
    """As in a new process with an empty cache; counts how often it compiles."""
    count: list[int] = []

    def compile_again(on_step: OnStep) -> bytes:
        count.append(1)
        return object_code

    monkeypatch.setattr(compiled, "_compile", compile_again)
    monkeypatch.setattr(compiled, "_loaded", None)
    monkeypatch.setenv("MODELDIFF_KERNELS", str(tmp_path / "kernels"))
    yield count
    monkeypatch.undo()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_loaded", None)


def test_a_second_process_does_not_compile(
    compilations: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not compiled.is_compiled()
    compiled.load()
    forget(monkeypatch)
    assert compiled.is_compiled()
    compiled.load()
    assert len(compilations) == 1


def test_compiling_tells_its_steps_and_can_be_ended_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDIFF_KERNELS", str(tmp_path))
    small = KernelLibrary(
        "two of them",
        compiled.sources,
        compiled.module,
        {name: compiled.signatures[name] for name in ("pick32", "flush32")},
    )
    steps: list[tuple[int, int]] = []

    def stop_at_the_second(done: int, count: int) -> None:
        steps.append((done, count))
        if done == 1:
            raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        small.load(stop_at_the_second)
    assert steps == [(0, 3), (1, 3)] and not small.is_compiled()
    steps.clear()
    assert set(small.load(lambda *step: steps.append(step))) == {"pick32", "flush32"}
    assert steps == [(0, 3), (1, 3), (2, 3)] and small.is_compiled()


def test_a_harmed_file_is_compiled_anew(
    compilations: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled.load()
    (file,) = (tmp_path / "kernels").iterdir()
    content = file.read_bytes()
    for harmed in (b"", content[:1000], content[:-1] + bytes([content[-1] ^ 1])):
        file.write_bytes(harmed)
        forget(monkeypatch)
        compiled.load()
        assert file.read_bytes() == content
    assert len(compilations) == 4


def test_a_folder_that_cannot_be_written_is_done_without(
    compilations: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setenv("MODELDIFF_KERNELS", str(blocked))
    with caplog.at_level(logging.INFO, "modeldiff"):
        compiled.load()
    assert f"The kernels are not kept, and each process compiles them: {blocked}" in caplog.text
    forget(monkeypatch)
    compiled.load()
    assert len(compilations) == 2


def test_code_that_others_could_have_planted_is_not_loaded(
    compilations: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file with the right name and checksum, in a folder of everybody's."""
    compiled.load()
    (file,) = (tmp_path / "kernels").iterdir()
    planted = b"not machine code"
    file.write_bytes(hashlib.sha256(planted).digest() + planted)
    for path, mode in ((file, 0o666), (file.parent, 0o777), (tmp_path, 0o777)):
        before = path.stat().st_mode
        path.chmod(mode)
        forget(monkeypatch)
        assert not compiled.is_compiled()
        compiled.load()  # would not return from code that is none
        path.chmod(before)
        if path is file:  # written anew, by us alone
            assert file.stat().st_mode & 0o777 == 0o600
            file.write_bytes(hashlib.sha256(planted).digest() + planted)
    assert len(compilations) == 4
    assert "can be written by others, too. Set MODELDIFF_KERNELS" in caplog.text


def test_where_the_kernels_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the folder that was named, else beside the results, else, where a group shares those, in
    the user's own cache; Numba's variable, which other programs set, has no say."""
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELDIFF_CACHE", str(shared))
    monkeypatch.setenv("MODELDIFF_KERNELS", str(tmp_path / "named"))

    def place() -> Path | None:
        file = compiled.private_file()
        return file.parent if file else None

    assert place() == tmp_path / "named"
    monkeypatch.delenv("MODELDIFF_KERNELS")
    assert place() == shared / "kernels"
    shared.chmod(0o775)
    assert place() == tmp_path / "home" / "modeldiff-kernels"
    (tmp_path / "home").chmod(0o775)
    assert place() is None
    (tmp_path / "home").chmod(0o755)
    monkeypatch.delenv("MODELDIFF_CACHE")
    assert place() == tmp_path / "home" / "modeldiff-kernels"
