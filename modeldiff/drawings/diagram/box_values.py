"""What the diagram's boxes read: each component's parameters and how these changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice

from modeldiff.architectures.architecture import Architecture, Holding, Node
from modeldiff.architectures.config.shapes import oriented
from modeldiff.architectures.place import Parameter, column_of
from modeldiff.changes import Change, ChangeTable, Statistics
from modeldiff.changes.statistics.merge_cache import merged
from modeldiff.drawings.style.metrics import Metric
from modeldiff.findings.status_words import NOT_MEASURED, STATUS_WORDS
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_shape

NOT_FINITE_WORDS = "NaN or infinite values"
PARTLY_WORDS = "only rows that both have"
_NAMES_SHOWN, _LONGEST_NAME = 3, 200


@dataclass(frozen=True)
class BoxValue:
    """One parameter of a component (its weight, its bias), over the experts and layers asked for.

    ``value`` is of the metric, None where there is none; ``words`` then say why, and stand beside
    the value where it needs them (``tied``, ``NOT_FINITE_WORDS``, ``PARTLY_WORDS``). ``sign``
    stands for a value that says less than is known (see ``Metric.sign``), ``moved_pct`` is the
    share of the elements that moved, in percent; None where there is no value. ``spread`` has the
    value of each layer, None where a layer has none; it is empty unless several layers were asked
    for.
    ``elements`` are a layer's trained ones, ``share`` those of all these layers over the model's
    (0 to 1; 0 where tied).
    """

    parameter: str
    value: float | None
    words: str
    sign: str
    moved_pct: float | None
    spread: tuple[float | None, ...]
    tensors: tuple[Sequence[Parameter], ...]
    elements: int
    share: float

    @property
    def count(self) -> int:
        """How many tensors this reads, or parts of fused ones."""
        return sum(map(len, self.tensors))

    @property
    def names(self) -> Iterator[str]:
        """Their stored names, layer by layer."""
        return (parameter.tensor.name for group in self.tensors for parameter in group)

    @property
    def first_names(self) -> str:
        """The first of their names, and how many more there are, for a tooltip."""
        names = [name[:_LONGEST_NAME] for name in islice(self.names, _NAMES_SHOWN)]
        more = self.count - len(names)
        return ", ".join(names) + (f" and {more:,} more" if more else "")


def _moved_pct(statistics: Statistics | None) -> float | None:
    if statistics is None or statistics.unchanged_pct is None:
        return None
    return 100.0 - statistics.unchanged_pct


class BoxValues:
    """The change of every component of one of the two architectures compared."""

    def __init__(self, architecture: Architecture, table: ChangeTable, metric: Metric) -> None:
        self.metric = metric
        self._architecture, self._table = architecture, table

    @property
    def compared(self) -> bool:
        """Whether there is any change to show."""
        return len(self._table) > 0

    @cached_property
    def parameters(self) -> int:
        """All trained parameters of the model; what is used twice counts once."""
        count = self._architecture.number("parameters")
        return sum(self._architecture.trained.values()) if count is None else count

    def not_here(self) -> tuple[str, ...]:
        """The columns that only the other architecture has, in the order of data."""
        here = {*self._architecture.columns, *self._architecture.outside}
        one_sided = ("only_in_base", "only_in_target")
        return tuple(
            column
            for column in self._table.columns
            if column not in here
            and any(row.pair.status in one_sided for row in self._table.column(column))
        )

    def of(self, node: Node, layers: Sequence[int | None]) -> tuple[BoxValue, ...]:
        """One value a parameter of the node, its weight first; none for an operation."""
        values = []
        for name, by_layer in self._architecture.holdings.get(node.id, {}).items():
            groups = {layer: by_layer[layer] for layer in layers if layer in by_layer}
            if groups:
                values.append(self._value(name, groups, node))
        return tuple(sorted(values, key=lambda value: value.parameter != "weight"))

    def _value(self, name: str, groups: Holding, node: Node) -> BoxValue:
        layers = [self._of_layer(node.id, name, layer, groups[layer][0]) for layer in groups]
        known = [statistics for statistics in layers if statistics is not None]
        whole = merged(known)
        trained = [self._architecture.trained[node.id, name, layer] for layer in groups]
        return BoxValue(
            parameter=name,
            value=self.metric.value(whole),
            words=self._why(groups, whole, node),
            sign=self.metric.sign(whole),
            moved_pct=_moved_pct(whole),
            spread=tuple(self.metric.value(s) for s in layers) if len(groups) > 1 else (),
            tensors=tuple(groups.values()),
            elements=trained[0],
            share=sum(trained) / self.parameters if self.parameters else 0.0,
        )

    def _of_layer(
        self, id: str, name: str, layer: int | None, first: Parameter
    ) -> Statistics | None:
        if first.role == "tied":
            row = self._table.at(first.place)
            return self._table.statistics([row]) if row is not None else None
        return self._table.merged("cell").get((layer, column_of(id, name)))

    def _why(self, groups: Holding, whole: Statistics | None, node: Node) -> str:
        if next(iter(groups.values()))[0].role == "tied":
            return "tied"
        if whole is not None:
            return self._beside(groups, whole)
        if not self.compared:
            return ""
        parameters = [parameter for group in groups.values() for parameter in group]
        words = Counter(self._word(self._table.at(p.place), p, node) for p in parameters)
        return words.most_common(1)[0][0]

    def _beside(self, groups: Holding, whole: Statistics) -> str:
        """What the value of a parameter does not say by itself."""
        if whole.nonfinite_base or whole.nonfinite_target:
            return NOT_FINITE_WORDS
        rows = [self._table.at(each.place) for group in groups.values() for each in group]
        partly = any(row is not None and row.pair.shared is not None for row in rows)
        return PARTLY_WORDS if partly else ""

    def _word(self, change: Change | None, parameter: Parameter, node: Node) -> str:
        if change is None or change.waiting:
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
        return STATUS_WORDS[pair.status].label
