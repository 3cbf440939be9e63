"""What was measured in the cell that is chosen, as HTML for the stage's panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from modeldiff.architectures import Architecture, explain
from modeldiff.changes import ChangeTable, Statistics
from modeldiff.findings.selection import ChosenCell, PlaceRows, rows_of_cell
from modeldiff.findings.status_words import EXACTLY_EQUAL, STATUS_WORDS
from modeldiff.ui.heatmap.cell_panel import where_words
from modeldiff.ui.place.statistic_notes import (
    DETAIL_NOTES,
    HEADLINE_NOTES,
    PERCENTILES,
    StatisticNote,
)

_PERCENTILES = tuple(
    StatisticNote(name, ordinal, "")
    for name, ordinal in PERCENTILES.items()
    if name != "median_pct"  # the headline
)


def cell_story(changes: ChangeTable, chosen: ChosenCell, architecture: Architecture | None) -> str:
    """The statistics of a cell, a whole layer or a component over all layers.

    Args:
        changes: the table that the cell is of.
        chosen: what is chosen; it may name nothing of the table.
        architecture: whose numbers the explanation of the component has; None where it isn't known.
    """
    place = rows_of_cell(changes, chosen)
    return "".join(_parts(place, chosen, where_words(chosen, changes), architecture))


def _parts(
    place: PlaceRows, chosen: ChosenCell, where: str, architecture: Architecture | None
) -> Iterator[str]:
    if not place.rows:
        yield f"<h2>{escape(where)}</h2>"
        yield f"<p>Neither checkpoint has a tensor {escape(chosen.column)}.</p>"
        return
    pair = place.rows[0].pair
    explanation = explain(pair.place.node, architecture) if chosen.column else None
    if explanation is None:
        yield f"<h2>{escape(where)}, all tensors</h2>"
    else:
        yield f"<h2>{escape(explanation.title)}</h2><p>{escape(f'{where} · {chosen.column}')}</p>"
    if place.statistics is None:
        reason = f" {pair.reason}" if pair.reason and chosen.column else ""
        sentence = STATUS_WORDS[pair.status].sentence if chosen.column else "Nothing is measured."
        yield f"<p><b>{escape(sentence)}</b>{escape(reason)}</p>"
        return
    if len(place.rows) > 1:
        yield f"<p>{len(place.rows):,} tensors taken together</p>"
    if place.is_equal:
        yield f"<p><b>{escape(EXACTLY_EQUAL)}</b></p>"
    else:
        yield _numbers(HEADLINE_NOTES, place.statistics)
    if explanation is not None and explanation.why:
        yield f"<p><b>What a change means.</b> {escape(explanation.why)}</p>"
    if not place.is_equal:
        yield '<p class="kind">Percentiles of the relative change</p>'
        yield _numbers(_PERCENTILES, place.statistics)
    yield '<p class="kind">Further statistics</p>'
    yield _numbers(DETAIL_NOTES, place.statistics)


def _numbers(notes: Sequence[StatisticNote], statistics: Statistics) -> str:
    rows = (
        f"<div><dt>{escape(note.label)}</dt><dd>{escape(note.text(statistics))}</dd></div>"
        for note in notes
    )
    return f"<dl>{''.join(rows)}</dl>"
