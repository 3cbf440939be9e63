"""What the diagram's boxes read: each component's parameters and how these changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from modeldiff.architectures.architecture import Architecture, Holding, Node
from modeldiff.architectures.config.shapes import oriented
from modeldiff.architectures.place import Parameter
from modeldiff.changes.change import Change, Statistics
from modeldiff.drawings.style.metrics import Metric
from modeldiff.text.formatting import format_shape

NOT_MEASURED = "not measured yet"
NOT_FINITE = "NaN or infinite values"
_WORDS = {
    "only_in_base": "only in base",
    "only_in_target": "only in target",
    "unreadable": "unreadable",
    "compared": NOT_MEASURED,
}

_Cell = tuple[str, str, int | None]
"""A node's id, a parameter's name and a layer."""


@dataclass(frozen=True)
class BoxValue:
    """One parameter of a component (its weight, its bias), over the experts and layers asked for.

    ``value`` is of the metric, None where there is none; ``words`` then say why, and stand beside
    the value where it needs them (``tied``, ``NOT_FINITE``). ``spread`` has the value of each
    layer, None where a layer has none; it is empty unless several layers were asked for.
    ``elements`` are a layer's trained ones, ``share`` those of all these layers over the model's
    (0 to 1; 0 where tied).
    """

    parameter: str
    value: float | None
    words: str
    spread: tuple[float | None, ...]
    held: tuple[Sequence[Parameter], ...]
    elements: int
    share: float

    @property
    def count(self) -> int:
        """How many tensors this reads, or parts of fused ones."""
        return sum(map(len, self.held))

    @property
    def names(self) -> Iterator[str]:
        """Their stored names, layer by layer."""
        return (parameter.tensor.name for group in self.held for parameter in group)


class BoxValues:
    """The change of every component of one of the two architectures compared."""

    def __init__(
        self, architecture: Architecture, changes: Iterable[Change], metric: Metric
    ) -> None:
        self.metric = metric
        self._architecture = architecture
        found: dict[tuple[str, str, str, int | None], list[Change]] = defaultdict(list)
        for change in changes:
            place = change.pair.place
            found[place.tower, place.component, place.parameter, place.layer].append(change)
        self._rows: dict[_Cell, list[Change]] = {
            (f"{tower}.{component}" if tower else component, parameter, layer): rows
            for (tower, component, parameter, layer), rows in found.items()
        }
        self._merged = {cell: _statistics(rows) for cell, rows in self._rows.items()}

    @property
    def compared(self) -> bool:
        """Whether there is any change to show."""
        return bool(self._rows)

    @cached_property
    def parameters(self) -> int:
        """All trained parameters of the model; what is used twice counts once."""
        count = self._architecture.number("parameters")
        return sum(self._architecture.trained.values()) if count is None else count

    def measured(self) -> tuple[Statistics, ...]:
        """The statistics of every place of which there are any, experts merged."""
        return tuple(found for found in self._merged.values() if found is not None)

    def not_here(self) -> tuple[str, ...]:
        """The columns that only the other architecture has, in the order of the changes."""
        here = {*self._architecture.columns, *self._architecture.outside}
        elsewhere = (rows for rows in self._rows.values() if rows[0].pair.place.column not in here)
        return tuple(
            dict.fromkeys(
                change.pair.place.column
                for rows in elsewhere
                for change in rows
                if change.pair.status in ("only_in_base", "only_in_target")
            )
        )

    def of(self, node: Node, layers: Sequence[int | None]) -> tuple[BoxValue, ...]:
        """One reading a parameter of the node, its weight first; none for an operation."""
        found = []
        for name, by_layer in self._architecture.holdings.get(node.id, {}).items():
            held = {layer: by_layer[layer] for layer in layers if layer in by_layer}
            if held:
                found.append(self._reading(name, held, node))
        return tuple(sorted(found, key=lambda reading: reading.parameter != "weight"))

    def _reading(self, name: str, held: Holding, node: Node) -> BoxValue:
        layers = [self._of_layer(node.id, name, layer, held[layer][0]) for layer in held]
        known = [statistics for statistics in layers if statistics is not None]
        whole = _merged(known)
        trained = [self._architecture.trained[node.id, name, layer] for layer in held]
        return BoxValue(
            parameter=name,
            value=self.metric.value(whole),
            words=self._why(held, whole, node),
            spread=tuple(self.metric.value(s) for s in layers) if len(held) > 1 else (),
            held=tuple(held.values()),
            elements=trained[0],
            share=sum(trained) / self.parameters if self.parameters else 0.0,
        )

    def _of_layer(
        self, id: str, name: str, layer: int | None, first: Parameter
    ) -> Statistics | None:
        if first.role == "tied":
            return self._stored.get(first.tensor.name)
        return self._merged.get((id, name, layer))

    @cached_property
    def _stored(self) -> Mapping[str, Statistics]:
        """The statistics by the base's stored name, for what is used a second time."""
        return {
            change.pair.base.name: change.statistics
            for rows in self._rows.values()
            for change in rows
            if change.statistics is not None and change.pair.base is not None
        }

    def _why(self, held: Holding, merged: Statistics | None, node: Node) -> str:
        if next(iter(held.values()))[0].role == "tied":
            return "tied"
        if merged is not None:
            return NOT_FINITE if merged.nonfinite_base or merged.nonfinite_target else ""
        if not self.compared:
            return ""
        parameters = [parameter for group in held.values() for parameter in group]
        rows = (self._rows.get((node.id, p.place.parameter, p.place.layer), ()) for p in parameters)
        places = {change.pair.place: change for found in rows for change in found}
        words = Counter(self._word(places.get(p.place), p, node) for p in parameters)
        return words.most_common(1)[0][0]

    def _word(self, change: Change | None, parameter: Parameter, node: Node) -> str:
        if change is None:
            return NOT_MEASURED
        pair = change.pair
        if pair.status == "different_shape" and pair.base is not None and pair.target is not None:
            own = parameter.tensor
            here = pair.base.label == own.label
            here = here and pair.base.shape in (own.shape, oriented(parameter))
            side, other = ("target", pair.target) if here else ("base", pair.base)
            shape = other.shape
            if node.kind == "linear" and len(shape) == 2:
                # As the node writes its own: from what goes in to what comes out. Only where both
                # sides are stored [in, out] does the pair show them so.
                as_stored = (pair.base if here else pair.target).strides == own.strides
                into, out = shape if parameter.transposed and as_stored else shape[::-1]
                return f"{side} has {into} → {out}"
            return f"{side} has {format_shape(shape)}"
        return _WORDS.get(pair.status, pair.status)


def _statistics(rows: Iterable[Change]) -> Statistics | None:
    return _merged([change.statistics for change in rows if change.statistics is not None])


def _merged(found: Sequence[Statistics]) -> Statistics | None:
    if len(found) < 2:
        return found[0] if found else None
    # Late: the command line formats numbers without the measuring floor.
    from modeldiff.changes.statistics.merge_cache import merged

    return merged(found)
