"""Vocabularies of two sizes, in a sentence: which of their rows were compared."""

from __future__ import annotations

from collections.abc import Iterator

from modeldiff.changes import ChangeTable
from modeldiff.changes.change import SharedRows

_MOST_NAMED = 3


def shared_rows_facts(changes: ChangeTable) -> Iterator[str]:
    """How many rows of embeddings and heads were compared, and how many stand on one side alone;
    a sentence for those that have this in common."""
    alike: dict[SharedRows, list[str]] = {}
    for change in changes.ordered():
        if (shared := change.pair.shared) is not None:
            alike.setdefault(shared, []).append(change.pair.place.column)
    for shared, columns in alike.items():
        names = columns[:_MOST_NAMED]
        if len(columns) > len(names):
            names = [*names[:-1], f"{len(columns) - len(names) + 1:,} more"]
        which = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        by = "by the text of their tokens" if shared.by == "text" else "by number"
        yield (
            f"Of {which} the {shared.compared:,} rows that both have were "
            f"compared, {by}: {_beyond('base', shared.base - shared.compared)}, "
            f"{_beyond('target', shared.target - shared.compared)}."
        )


def _beyond(side: str, count: int) -> str:
    if not count:
        return f"{side} has no others"
    return f"{side} has {count:,} other{'' if count == 1 else 's'}"
