"""Heads or blocks of neurons, each measured as a tensor of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from modeldiff.architectures import Place
from modeldiff.changes import Change, Pair, UnitChanges, Units, measure_units, units_between
from modeldiff.checkpoints import TensorInfo
from modeldiff.comparison import Comparison
from modeldiff.errors import InvalidOption
from modeldiff.results.drilldowns.kind import About, DrillDownKind, Inputs

if TYPE_CHECKING:
    import pyarrow as pa

_NO_TENSOR = TensorInfo.stored("", "", (), "", 0, 0)


def _possible(pair: Pair, comparison: Comparison) -> bool:
    return _units(pair, comparison) is not None


def _units(pair: Pair, comparison: Comparison) -> Units | None:
    return units_between(pair, comparison.base.architecture, comparison.target.architecture)


def _measure(inputs: Inputs) -> UnitChanges:
    units = _units(inputs.pair, inputs.comparison)
    if units is None:
        raise InvalidOption(
            f"{inputs.pair.place.column} has no heads and no neurons to tell apart.",
            hint="Choose an attention or MLP matrix whose model's config says its heads.",
        )
    return measure_units(
        inputs.pair, units, *inputs.comparison.checkpoints, progress=inputs.progress
    )


def _encode(result: UnitChanges, place: Place) -> tuple[pa.Table, About]:
    from modeldiff.changes.table.arrow_columns import table_of

    # Statistics have their table already; all rows stand for slices of this one pair.
    pair = Pair(place, "compared", _NO_TENSOR, _NO_TENSOR)
    return table_of([Change(pair, each) for each in result.statistics]), asdict(result.units)


def _decode(table: pa.Table, about: About) -> UnitChanges:
    from modeldiff.changes.table.arrow_columns import changes_of

    kind, axis, edges, groups = (about[name] for name in ("kind", "axis", "edges", "groups"))
    statistics = tuple(c.statistics for c in changes_of(table) if c.statistics is not None)
    if len(statistics) != len(edges) - 1:
        raise ValueError("it has not as many rows as units")
    return UnitChanges(Units(kind, axis, tuple(edges), tuple(groups)), statistics)


UNITS = DrillDownKind("units", _possible, _measure, _encode, _decode)
