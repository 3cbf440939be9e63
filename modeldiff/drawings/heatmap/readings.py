"""What one metric says of the heatmap's cells: a number and words for each.

A cell whose colour does not say all has a ``mark``, one of ``MARKS``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from modeldiff.changes import Change, Statistics, Status
from modeldiff.drawings.heatmap.cells import GatheredCell
from modeldiff.drawings.heatmap.marks import (
    FEW_MOVED,
    INFINITE,
    NO_VALUE,
    NOT_FINITE,
    PARTIAL,
    SAME,
    SOME,
    label,
)
from modeldiff.drawings.style.metrics import Metric
from modeldiff.findings.status_words import NOT_MEASURED
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_pct


@dataclass(frozen=True, slots=True)
class Reading:
    """A cell as one metric reads it.

    ``value`` is the metric's, None where there is none or it is infinite; ``resolution`` the
    floor of its stored type and ``moved`` the share of its elements that moved, both in percent.
    ``place`` is where it stands in words, ``shown`` the number alone, ``text`` the number with its
    unit, or what is to be said instead; ``note`` what a reader should know besides, and
    ``description`` all of it in a sentence, for a reader or a screen reader.
    """

    cell: GatheredCell
    value: float | None
    resolution: float | None
    moved: float | None
    mark: str
    place: str
    shown: str
    text: str
    note: str
    description: str


def read_cells(cells: Sequence[GatheredCell], metric: Metric) -> tuple[Reading, ...]:
    """The reading of each cell, in the cells' order."""
    return tuple([_read(cell, metric) for cell in cells])


def in_picture(reading: Reading) -> bool:
    """Whether it is a cell that has a colour, and no margin."""
    return reading.cell.region not in ("layer", "column")


def heatmap_alt(readings: Sequence[Reading], metric: Metric) -> str:
    """One sentence with the picture's facts, for who does not see it."""
    if not readings:
        return f"{metric.label}: there is nothing to compare."
    cells = [reading for reading in readings if in_picture(reading)]
    inside = [one.cell for one in cells if one.cell.region == "grid"]
    layers = len({cell.layer for cell in inside})
    columns = len({(cell.column, cell.expert) for cell in inside})
    outside = len(cells) - len(inside)
    text = f"{metric.label} of {layers} layers × {columns} columns and {outside} tensors outside"
    known = [
        (one.value if metric.rises else -one.value, one) for one in cells if one.value is not None
    ]
    if known:
        most = max(known, key=lambda item: item[0])[1]
        least = min(known, key=lambda item: item[0])[1]
        text += f": most changed {most.place} ({most.text}), least {least.place} ({least.text})"
    waiting = sum(one.mark == NOT_MEASURED for one in cells)
    if waiting:
        text += f"; {waiting} of {len(cells)} cells not measured yet"
    return f"{text}."


def _read(cell: GatheredCell, metric: Metric) -> Reading:
    statistics = cell.statistics
    value = metric.value(statistics)
    status, mark = _status_and_mark(cell, statistics, value, metric)
    place, text, note = _place(cell), _text(value, mark, metric), _note(cell, status)
    described = [f"{place}: {metric.label.lower()} {text}", note]
    if statistics is not None and metric.key != "unchanged_pct" and mark != SAME:
        described.append(f"{format_pct(statistics.unchanged_pct)} unchanged")
    moved = None
    if statistics is not None and statistics.unchanged_pct is not None:
        moved = 100.0 - statistics.unchanged_pct
    return Reading(
        cell,
        value if value is not None and math.isfinite(value) else None,
        statistics.resolution_pct if statistics is not None else None,
        moved,
        mark,
        place,
        # A number alone would speak for elements that have none.
        metric.number(value) if value is not None and mark != NOT_FINITE else "",
        text,
        note,
        ", ".join(filter(None, described)),
    )


def _text(value: float | None, mark: str, metric: Metric) -> str:
    if value is None:
        return mark
    text = metric.format(value)
    if mark == NOT_FINITE:
        return f"{text} of the finite elements"
    if mark == INFINITE and metric.key == "median_pct":
        return "∞: most base values are zero"
    if mark == SAME:
        return f"{text}, all elements exactly equal"
    return text


def _place(cell: GatheredCell) -> str:
    column = cell.column if cell.expert is None else f"{cell.column}, expert {cell.expert}"
    if cell.region == "layer":
        all_of_it = f" · {column}, all experts" if column else " as a whole"
        return f"layer {cell.layer_label}{all_of_it}"
    if cell.region == "column":
        return f"{column} over all layers"
    return column if cell.layer is None else f"layer {cell.layer_label} · {column}"


def _status_and_mark(
    cell: GatheredCell, statistics: Statistics | None, value: float | None, metric: Metric
) -> tuple[Status, str]:
    """A cell's status (of several experts, the one that says most), and its mark."""
    rows = cell.rows
    statuses = {row.pair.status for row in rows}
    status: Status = "compared" if "compared" in statuses else rows[0].pair.status
    if statistics is None:
        if status == "tied" or any(row.waiting for row in rows):
            return status, NOT_MEASURED
        return status, label(status)
    if statistics.nonfinite_base or statistics.nonfinite_target:
        return status, NOT_FINITE
    if value is None:
        return status, NO_VALUE
    if math.isinf(value):
        return status, INFINITE
    if status == "tied":
        return status, label("tied")
    if cell.region not in ("layer", "column") and _in_part(rows, statuses):
        return status, PARTIAL if len(rows) == 1 else SOME
    if statistics.unchanged_pct == 100.0:
        return status, SAME
    return status, FEW_MOVED if metric.has_floor and value == 0 else ""


def _in_part(rows: Sequence[Change], statuses: set[Status]) -> bool:
    """Whether some of the elements at a place were compared, and not all."""
    if len(rows) == 1:
        return rows[0].pair.shared is not None
    return "compared" in statuses and bool(statuses - {"compared", "tied"})


def _note(cell: GatheredCell, status: Status) -> str:
    """What a reader should know besides the number."""
    rows, parts = cell.rows, []
    if len(rows) > 1:
        what = "tensors" if cell.region in ("layer", "column") else "experts"
        done = sum(row.statistics is not None for row in rows)
        parts.append(
            f"{done:,} {what} merged"
            if done == len(rows)
            else f"{done:,} of {len(rows):,} {what} measured"
        )
    for name in ("base", "target"):
        count = getattr(cell.statistics, f"nonfinite_{name}", None)
        if count:
            parts.append(f"{count:,} elements of {name} are NaN or infinite")
    if status == "tied":
        parts.append("stored once, used twice")
    parts += list(dict.fromkeys(row.pair.reason for row in rows if row.pair.reason))[:2]
    return "; ".join(parts)
