"""The store of compiled kernels: kept, found again, distrusted, and done without."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from modeldiff.changes.kernels import object_code as compiled
from modeldiff.results.store.folder import results_folder


@pytest.fixture
def object_code() -> bytes:
    """What the compiler makes, made once for all tests."""
    compiled.kernels()
    stored = compiled._stored(compiled._cache_file())
    assert stored is not None
    return stored


@pytest.fixture
def compilations(
    object_code: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[int]]:
    """As in a new process with an empty cache; counts how often it compiles."""
    count: list[int] = []

    def compile_again() -> bytes:
        count.append(1)
        return object_code

    monkeypatch.setattr(compiled, "_compile", compile_again)
    monkeypatch.setattr(compiled, "_loaded", None)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    yield count
    monkeypatch.undo()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_loaded", None)


def test_a_second_process_does_not_compile(
    compilations: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not compiled.are_compiled()
    compiled.kernels()
    forget(monkeypatch)
    assert compiled.are_compiled()
    compiled.kernels()
    assert len(compilations) == 1


def test_a_harmed_file_is_compiled_anew(
    compilations: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled.kernels()
    (file,) = (tmp_path / "cache" / "kernels").iterdir()
    content = file.read_bytes()
    for harmed in (b"", content[:1000], content[:-1] + bytes([content[-1] ^ 1])):
        file.write_bytes(harmed)
        forget(monkeypatch)
        compiled.kernels()
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
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    with caplog.at_level(logging.INFO, "modeldiff"):
        compiled.kernels()
    assert "not kept" in caplog.text
    forget(monkeypatch)
    compiled.kernels()
    assert len(compilations) == 2


def test_where_the_kernels_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba's variable first, then beside the results, wherever that is."""
    monkeypatch.setenv("MODELDIFF_CACHE", "/somewhere")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/elsewhere")
    assert compiled._cache_file().parent == Path("/elsewhere/kernels")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    for root in ("/somewhere", "~/somewhere", ""):
        monkeypatch.setenv("MODELDIFF_CACHE", root)
        assert compiled._cache_file().parent == results_folder().with_name("kernels")
