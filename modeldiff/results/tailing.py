"""The rows of a diff that another process measures, as its journal grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modeldiff.changes import Change, Pair, Progress
from modeldiff.results.store.journal import JournalTail


class TailedRows:
    """The rows of ``pairs`` that another process measures, by the ``tail`` of its journal. Those
    whose layers that process lets meet otherwise are not among them before it has a result."""

    def __init__(self, pairs: Sequence[Pair], tail: JournalTail) -> None:
        self._pairs = {each.id: each for each in pairs if each.status == "compared"}
        self._tail = tail
        self.progress = Progress("measuring", 0, _nbytes(pairs), 0, len(self._pairs))

    def new(self) -> list[Change]:
        """The rows that were finished since the last call; ``progress`` counts them from then."""
        entries = self._tail.read()
        rows = [entries[each].change(self._pairs[each]) for each in entries if each in self._pairs]
        self.progress = replace(
            self.progress,
            bytes_done=self.progress.bytes_done + _nbytes([row.pair for row in rows]),
            tensors_done=self.progress.tensors_done + len(rows),
        )
        return rows


def _nbytes(pairs: Sequence[Pair]) -> int:
    return sum(each.nbytes for each in pairs)
