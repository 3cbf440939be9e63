"""The heatmap as a table: one row a cell, layers × columns, the tensors outside the layers, and the
margins.

A cell without a colour says why: its ``mark`` is one of ``MARKS``, in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modeldiff.changes import Change, Statistics, Status
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.drawings.heatmap.cells import GatheredCell
from modeldiff.drawings.style.metrics import Metric
from modeldiff.findings.status_words import NOT_MEASURED, STATUS_WORDS
from modeldiff.text.formatting import (
    MISSING,
    format_cosine,
    format_pct,
    format_shape,
)

if TYPE_CHECKING:
    import pandas as pd

NOT_FINITE = "not finite"
"""The mark of a cell with elements that are NaN or infinite, whatever number the others give."""


def _label(status: Status) -> str:
    return STATUS_WORDS[status].label


PARTIAL = "part of the rows"
"""The mark of two vocabularies, of which the rows were compared that both have."""

MARKS: tuple[str, ...] = (
    NOT_FINITE,
    NOT_MEASURED,
    _label("only_in_base"),
    _label("only_in_target"),
    _label("different_shape"),
    _label("unreadable"),
    _label("quantised"),
    "infinite",
    PARTIAL,
    "no value",
    _label("tied"),
    _label("buffer"),
)
_WHERE = (
    *("layer", "column", "expert", "rank", "region", "group", "kind", "part"),
    *("layer_label", "layer_lines"),
)
_NUMBERS = ("value", "resolution")
_TEXTS = (
    "status",
    "mark",
    "place",
    "shown",
    "reading",
    "median",
    "unchanged",
    "frobenius",
    "cosine",
    "floor",
    "base_name",
    "target_name",
    "base_shape",
    "target_shape",
    "note",
    "description",
)


def cells_frame(cells: Sequence[GatheredCell], metric: Metric) -> pd.DataFrame:
    """One row a cell, in data order: outside the layers first, then layer by layer, then margins.

    Columns: ``layer`` (Int64, NA outside the layers), ``column`` (``Place.column``, empty for a
    whole layer), ``expert`` (Int64, NA where experts are folded), ``rank`` (the column's number in
    data order), ``region`` (``above`` the layers, ``grid``, ``below``, or the margins: ``layer``
    and ``column``), ``group`` (the sublayer it belongs to), ``kind`` and ``part`` (what it may
    share a scale with), ``layer_label`` and ``layer_lines`` (what people call the layer);
    ``value`` (of the metric, NaN where it is none or infinite) and ``resolution``
    (``resolution_pct``); and as text ``status``, ``mark`` (empty where the colour
    says all), ``place``, ``shown`` (the cell's number), ``reading`` (the value with its unit, or
    the mark), ``median``, ``unchanged``, ``frobenius``, ``cosine``, ``floor``, ``base_name``,
    ``target_name``, ``base_shape``, ``target_shape``, ``note``, and ``description`` (one sentence
    for screen readers).
    """
    import pandas as pd

    rows = [_row(cell, metric) for cell in cells]
    frame = pd.DataFrame(rows, columns=[*_WHERE, *_NUMBERS, *_TEXTS])
    whole = dict.fromkeys(("layer", "expert"), "Int64")
    return frame.astype(whole | dict.fromkeys(_NUMBERS, "float64"))


def heatmap_alt(frame: pd.DataFrame, metric: Metric) -> str:
    """One sentence with the picture's facts, for who does not see it."""
    if frame.empty:
        return f"{metric.label}: there is nothing to compare."
    cells = frame[in_picture(frame)]
    inside = cells[cells["region"] == "grid"]
    layers = inside["layer"].nunique()
    columns = len(inside[["column", "expert"]].drop_duplicates())
    outside = len(cells) - len(inside)
    text = f"{metric.label} of {layers} layers × {columns} columns and {outside} tensors outside"
    change = cells["value"] if metric.rises else -cells["value"]
    if change.notna().any():
        most, least = cells.iloc[change.argmax()], cells.iloc[change.argmin()]
        text += (
            f": most changed {most['place']} ({most['reading']}),"
            f" least {least['place']} ({least['reading']})"
        )
    waiting = int((cells["mark"] == NOT_MEASURED).sum())
    if waiting:
        text += f"; {waiting} of {len(cells)} cells not measured yet"
    return f"{text}."


