"""The heatmap as a table: one row a cell, layers × columns, and the tensors outside the layers.

A cell is a place's column in a layer; several experts are one cell, their statistics merged. A cell
without a colour says why: its ``mark`` is one of ``MARKS``, in words.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.place import Place
from modeldiff.changes.change import Change, Pair, Statistics, Status
from modeldiff.checkpoints.checkpoint import TensorInfo
from modeldiff.drawings.metrics import Metric
from modeldiff.wording import (
    MISSING,
    format_pct,
    format_shape,
    format_small,
)

if TYPE_CHECKING:
    import pandas as pd

MARKS: tuple[str, ...] = (
    "not measured yet",
    "only in base",
    "only in target",
    "other shape",
    "unreadable",
    "infinite",
    "no value",
    "tied",
    "buffer",
)
_MARK_OF_STATUS = {
    "only_in_base": "only in base",
    "only_in_target": "only in target",
    "different_shape": "other shape",
    "unreadable": "unreadable",
    "buffer": "buffer",
}
_WHERE = ("layer", "column", "rank", "region", "group")
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
_CellKey = tuple[int | None, str]
_PairKey = tuple[str, str, bool]
_Found = tuple[Pair, Change | None]


def heatmap_frame(
    changes: Iterable[Change], base: Architecture, target: Architecture, metric: Metric
) -> pd.DataFrame:
    """One row a cell, in data order: outside the layers first, then layer by layer.

    ``changes`` may be any part of the comparison: what is not in it yet is marked so. Columns:
    ``layer`` (Int64, NA outside the layers), ``column`` (``Place.column``), ``rank`` (the column's
    number in data order), ``region`` (``above`` the layers, ``grid`` or ``below``), ``group`` (the
    sublayer it belongs to); ``value`` (of the metric, NaN where it is none or infinite) and
    ``resolution`` (``resolution_pct``); and as text ``status``, ``mark`` (empty where the colour
    says all), ``place``, ``shown`` (the cell's number), ``reading`` (the value with its unit, or
    the mark), ``median``, ``unchanged``, ``frobenius``, ``cosine``, ``floor``, ``base_name``,
    ``target_name``, ``base_shape``, ``target_shape``, ``note``, and ``description`` (one sentence
    for screen readers).
    """
    import pandas as pd

    from modeldiff.architectures import merge_columns
    from modeldiff.changes.pairing import pair

    measured = {_key(change.pair): change for change in changes}
    stored = {
        change.pair.base.name: change.statistics
        for change in measured.values()
        if change.statistics is not None and change.pair.base is not None
    }
    cells: dict[_CellKey, list[_Found]] = defaultdict(list)
    for one in pair(base, target):
        cells[one.place.layer, one.place.column].append((one, measured.get(_key(one))))
    columns = merge_columns(base.columns, target.columns)
    outside = merge_columns(base.outside, target.outside)
    groups = _groups(columns, target) | _groups(columns, base)
    below = {step.id for side in (base, target) for step in side.tail}
    rank = {column: number for number, column in enumerate((*outside, *columns))}
    layers = sorted({layer for layer, _ in cells if layer is not None})
    keys: list[_CellKey] = [(None, column) for column in outside]
    keys += [(layer, column) for layer in layers for column in columns]
    rows: list[dict[str, object]] = []
    for layer, column in keys:
        found = cells.get((layer, column))
        if found is None:
            continue
        region = "below" if _step(found[0][0].place) in below else "above"
        where = {
            "layer": layer,
            "column": column,
            "rank": rank[column],
            "region": region if layer is None else "grid",
            "group": "" if layer is None else groups.get(column, ""),
        }
        rows.append(where | _cell(layer, column, found, stored, metric))
    frame = pd.DataFrame(rows, columns=[*_WHERE, *_NUMBERS, *_TEXTS])
    return frame.astype({"layer": "Int64"} | dict.fromkeys(_NUMBERS, "float64"))


def heatmap_alt(frame: pd.DataFrame, metric: Metric) -> str:
    """One sentence with the picture's facts, for who does not see it."""
    if frame.empty:
        return f"{metric.label}: there is nothing to compare."
    layers = frame["layer"].dropna().nunique()
    columns = frame.loc[frame["region"] == "grid", "column"].nunique()
    outside = int((frame["region"] != "grid").sum())
    text = f"{metric.label} of {layers} layers × {columns} columns and {outside} tensors outside"
    change = frame["value"] if metric.rises else -frame["value"]
    if change.notna().any():
        most, least = frame.iloc[change.argmax()], frame.iloc[change.argmin()]
        text += (
            f": most changed {most['place']} ({most['reading']}),"
            f" least {least['place']} ({least['reading']})"
        )
    waiting = int((frame["mark"] == "not measured yet").sum())
    if waiting:
        text += f"; {waiting} of {len(frame)} cells not measured yet"
    return f"{text}."


