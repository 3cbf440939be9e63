"""The neutral type between the descriptions of families and all that is shown of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from itertools import chain
from typing import Literal, Protocol

from modeldiff.architectures.place import Parameter, Place, node_id, trained_elements
from modeldiff.errors import UnknownName
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.once import computed_once
from modeldiff.text.quoting import did_you_mean

Holding = Mapping[int | None, list[Parameter]]
"""The parameters of one name of one component, by layer: one each, or one an expert."""

FactValue = str | int | float | bool | None
NodeKind = Literal["embedding", "norm", "linear", "parameter", "operation", "input"]


@dataclass(frozen=True)
class Fact:
    """One fact about an architecture.

    ``value`` is for comparing and JSON, ``text`` for reading (``"8,030,261,248"``), ``source``
    says where it comes from: ``config: num_key_value_heads`` or ``tensor: model.norm.weight``.
    """

    key: str
    label: str
    value: FactValue
    text: str
    source: str


@dataclass(frozen=True)
class FactPair:
    """The same fact of two architectures; a side that has none is None.

    ``meaning`` is one plain sentence on what a difference means; empty where the two are the same.
    ``absence_told``: that a side has none is known; otherwise nothing is known of it.
    """

    key: str
    label: str
    base: Fact | None
    target: Fact | None
    same: bool
    meaning: str = ""
    absence_told: bool = True

    @property
    def differs(self) -> bool:
        """Whether the models differ in this: both sides' values are known and are not the same."""
        return not self.same and self.absence_told

    @property
    def one_sided(self) -> bool:
        """Whether it is known of one side only: neither the same nor a difference."""
        return not self.same and not self.absence_told

    @property
    def meaning_beside_label(self) -> str:
        """``meaning`` for where the label stands beside it, and need not stand before it too."""
        return self.meaning.removeprefix(f"{self.label}: ")


@dataclass(frozen=True)
class Node:
    """One box of the drawing: a component with parameters, or an operation without.

    ``id`` is the component (``self_attn.q_proj``) or the operation (``self_attn.rope``), unique
    within its layer kind, with the tower before it where there is one. ``inputs`` are ids of nodes
    of the same sublayer; empty means that it reads the residual stream (a ``parameter`` reads
    nothing, an ``input`` comes from elsewhere). ``label`` is the name as stored, ``shape`` and
    ``detail`` are short texts (``4096 → 1024``, ``1024 = 8 KV heads × 128``).
    """

    id: str
    label: str
    kind: NodeKind
    inputs: tuple[str, ...] = ()
    shape: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Sublayer:
    """A branch off the residual stream: ``rows`` of nodes, first row first in data order, the last
    row's output added back to the stream (``adds``). One that does not add only lists what a layer
    stores beside what its family is known to compute with. ``norms_sum``: the last row is a norm of
    the sum, which then is the stream; what is added is the output of the row before it."""

    name: str
    rows: tuple[tuple[Node, ...], ...]
    adds: bool = True
    norms_sum: bool = False

    def nodes(self) -> Iterator[Node]:
        """All nodes, row by row."""
        return chain.from_iterable(self.rows)


@dataclass(frozen=True)
class LayerKind:
    """The layers built alike. ``parallel``: the sublayers read the same input side by side.

    ``tower`` as in ``Place``; a node's id carries it too.
    """

    name: str
    layers: tuple[int, ...]
    sublayers: tuple[Sublayer, ...]
    parallel: bool = False
    tower: str = ""

    def nodes(self) -> Iterator[Node]:
        """All nodes of all sublayers, in the order of the data."""
        return chain.from_iterable(sublayer.nodes() for sublayer in self.sublayers)