def in_picture(frame: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are cells that have a colour, and no margins."""
    return ~frame["region"].isin(["layer", "column"])


def _row(cell: GatheredCell, metric: Metric) -> dict[str, object]:
    statistics, rows = cell.statistics, cell.rows
    value = metric.value(statistics)
    finite = value is not None and math.isfinite(value)
    status, mark = _status_and_mark(rows, statistics, value)
    place = _place(cell)
    reading = metric.format(value) if value is not None else mark
    if mark == NOT_FINITE and value is not None:
        reading = f"{reading} of the finite elements"
    if mark == "infinite" and metric.key == "median_pct":
        reading = "∞: most base values are zero"
    note = _note(cell, status)
    unchanged = _text(statistics, "unchanged_pct")
    description = [f"{place}: {metric.label.lower()} {reading}", note]
    if statistics is not None and metric.key != "unchanged_pct":
        description.append(f"{unchanged} unchanged")
    return {
        **{name: getattr(cell, name) for name in _WHERE},
        "status": status,
        "mark": mark,
        "value": value if finite else None,
        "resolution": statistics.resolution_pct if statistics is not None else None,
        "place": place,
        # A number alone would speak for elements that have none.
        "shown": metric.number(value) if value is not None and mark != NOT_FINITE else "",
        "reading": reading,
        "median": _text(statistics, "median_pct"),
        "unchanged": unchanged,
        "frobenius": _text(statistics, "rel_frobenius_pct"),
        "cosine": format_cosine(statistics.cosine) if statistics is not None else MISSING,
        "floor": _text(statistics, "resolution_pct"),
        "base_name": _names([row.pair.base for row in rows]),
        "target_name": _names([row.pair.target for row in rows]),
        "base_shape": _shapes([(row.pair.base, row.pair.shapes[0]) for row in rows]),
        "target_shape": _shapes([(row.pair.target, row.pair.shapes[1]) for row in rows]),
        "note": note,
        "description": ", ".join(part for part in description if part),
    }


def _place(cell: GatheredCell) -> str:
    column = cell.column if cell.expert is None else f"{cell.column}, expert {cell.expert}"
    if cell.region == "layer":
        all_of_it = f" · {column}, all experts" if column else " as a whole"
        return f"layer {cell.layer_label}{all_of_it}"
    if cell.region == "column":
        return f"{column} over all layers"
    return column if cell.layer is None else f"layer {cell.layer_label} · {column}"


def _status_and_mark(
    rows: Sequence[Change], statistics: Statistics | None, value: float | None
) -> tuple[Status, str]:
    """A cell's status (of several experts, the one that says most), and its mark."""
    statuses = [row.pair.status for row in rows]
    status: Status = "compared" if "compared" in statuses else statuses[0]
    if statistics is not None and (statistics.nonfinite_base or statistics.nonfinite_target):
        return status, NOT_FINITE
    if value is not None:
        if math.isinf(value):
            return status, "infinite"
        if status == "tied":
            return status, _label("tied")
        partial = len(rows) == 1 and rows[0].pair.shared is not None
        return status, PARTIAL if partial else ""
    if statistics is not None:
        return status, "no value"
    if status == "tied" or any(row.waiting for row in rows):
        return status, NOT_MEASURED
    return status, _label(status)


def _text(statistics: Statistics | None, name: str) -> str:
    return format_pct(getattr(statistics, name)) if statistics is not None else MISSING


def _names(tensors: Sequence[TensorInfo | None]) -> str:
    names = [tensor.label for tensor in tensors if tensor is not None]
    if not names:
        return MISSING
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"


def _shapes(tensors: Sequence[tuple[TensorInfo | None, Sequence[int] | None]]) -> str:
    there = [(tensor, shape) for tensor, shape in tensors if tensor is not None]
    if not there:
        return MISSING
    text = f"{format_shape(there[0][1])}, {there[0][0].dtype}"
    return text if len(there) == 1 else f"{len(there):,} of {text}"


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
