"""Weights that their model does not compute with alone: an adapter stands beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modeldiff.architectures.naming.plain_names import BESIDE_ADAPTER
from modeldiff.changes import Change
from modeldiff.findings.words import counted, places_words


def adapter_facts(changes: Iterable[Change]) -> Iterator[str]:
    """A sentence for each side of which matrices stand beside an adapter, and the other's do
    not."""
    rows = [change.pair for change in changes if BESIDE_ADAPTER in change.pair.reason]
    for side in ("base", "target"):
        places = [pair.place for pair in rows if f"{side}: {BESIDE_ADAPTER}" in pair.reason]
        if places:
            yield (
                f"Beside {counted(len(places), 'matrix', 'matrices')} of {side} "
                f"({places_words(places)}) stand an adapter's, which are not added to them: what "
                f"{side} computes with them together is not compared."
            )
