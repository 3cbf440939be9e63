"""The kinds of drill-downs that there are, by name and in the order in which they are offered."""

from __future__ import annotations

from typing import Any

from modeldiff.changes import Pair
from modeldiff.checkpoints import STORED_TYPES, TensorInfo
from modeldiff.comparison import Comparison
from modeldiff.errors import InvalidOption
from modeldiff.results.drilldowns.image import IMAGE
from modeldiff.results.drilldowns.kind import DrillDownKind
from modeldiff.results.drilldowns.rows import ROWS
from modeldiff.results.drilldowns.spectrum import SPECTRUM, WEIGHTS
from modeldiff.results.drilldowns.units import UNITS

_kinds: dict[str, DrillDownKind[Any]] = {
    kind.name: kind for kind in (UNITS, ROWS, IMAGE, SPECTRUM, WEIGHTS)
}


def register(kind: DrillDownKind[Any]) -> None:
    """Offer ``kind`` after those that are there. Raises ``ValueError`` where its name is taken."""
    if kind.name in _kinds:
        raise ValueError(f"there is a drill-down {kind.name!r} already")
    _kinds[kind.name] = kind


def unregister(name: str) -> None:
    """Take back the kind with this name. Raises ``KeyError`` where there is none."""
    del _kinds[name]


def drill_down_kind(name: str) -> DrillDownKind[Any]:
    """The kind with this name. Raises ``InvalidOption`` where there is none."""
    kind = _kinds.get(name)
    if kind is None:
        raise InvalidOption(
            f"There is no drill-down {name!r}.", hint=f"Choose one of {', '.join(_kinds)}."
        )
    return kind


def possible_drill_downs(pair: Pair, comparison: Comparison) -> tuple[DrillDownKind[Any], ...]:
    """The drill-downs that there are for a pair of the comparison, as far as headers tell; none
    where it isn't measured, or has no elements that are floats."""
    sides = pair.base, pair.target
    if pair.status != "compared" or not all(map(_has_floats, sides)):
        return ()
    return tuple(kind for kind in _kinds.values() if kind.possible(pair, comparison))


def _has_floats(tensor: TensorInfo | None) -> bool:
    stored = STORED_TYPES.get(tensor.values) if tensor is not None and tensor.elements else None
    return stored is not None and stored.kind == "float"
