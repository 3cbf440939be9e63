"""A file that grows, in a store where objects do not: each piece of it is an object of its own.

Pieces are numbered from 1, and the file is all of them up to the first number that is missing. A
piece is created only where there is none, so that of two writers who both think the file theirs one
learns that it is not.
"""

from __future__ import annotations

import re
from dataclasses import field

from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.shared.objects import SharedObjects

_MOST_BYTES = 1 << 31
LARGEST_PIECE = 1 << 24
"""Bytes."""


@dataclass
class Segments:
    """The pieces of a file called ``folder`` (``journals/…/``). ``content`` is what was read or
    written of it so far, the first ``count`` pieces. All methods raise ``SharedStoreError``."""

    objects: SharedObjects
    folder: str
    content: bytearray = field(default_factory=bytearray)
    count: int = 0

    def read_on(self) -> bytes:
        """What others added since."""
        names = {each.name for each in self.objects.below(self.folder)}
        start = len(self.content)
        while (name := self._name(self.count + 1)) in names and len(self.content) < _MOST_BYTES:
            try:
                answer = self.objects.get(name, LARGEST_PIECE)
            except ValueError:
                break
            if answer is None:
                break
            self.content += answer[0]
            self.count += 1
        return bytes(self.content[start:])

    def add(self, piece: bytes) -> bool:
        """Write the next piece; whether it is the next one still."""
        name = self._name(self.count + 1)
        if self.objects.create(name, piece) is None:
            try:
                there = self.objects.get(name, len(piece))
            except ValueError:
                return False
            if there is None or there[0] != piece:  # else an answer was lost
                return False
        self.content += piece
        self.count += 1
        return True

    def delete(self) -> None:
        """Delete all pieces, the last one first: what is left of them is a beginning still."""
        for each in reversed(self.objects.below(self.folder)):
            self.objects.delete(each.name)
        self.content.clear()
        self.count = 0

    def _name(self, number: int) -> str:
        return f"{self.folder}{number:08}"


def segment_folders(objects: SharedObjects, folder: str) -> tuple[str, ...]:
    """The files of pieces below ``folder``, as ``Segments`` takes them. Raises
    ``SharedStoreError``."""
    names = (each.name for each in objects.below(folder))
    matches = (re.fullmatch(r"(.*/)[0-9]{8}", name) for name in names)
    return tuple(dict.fromkeys(match[1] for match in matches if match))