class DataFlow(Protocol):
    """How data passes through an architecture; the attributes are those of ``Architecture``."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def outside(self) -> tuple[str, ...]: ...
    @property
    def stem(self) -> tuple[Node, ...]: ...
    @property
    def layer_kinds(self) -> tuple[LayerKind, ...]: ...
    @property
    def tail(self) -> tuple[Node, ...]: ...


@dataclass(frozen=True)
class GivenFlow:
    """One whose parts are at hand."""

    columns: tuple[str, ...]
    outside: tuple[str, ...]
    stem: tuple[Node, ...]
    layer_kinds: tuple[LayerKind, ...]
    tail: tuple[Node, ...]


@dataclass(frozen=True)
class Architecture:
    """What an opened checkpoint (or a config alone) is, independent of its family's names.

    ``family`` is the name of the description that it was read by, ``title`` names it for people
    (``Llama, 1.48 M``). ``facts`` are its numbers and kinds, each once. ``parameters`` has one
    entry a stored tensor, or one a part where it is fused, in the checkpoint's file order, plus one
    ``tied`` entry for each second use. ``layer_count`` is that of the tower that the facts speak
    of. ``flow`` has the order of data: it may be worked out only as it is asked for. ``entries``
    are those of the JSON files that describe the model, by file and name, as JSON; none where there
    is no config.
    """

    family: str
    title: str
    facts: tuple[Fact, ...]
    parameters: tuple[Parameter, ...]
    layer_count: int
    flow: DataFlow = field(repr=False)
    entries: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The heatmap's columns (``Place.column``) of all parameters in layers, in the order in
        which data passes."""
        return self.flow.columns

    @property
    def outside(self) -> tuple[str, ...]:
        """The columns of the parameters outside the layers, in the same order."""
        return self.flow.outside

    @property
    def stem(self) -> tuple[Node, ...]:
        """The nodes before the layers."""
        return self.flow.stem

    @property
    def layer_kinds(self) -> tuple[LayerKind, ...]:
        """Which layers are built how."""
        return self.flow.layer_kinds

    @property
    def tail(self) -> tuple[Node, ...]:
        """The nodes after the layers."""
        return self.flow.tail

    def with_kinds(self, kinds: tuple[LayerKind, ...]) -> Architecture:
        """The same architecture, of whose layers these ``kinds`` are drawn."""
        flow = GivenFlow(self.columns, self.outside, self.stem, kinds, self.tail)
        return replace(self, flow=flow)

    def __repr__(self) -> str:
        count = f"{self.layer_count} layers, {len(self.parameters):,} tensors"
        return f"<Architecture {self.title}: {count}>"

    def _repr_html_(self) -> str:
        """For a notebook: the architecture as data passes through it."""
        from modeldiff.drawings.output.notebook import architecture_html

        return architecture_html(self)

    def __getitem__(self, place: Place) -> Parameter:
        """What stands at ``place``. Raises ``UnknownName``."""
        try:
            return self._by_place[place]
        except KeyError:
            raise UnknownName(
                f"{self.title} has nothing at {place!r}.", hint=self._hint(place)
            ) from None

    def _hint(self, place: Place) -> str:
        columns = (*self.columns, *self.outside)
        if place.column in columns:
            return f"{place.column} is in other layers, or has no such expert."
        return did_you_mean(place.column, columns) or "Iterating over it gives all its places."

    def __contains__(self, place: object) -> bool:
        """Whether something stands at ``place``."""
        return place in self._by_place

    def __iter__(self) -> Iterator[Place]:
        """All places, in the checkpoint's file order."""
        return iter(self._by_place)

    @computed_once
    def _by_place(self) -> Mapping[Place, Parameter]:
        return {parameter.place: parameter for parameter in self.parameters}

    def fact(self, key: str) -> Fact | None:
        """The fact with this ``key``, such as ``hidden_size``, or None."""
        return next((fact for fact in self.facts if fact.key == key), None)

    def number(self, key: str) -> int | None:
        """The fact with this ``key`` as a whole number; None where there is none, or it is no
        such."""
        fact = self.fact(key)
        value = fact.value if fact is not None else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def nodes(self, kinds: Iterable[LayerKind] | None = None) -> Iterator[Node]:
        """All nodes in the order of the data: the stem, the layers (of these ``kinds``; None: of
        all, one of each kind), the tail."""
        drawn = self.layer_kinds if kinds is None else kinds
        return chain(self.stem, *(kind.nodes() for kind in drawn), self.tail)

    @computed_once
    def _contents(self) -> Mapping[tuple[str, str, str, int | None], list[Parameter]]:
        """Tower, component, parameter and layer → what stands there, buffers left out."""
        # One flat loop, as there are tens of thousands of experts.
        contents: dict[tuple[str, str, str, int | None], list[Parameter]] = defaultdict(list)
        for one in self.parameters:
            if one.role != "buffer":
                place = one.place
                contents[place.tower, place.component, place.parameter, place.layer].append(one)
        return contents

    @computed_once
    def holdings(self) -> Mapping[str, Mapping[str, Holding]]:
        """What the nodes stand for: node id → parameter (``weight``) → layer; buffers left out."""
        holdings: dict[str, dict[str, dict[int | None, list[Parameter]]]] = {}
        for (tower, component, parameter, layer), group in self._contents.items():
            of_node = holdings.setdefault(node_id(tower, component), {})
            of_node.setdefault(parameter, {})[layer] = group
        return holdings

    @computed_once
    def trained(self) -> Mapping[tuple[str, str, int | None], int]:
        """The trained elements by node id, parameter and layer; what is used twice counts once."""
        counts = {}
        for id, by_name in self.holdings.items():
            for name, by_layer in by_name.items():
                for layer, group in by_layer.items():
                    first = group[0]
                    own = group if first.role != "tied" else []
                    # Thousands of experts have a shape or two, multiplied out once each.
                    kinds = {(one.tensor.shape, one.codes): one for one in own}
                    sizes = Counter((one.tensor.shape, one.codes) for one in own)
                    counts[id, name, layer] = sum(
                        count * trained_elements(kinds[kind]) for kind, count in sizes.items()
                    )
        return counts

    @computed_once
    def towers(self) -> frozenset[str]:
        """The towers that hold parameters; the main one is often without a name."""
        return frozenset(tower for tower, *_ in self._contents)

    def layer_kind(self, layer: int) -> LayerKind | None:
        """How ``layer`` (of the main tower, named first) is built; None where no kind names it."""
        return next((kind for kind in self.layer_kinds if layer in kind.layers), None)
