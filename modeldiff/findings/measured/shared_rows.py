"""Vocabularies of two sizes, in a sentence: which of their rows were compared."""

from __future__ import annotations

from collections.abc import Iterator

from modeldiff.changes import ChangeTable
from modeldiff.changes.change import SharedRows
from modeldiff.findings.words import columns_words


def shared_rows_facts(changes: ChangeTable) -> Iterator[str]:
    """How many rows of embeddings and heads were compared, and how many stand on one side alone;
    a sentence for those that have this in common."""
    alike: dict[SharedRows, list[str]] = {}
    resized = [change.pair for change in changes if change.pair.shared is not None]
    for pair in sorted(resized, key=lambda pair: changes.order.position(pair.place)):
        if (shared := pair.shared) is not None:
            alike.setdefault(shared, []).append(pair.place.column)
    for shared, columns in alike.items():
        by = "by the text of their tokens" if shared.by == "text" else "by number"
        yield (
            f"Of {columns_words(columns)}, the {shared.compared:,} rows that both have were "
            f"compared, {by}: {_beyond('base', shared.base - shared.compared)}, "
            f"{_beyond('target', shared.target - shared.compared)}."
        )


def _beyond(side: str, count: int) -> str:
    if not count:
        return f"{side} has no others"
    return f"{side} has {count:,} other{'' if count == 1 else 's'}"