def _cell(
    layer: int | None,
    column: str,
    found: Sequence[_Found],
    stored: Mapping[str, Statistics],
    metric: Metric,
) -> dict[str, object]:
    first = found[0][0]
    known = [change.statistics for _, change in found if change is not None]
    statistics = _merged([each for each in known if each is not None])
    if first.status == "tied" and first.base is not None:
        # Measured once, where it is stored; shown at both places.
        statistics = stored.get(first.base.name)
    value = metric.value(statistics)
    finite = value is not None and math.isfinite(value)
    status, mark = _status_and_mark(found, statistics, value)
    place = column if layer is None else f"layer {layer} · {column}"
    reading = metric.format(value) if value is not None else mark
    if mark == "infinite" and metric.key == "median_pct":
        reading = "∞: most base values are zero"
    note = _note(found, status)
    unchanged = _text(statistics, "unchanged_pct")
    description = [f"{place}: {metric.label.lower()} {reading}", note]
    if statistics is not None and metric.key != "unchanged_pct":
        description.append(f"{unchanged} unchanged")
    return {
        "status": status,
        "mark": mark,
        "value": value if finite else None,
        "resolution": statistics.resolution_pct if statistics is not None else None,
        "place": place,
        "shown": metric.number(value) if value is not None else "",
        "reading": reading,
        "median": _text(statistics, "median_pct"),
        "unchanged": unchanged,
        "frobenius": _text(statistics, "rel_frobenius_pct"),
        "cosine": format_small(statistics.cosine) if statistics is not None else MISSING,
        "floor": _text(statistics, "resolution_pct"),
        "base_name": _names([one.base for one, _ in found]),
        "target_name": _names([one.target for one, _ in found]),
        "base_shape": _shapes([one.base for one, _ in found]),
        "target_shape": _shapes([one.target for one, _ in found]),
        "note": note,
        "description": ", ".join(part for part in description if part),
    }


def _status_and_mark(
    found: Sequence[_Found], statistics: Statistics | None, value: float | None
) -> tuple[Status, str]:
    """A cell's status (of several experts, the one that says most), and its mark."""
    # Measuring can show that a pair cannot be read, which pairing did not know.
    statuses = [one.status if change is None else change.pair.status for one, change in found]
    status: Status = "compared" if "compared" in statuses else statuses[0]
    if value is not None:
        return status, "infinite" if math.isinf(value) else "tied" if status == "tied" else ""
    if statistics is not None:
        return status, "no value"
    waiting = any(one.status == "compared" and change is None for one, change in found)
    if waiting or status == "tied":
        return status, "not measured yet"
    return status, _MARK_OF_STATUS.get(status, "no value")


def _key(pair: Pair) -> _PairKey:
    """What tells a pair from all others: its names, which a tied one has in common with another."""
    return (
        pair.base.label if pair.base is not None else "",
        pair.target.label if pair.target is not None else "",
        pair.status == "tied",
    )


def _merged(found: Sequence[Statistics]) -> Statistics | None:
    if len(found) < 2:
        return found[0] if found else None
    from modeldiff.changes import merge_statistics

    return merge_statistics(found)


def _text(statistics: Statistics | None, name: str) -> str:
    return format_pct(getattr(statistics, name)) if statistics is not None else MISSING


def _names(tensors: Sequence[TensorInfo | None]) -> str:
    names = [tensor.label for tensor in tensors if tensor is not None]
    if not names:
        return MISSING
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"


def _shapes(tensors: Sequence[TensorInfo | None]) -> str:
    there = [tensor for tensor in tensors if tensor is not None]
    if not there:
        return MISSING
    text = f"{format_shape(there[0].shape)}, {there[0].dtype}"
    return text if len(there) == 1 else f"{len(there):,} of {text}"


def _note(found: Sequence[_Found], status: Status) -> str:
    """What a reader should know besides the number."""
    parts = []
    if len(found) > 1:
        done = sum(change is not None and change.statistics is not None for _, change in found)
        parts.append(
            f"{done:,} experts merged"
            if done == len(found)
            else f"{done:,} of {len(found):,} experts measured"
        )
    if status == "tied":
        parts.append("stored once, used twice")
    reasons = (one.reason if change is None else change.pair.reason for one, change in found)
    parts += list(dict.fromkeys(reason for reason in reasons if reason))[:2]
    return "; ".join(parts)


def _groups(columns: Sequence[str], architecture: Architecture) -> dict[str, str]:
    """The sublayer of each column, by name; what no sublayer holds goes by its own first part."""
    step_of = {p.place.column: _step(p.place) for p in architecture.parameters}
    sublayer_of = {
        step.id: sublayer.name
        for kind in reversed(architecture.layer_kinds)
        for sublayer in kind.sublayers
        for row in sublayer.rows
        for step in row
    }
    groups = {}
    for column in columns:
        step = step_of.get(column)
        if step is not None:
            groups[column] = sublayer_of.get(step) or step.partition(".")[0]
    return groups


def _step(place: Place) -> str:
    """The id of the step that holds a place: the component, with its tower."""
    return f"{place.tower}.{place.component}" if place.tower else place.component
