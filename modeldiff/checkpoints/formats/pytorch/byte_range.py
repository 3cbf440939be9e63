"""A stretch of a source's file, read a few kilobytes at a time."""

from __future__ import annotations

from dataclasses import field

from modeldiff.checkpoints.source import FileStat, Source
from modeldiff.errors import CheckpointChanged, DamagedCheckpoint
from modeldiff.processes.late_dataclass import dataclass

_EDGE = 8 << 10
"""Bytes at both ends that are read at once: what describes an archive lies there, and a distributed
checkpoint is tens of thousands of small ones."""


@dataclass(frozen=True)
class ByteRange:
    """``size`` bytes of ``file`` from byte ``begin`` on: a whole archive, or one inside of a file.

    ``stat`` is the file's state when the range was made.
    """

    source: Source
    file: str
    begin: int
    size: int
    stat: FileStat
    _edges: dict[int, bytes] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def whole(cls, source: Source, file: str) -> ByteRange:
        """All of a file. Raises as ``Source.read`` does."""
        _, stat = source.read(file, 0, 0)
        return cls(source, file, 0, stat.size, stat)

    @property
    def where(self) -> str:
        """How messages name the file."""
        return self.source.where(self.file)

    def read(self, start: int, count: int) -> bytes:
        """Exactly ``count`` bytes from byte ``start`` of the range on.

        Raises ``DamagedCheckpoint`` where the range ends before, ``CheckpointChanged`` where the
        file is no longer what it was, and what ``Source.read`` raises.
        """
        if start < 0 or count < 0 or start + count > self.size:
            raise DamagedCheckpoint(
                f"{self.where} ends too early.", hint="Download or copy the file again."
            )
        for edge, end in ((0, _EDGE), (max(self.size - _EDGE, 0), self.size)):
            if edge <= start and start + count <= end:
                if edge not in self._edges:
                    self._edges[edge] = self._read(edge, min(end, self.size) - edge)
                return self._edges[edge][start - edge : start - edge + count]
        return self._read(start, count)

    def _read(self, start: int, count: int) -> bytes:
        data, stat = self.source.read(self.file, self.begin + start, count)
        if stat != self.stat or len(data) < count:
            raise CheckpointChanged(
                f"{self.where} was changed while it was opened.",
                hint="Wait until nothing writes to it any more, then open it again.",
            )
        return data
