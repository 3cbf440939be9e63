"""What the diagram's boxes read: each component's parameters and how these changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modeldiff.architectures.architecture import Architecture, Step
from modeldiff.architectures.place import Parameter, Place
from modeldiff.architectures.shapes import oriented
from modeldiff.changes.change import Change, Statistics
from modeldiff.drawings.metrics import Metric
from modeldiff.wording import format_shape

NOT_MEASURED = "not measured yet"
_WORDS = {
    "only_in_base": "only in base",
    "only_in_target": "only in target",
    "unreadable": "unreadable",
    "compared": NOT_MEASURED,
}


@dataclass(frozen=True)
class Reading:
    """One parameter of a component (its weight, its bias), over the experts and layers asked for.

    ``value`` is of the metric, None where there is none; ``words`` then say why, and stand beside
    the value where it needs them (``tied``). ``spread`` has the value of each layer, None where a
    layer has none; it is empty unless several layers were asked for. ``elements`` are a layer's.
    """

    parameter: str
    value: float | None
    words: str
    spread: tuple[float | None, ...]
    names: tuple[str, ...]
    elements: int
    resolution: float | None


class Readings:
    """The change of every component of one of the two architectures compared."""

    def __init__(
        self, architecture: Architecture, changes: Iterable[Change], metric: Metric
    ) -> None:
        self.metric = metric
        self._architecture = architecture
        self._parameters: dict[str, dict[str, dict[int | None, list[Parameter]]]] = {}
        for parameter in architecture.parameters:
            if parameter.role == "buffer":
                continue
            place = parameter.place
            id = f"{place.tower}.{place.component}" if place.tower else place.component
            by_layer = self._parameters.setdefault(id, {}).setdefault(
                place.parameter, defaultdict(list)
            )
            by_layer[place.layer].append(parameter)
        self._changes: dict[Place, Change] = {}
        self._stored: dict[str, Statistics] = {}
        for change in changes:
            self._changes[change.pair.place] = change
            if change.statistics is not None and change.pair.base is not None:
                self._stored[change.pair.base.name] = change.statistics

    @property
    def compared(self) -> bool:
        """Whether there is any change to show."""
        return bool(self._changes)

    def not_here(self) -> tuple[str, ...]:
        """The columns that only the other architecture has, in the order of the changes."""
        here = {p.place.column for p in self._architecture.parameters}
        columns = (
            change.pair.place.column
            for change in self._changes.values()
            if change.pair.status in ("only_in_base", "only_in_target")
        )
        return tuple(dict.fromkeys(column for column in columns if column not in here))

    def of(self, step: Step, layers: Sequence[int | None]) -> tuple[Reading, ...]:
        """One reading a parameter of the step, its weight first; none for an operation."""
        found = []
        for name, by_layer in self._parameters.get(step.id, {}).items():
            groups = [by_layer[layer] for layer in layers if layer in by_layer]
            if groups:
                found.append(self._reading(name, groups, step))
        return tuple(sorted(found, key=lambda reading: reading.parameter != "weight"))

    def _reading(self, name: str, groups: Sequence[Sequence[Parameter]], step: Step) -> Reading:
        layers = [_merged([s for p in group if (s := self._statistics(p))]) for group in groups]
        merged = _merged([statistics for statistics in layers if statistics is not None])
        every = [parameter for group in groups for parameter in group]
        return Reading(
            parameter=name,
            value=self.metric.value(merged),
            words=self._why(every, merged, step),
            spread=tuple(self.metric.value(s) for s in layers) if len(groups) > 1 else (),
            names=tuple(parameter.tensor.name for parameter in every),
            elements=sum(parameter.tensor.elements for parameter in groups[0]),
            resolution=merged.resolution_pct if merged is not None else None,
        )

    def _statistics(self, parameter: Parameter) -> Statistics | None:
        if parameter.role == "tied":
            return self._stored.get(parameter.tensor.name)
        change = self._changes.get(parameter.place)
        return change.statistics if change is not None else None

    def _why(self, parameters: Sequence[Parameter], merged: Statistics | None, step: Step) -> str:
        if parameters[0].role == "tied":
            return "tied"
        if merged is not None or not self.compared:
            return ""
        words = Counter(self._word(parameter, step) for parameter in parameters)
        return words.most_common(1)[0][0]

    def _word(self, parameter: Parameter, step: Step) -> str:
        change = self._changes.get(parameter.place)
        if change is None:
            return NOT_MEASURED
        pair = change.pair
        if pair.status == "different_shape" and pair.base is not None and pair.target is not None:
            own = parameter.tensor
            here = pair.base.label == own.label
            here = here and pair.base.shape in (own.shape, oriented(parameter))
            side, other = ("target", pair.target) if here else ("base", pair.base)
            shape = other.shape
            if step.kind == "linear" and len(shape) == 2:
                # As the step writes its own: from what goes in to what comes out. Only where both
                # sides are stored [in, out] does the pair show them so.
                as_stored = (pair.base if here else pair.target).layout == own.layout
                into, out = shape if parameter.transposed and as_stored else shape[::-1]
                return f"{side} has {into} → {out}"
            return f"{side} has {format_shape(shape)}"
        return _WORDS.get(pair.status, pair.status)


def _merged(found: Sequence[Statistics]) -> Statistics | None:
    if len(found) < 2:
        return found[0] if found else None
    from modeldiff.changes import merge_statistics

    return merge_statistics(found)
