"""A drill-down into one pair of a comparison: what has to be read again is read once and kept."""

from __future__ import annotations

from typing import Any

from modeldiff.architectures import Place
from modeldiff.changes import Pair
from modeldiff.changes.change import ReportProgress
from modeldiff.comparison import Comparison
from modeldiff.errors import InvalidOption
from modeldiff.results.drilldown_request import DrillDown
from modeldiff.results.drilldowns.kind import Inputs
from modeldiff.results.drilldowns.registry import drill_down_kind
from modeldiff.results.store.drilldown_files import read_drill_down, write_drill_down
from modeldiff.results.store.result_files import load_result


def run_drill_down(
    comparison: Comparison,
    request: DrillDown,
    *,
    device: str = "auto",
    progress: ReportProgress | None = None,
) -> Any:
    """The result of a drill-down, of the type that its kind has: the stored one if there is, else
    measured now and kept.

    ``request`` is a place of the ``comparison``, and what of it. ``device`` is where singular
    values are computed; all else is reading. ``progress`` is called often and may raise
    ``Cancelled``.

    Raises ``InvalidOption`` where the comparison has no such pair or the pair no such drill-down,
    ``ResultError`` where the cache folder can't be written to, and the errors of reading.
    """
    kind = drill_down_kind(request.kind)
    stored = load_drill_down(comparison.key, request)
    if stored is not None:
        return stored
    comparison = _as_stored(comparison)
    pair = _pair_at(comparison, request.place)
    result = kind.measure(Inputs(pair, comparison, device, progress))
    save_drill_down(comparison.key, request, result)
    return result


def load_drill_down(key: str, request: DrillDown) -> Any:
    """The stored result of a drill-down into a pair of the diff with this key, or None.

    A file that is damaged, of another version or of another drill-down is left aside with a logged
    warning; the next measurement replaces it. Raises ``InvalidOption`` for an unknown kind.
    """
    return read_drill_down(key, request, drill_down_kind(request.kind).decode)


def save_drill_down(key: str, request: DrillDown, result: Any) -> None:
    """Keep the result of a drill-down into a pair of the diff with this key.

    Raises ``ResultError`` where that is not possible, ``InvalidOption`` for an unknown kind.
    """
    table, about = drill_down_kind(request.kind).encode(result, request.place)
    write_drill_down(key, request, table, about)


def _as_stored(comparison: Comparison) -> Comparison:
    """The comparison with layers that meet as in its stored result, if there is one."""
    if comparison.layers == "position" or comparison.alignment:
        return comparison
    stored = load_result(comparison.key)
    return comparison if stored is None else comparison.aligned_as(stored.changes)


def _pair_at(comparison: Comparison, place: Place) -> Pair:
    row = comparison.unmeasured.at(place)
    if row is not None:
        return row.pair
    where = "outside the layers" if place.layer is None else f"in layer {place.layer}"
    raise InvalidOption(
        f"The two checkpoints have no {place.column} {where}.",
        hint="Choose a place that the comparison's table has.",
    )
