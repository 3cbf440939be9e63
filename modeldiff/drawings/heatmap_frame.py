"""The heatmap as a table: one row a cell, layers × columns, and the tensors outside the layers.

A cell is a place's column in a layer; several experts are one cell, their statistics merged. A cell
without a colour says why: its ``mark`` is one of ``MARKS``, in words.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.place import Place
from modeldiff.changes.change import Change, Pair, Statistics
from modeldiff.checkpoints.checkpoint import TensorInfo
from modeldiff.drawings.metrics import Metric
from modeldiff.drawings.wording import (
    MISSING,
    format_count,
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
    "elements",
    "base_name",
    "target_name",
    "base_shape",
    "target_shape",
    "note",
    "description",
)
_CellKey = tuple[int | None, str]
_PairKey = tuple[Place, str, str]


def heatmap_frame(
    changes: Iterable[Change], base: Architecture, target: Architecture, metric: Metric
) -> pd.DataFrame:
    """One row a cell, in data order: outside the layers first, then layer by layer.

    ``changes`` may be any part of the comparison: what is not in it yet is marked so. Columns:
    ``layer`` (Int64, NA outside the layers), ``column`` (``Place.column``), ``rank`` (the column's
    number in data order), ``region`` (``above``
    the layers, ``grid`` or ``below``), ``group`` (the sublayer it belongs to), ``status``, ``mark``
    (empty where the colour says all), ``value`` (of the metric, NaN where there is none, finite),
    ``resolution`` (``resolution_pct``), and as text ``place``, ``shown`` (the cell's number),
    ``reading`` (the value with its unit, or the mark), ``median``, ``unchanged``, ``frobenius``,
    ``cosine``, ``floor``, ``elements``, ``base_name``, ``target_name``, ``base_shape``,
    ``target_shape``, ``note`` and ``description`` (one sentence for screen readers).
    """
    import pandas as pd

    from modeldiff.architectures import merge_columns
    from modeldiff.changes.pairing import pair

    measured = {_pair_key(change.pair): change for change in changes}
    cells: dict[_CellKey, list[Pair]] = defaultdict(list)
    by_name: dict[str, Change] = {}
    for one in pair(base, target):
        cells[one.place.layer, one.place.column].append(one)
    for change in measured.values():
        if change.statistics is not None and change.pair.base is not None:
            by_name[change.pair.base.name] = change
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
        pairs = cells.get((layer, column))
        if pairs is None:
            continue
        region = "below" if _step(pairs[0].place) in below else "above"
        where = {
            "layer": layer,
            "column": column,
            "rank": rank[column],
            "region": region if layer is None else "grid",
            "group": "" if layer is None else groups.get(column, ""),
        }
        rows.append(where | _cell(layer, column, pairs, measured, by_name, metric))
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
    pairs: Sequence[Pair],
    measured: dict[_PairKey, Change],
    by_name: dict[str, Change],
    metric: Metric,
) -> dict[str, object]:
    found = [_statistics(one, measured, by_name) for one in pairs]
    statistics = _merged([each for each in found if each is not None])
    here = [measured.get(_pair_key(one)) for one in pairs]
    first = pairs[0]
    # Measuring can show that a pair cannot be read, which pairing did not know.
    status = next((change.pair.status for change in here if change is not None), first.status)
    if any(one.status == "compared" for one in pairs) and statistics is not None:
        status = "compared"
    pending = any(
        one.status == "compared" and change is None for one, change in zip(pairs, here, strict=True)
    ) or (first.status == "tied" and statistics is None)
    value = metric.value(statistics)
    infinite = value is not None and math.isinf(value)
    if infinite:
        mark = "infinite"
    elif statistics is not None:
        mark = "tied" if first.status == "tied" else "" if value is not None else "no value"
    elif pending:
        mark = "not measured yet"
    else:
        mark = _MARK_OF_STATUS.get(status, "no value")
    place = column if layer is None else f"layer {layer} · {column}"
    reading = metric.format(value) if statistics is not None else mark
    if infinite:
        reading = "∞: most base values are zero" if metric.key == "median_pct" else "∞"
    note = _note(pairs, [change for change in here if change is not None], status)
    return {
        "status": status,
        "mark": mark,
        "value": value if value is not None and not infinite else math.nan,
        "resolution": statistics.resolution_pct if statistics is not None else None,
        "place": place,
        "shown": metric.number(value) if statistics is not None else "",
        "reading": reading,
        "median": _text(statistics, "median_pct"),
        "unchanged": _text(statistics, "unchanged_pct"),
        "frobenius": _text(statistics, "rel_frobenius_pct"),
        "cosine": format_small(statistics.cosine) if statistics is not None else MISSING,
        "floor": _text(statistics, "resolution_pct"),
        "elements": format_count(sum((one.base or one.target or _NONE).elements for one in pairs)),
        "base_name": _names([one.base for one in pairs]),
        "target_name": _names([one.target for one in pairs]),
        "base_shape": _shapes([one.base for one in pairs]),
        "target_shape": _shapes([one.target for one in pairs]),
        "note": note,
        "description": f"{place}: {metric.label.lower()} {reading}"
        + (f", {note}" if note else "")
        + (
            f", {_text(statistics, 'unchanged_pct')} unchanged"
            if statistics is not None and metric.key != "unchanged_pct"
            else ""
        ),
    }


_NONE = TensorInfo("", "", (0,), "", 0, 0)


def _pair_key(pair: Pair) -> _PairKey:
    return (
        pair.place,
        pair.base.name if pair.base is not None else "",
        pair.target.name if pair.target is not None else "",
    )


def _statistics(
    pair: Pair, measured: dict[_PairKey, Change], by_name: dict[str, Change]
) -> Statistics | None:
    """What was measured of a pair; of a tied one, what was measured where it is stored."""
    if pair.status == "tied" and pair.base is not None:
        twin = by_name.get(pair.base.name)
        return twin.statistics if twin is not None else None
    change = measured.get(_pair_key(pair))
    return change.statistics if change is not None else None


def _merged(found: Sequence[Statistics]) -> Statistics | None:
    if len(found) < 2:
        return found[0] if found else None
    from modeldiff.changes import merge_statistics

    return merge_statistics(found)


def _text(statistics: Statistics | None, name: str) -> str:
    return format_pct(getattr(statistics, name)) if statistics is not None else MISSING


def _names(tensors: Sequence[TensorInfo | None]) -> str:
    names = [tensor.name for tensor in tensors if tensor is not None]
    if not names:
        return MISSING
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"


def _shapes(tensors: Sequence[TensorInfo | None]) -> str:
    there = [tensor for tensor in tensors if tensor is not None]
    if not there:
        return MISSING
    text = f"{format_shape(there[0].shape)}, {there[0].dtype}"
    return text if len(there) == 1 else f"{len(there):,} of {text}"


def _note(pairs: Sequence[Pair], here: Sequence[Change], status: str) -> str:
    """What a reader should know besides the number."""
    parts = []
    if len(pairs) > 1:
        done = sum(change.statistics is not None for change in here)
        parts.append(
            f"{len(pairs):,} experts merged"
            if done == len(pairs)
            else f"{done:,} of {len(pairs):,} experts measured"
        )
    if status == "tied":
        parts.append("stored once, used twice")
    reasons = [change.pair.reason for change in here if change.pair.reason]
    parts += list(dict.fromkeys(reasons or [one.reason for one in pairs if one.reason]))[:2]
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
