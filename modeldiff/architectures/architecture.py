"""The neutral type between the readings of the families and everything that is shown of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from modeldiff.architectures.place import Parameter, trained_elements

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
    """

    key: str
    label: str
    base: Fact | None
    target: Fact | None
    same: bool
    meaning: str = ""


@dataclass(frozen=True)
class Node:
    """One box of the drawing: a component with parameters, or an operation without.

    ``id`` is the component (``self_attn.q_proj``) or the operation (``self_attn.rope``), unique
    within its layer kind, with the tower before it where there is one. ``inputs`` are ids of steps
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
    """A branch off the residual stream: ``rows`` of steps, first row first in data order, the last
    row's output added back to the stream (``adds``). One that does not add only lists what a layer
    stores beside what its family is known to compute with. ``norms_sum``: the last row is a norm of
    the sum, which then is the stream; what is added is the output of the row before it."""

    name: str
    rows: tuple[tuple[Node, ...], ...]
    adds: bool = True
    norms_sum: bool = False


@dataclass(frozen=True)
class LayerKind:
    """The layers built alike. ``parallel``: the sublayers read the same input side by side.

    ``tower`` as in ``Place``; a step's id carries it too.
    """

    name: str
    layers: tuple[int, ...]
    sublayers: tuple[Sublayer, ...]
    parallel: bool = False
    tower: str = ""


@dataclass(frozen=True)
class Architecture:
    """What an opened checkpoint (or a config alone) is, independent of its family's names.

    ``parameters`` has one entry a stored tensor, or one a part where it is fused, in the
    checkpoint's file order, plus one ``tied`` entry for each second use. ``columns`` are the
    heatmap's columns (``Place.column``) of all parameters in layers, in the order in which data
    passes; ``outside`` the columns of those outside the layers, in the same order. ``stem`` and
    ``tail`` are the steps before and after the layers.
    """

    family: str
    title: str
    facts: tuple[Fact, ...]
    parameters: tuple[Parameter, ...]
    columns: tuple[str, ...]
    outside: tuple[str, ...]
    layer_count: int
    stem: tuple[Node, ...]
    layer_kinds: tuple[LayerKind, ...]
    tail: tuple[Node, ...]

    def fact(self, key: str) -> Fact | None:
        """The fact with this key, or None."""
        return next((fact for fact in self.facts if fact.key == key), None)

    @cached_property
    def _held(self) -> Mapping[tuple[str, str, str, int | None], list[Parameter]]:
        """Tower, component, parameter and layer → what stands there, buffers left out."""
        # One flat step for each, as there are tens of thousands of experts.
        found: dict[tuple[str, str, str, int | None], list[Parameter]] = defaultdict(list)
        for one in self.parameters:
            if one.role != "buffer":
                place = one.place
                found[place.tower, place.component, place.parameter, place.layer].append(one)
        return found

    @cached_property
    def holdings(self) -> Mapping[str, Mapping[str, Holding]]:
        """What the steps stand for: step id → parameter (``weight``) → layer; buffers left out."""
        found: dict[str, dict[str, dict[int | None, list[Parameter]]]] = {}
        for (tower, component, parameter, layer), held in self._held.items():
            id = f"{tower}.{component}" if tower else component
            found.setdefault(id, {}).setdefault(parameter, {})[layer] = held
        return found

    @cached_property
    def trained(self) -> Mapping[tuple[str, str, int | None], int]:
        """The trained elements by step id, parameter and layer; what is used twice counts once."""
        found = {}
        for id, by_name in self.holdings.items():
            for name, by_layer in by_name.items():
                for layer, held in by_layer.items():
                    first = held[0]
                    if first.role == "tied":
                        held = []
                    # Thousands of experts have a shape or two, multiplied out once each.
                    alike = {(one.tensor.shape, one.codes): one for one in held}
                    counts = Counter((one.tensor.shape, one.codes) for one in held)
                    found[id, name, layer] = sum(
                        count * trained_elements(alike[kind]) for kind, count in counts.items()
                    )
        return found

    @cached_property
    def towers(self) -> frozenset[str]:
        """The towers that hold parameters; the main one is often without a name."""
        return frozenset(tower for tower, *_ in self._held)

    def layer_kind(self, layer: int) -> LayerKind | None:
        """How this layer (of the main tower, named first) is built; None where no kind names it."""
        return next((kind for kind in self.layer_kinds if layer in kind.layers), None)
