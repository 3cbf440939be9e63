"""Brings all sides' files here, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.errors import Cancelled


class Fetching:
    """How far the fetching of base and targets is: ``done`` of ``total`` bytes, and the ``file`` in
    flight. ``total`` is 0 until ``bring`` has looked, and for files that are all here."""

    def __init__(self, *sides: OpenFiles) -> None:
        self.done = self.total = 0
        self.file = ""
        all_sides = [[(side, file) for file in side.names] for side in sides]
        self._wanted = [entry for each in zip_longest(*all_sides) for entry in each if entry]

    @property
    def going_on(self) -> bool:
        """Whether there is something left to fetch."""
        return self.done < self.total

    def bring(self, stopping: Callable[[], bool], arrived: Callable[[], None]) -> None:
        """Fetch all files, and call ``arrived`` after each. Raises ``Cancelled`` when ``stopping``
        says so, and what fetching raises."""
        missing = [side.bytes_to_download(file) for side, file in self._wanted]
        self.total = sum(missing)
        before = 0

        def follow(here: int, _: int) -> None:
            if stopping():
                raise Cancelled("The comparison was stopped while its files were fetched.")
            self.done = before + here

        for (side, file), size in zip(self._wanted, missing, strict=True):
            if size:
                self.file = file
            side.fetch(file, follow if size else None)
            before += size
            self.done = before
            arrived()
