"""A disk that fails: every change of files below a folder is counted, and one of them refused."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_CHANGES_OF_PATHS = ("replace", "unlink", "mkdir", "touch")


class Disk:
    """Changes of files below ``folder`` from now on, through ``monkeypatch``.

    Before each change ``before`` is called with how many there were, and its name; what it raises,
    the change raises. What it changes itself is not counted.
    """

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, before: Callable[[int, str], None]
    ) -> None:
        self.changes = 0
        self._folder = str(folder)
        self._before = before
        self._inside_before = False
        for name in _CHANGES_OF_PATHS:
            monkeypatch.setattr(Path, name, self._counted(name, getattr(Path, name)))
        monkeypatch.setattr(os, "open", self._counted("open", os.open, self._changes_by_opening))
        monkeypatch.setattr(os, "fsync", self._counted("fsync", os.fsync, lambda *_: True))
        path_open = Path.open

        def open_path(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if not self._below(path) or not set(mode) & set("wax+"):
                return path_open(path, mode, *rest, **options)
            self._count("open")
            assert options == {"buffering": 0}, "what is written in pieces is counted in pieces"
            return _CountedFile(path, mode, self._count)

        monkeypatch.setattr(Path, "open", open_path)

    def _below(self, path: Any) -> bool:
        return isinstance(path, str | Path) and str(path).startswith(self._folder)

    def _count(self, name: str) -> None:
        if self._inside_before:
            return
        self.changes += 1
        self._inside_before = True
        try:
            self._before(self.changes - 1, name)
        finally:
            self._inside_before = False

    def _changes_by_opening(self, path: Any, flags: int, *_: Any) -> bool:
        return self._below(path) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    def _counted(
        self,
        name: str,
        function: Callable[..., Any],
        is_change: Callable[..., bool] | None = None,
    ) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if is_change(*arguments) if is_change else self._below(arguments[0]):
                self._count(name)
            return function(*arguments, **options)

        return call


class _CountedFile(io.FileIO):
    def __init__(self, path: Path, mode: str, count: Callable[[str], None]) -> None:
        super().__init__(path, mode)
        self._count = count

    def write(self, content: Any) -> int:
        self._count("write")
        return super().write(content)

    def truncate(self, size: int | None = None) -> int:
        self._count("truncate")
        return super().truncate(size)
