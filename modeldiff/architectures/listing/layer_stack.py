"""One model's stored tensors, layer by layer, with what repeats folded into one.

The experts of a layer that are alike are one entry. Names keep their stored spelling; a number that
a fold runs over becomes ``*``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.config.shapes import oriented
from modeldiff.architectures.place import Parameter, ParameterRole
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.made_quickly import made_quickly

_NUMBERS = re.compile(r"([0-9]+|\*)")

LayerKey = tuple[str, int]
"""A tower and the number of a layer in it."""

StackColumn = tuple[str, str, str]
"""Tower, component and parameter."""


@made_quickly
@dataclass(frozen=True, slots=True)
class Printed:
    """A stored tensor as one prints it, or ``count`` experts' tensors that are alike.

    ``shape`` is as stored, ``oriented`` is [out, in] whatever the file does.
    """

    name: str
    shape: tuple[int, ...]
    oriented: tuple[int, ...]
    dtype: str
    count: int = 1
    role: ParameterRole = "parameter"

    @property
    def build(self) -> tuple[object, ...]:
        """All but the name: what layers that are built alike have in common."""
        return self.shape, self.oriented, self.dtype, self.count, self.role

    def named(self, name: str) -> Printed:
        """The same under another ``name``."""
        return Printed(name, self.shape, self.oriented, self.dtype, self.count, self.role)


Entries = Mapping[StackColumn, tuple[Printed, ...]]
"""What stands at each column; more than one only where experts are not alike."""


@dataclass(frozen=True)
class Stack:
    """A model's layers. ``kinds`` has the same number for layers (of one tower) that are alike.

    ``numbers`` are the layers of each tower, and ``members`` those of each kind, in ascending
    order. ``usual_type`` is the stored type of the most elements.
    """

    layers: Mapping[LayerKey, Entries]
    kinds: Mapping[LayerKey, int]
    numbers: Mapping[str, Sequence[int]]
    members: Mapping[int, Sequence[int]]
    outside: Entries
    usual_type: str

    def last(self, tower: str) -> LayerKey | None:
        """The tower's last layer."""
        numbers = self.numbers.get(tower)
        return (tower, numbers[-1]) if numbers else None

    def alike(self, key: LayerKey) -> Sequence[int]:
        """The layers that are built as this one, itself among them."""
        kind = self.kinds.get(key)
        return () if kind is None else self.members[kind]


def read_stack(architecture: Architecture) -> Stack:
    """Sort every tensor of an architecture into its layer and column. One pass over all names."""
    groups: dict[LayerKey | None, dict[StackColumn, list[Parameter]]] = {}
    shapes: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for parameter in architecture.parameters:
        tensor, place = parameter.tensor, parameter.place
        shapes[tensor.dtype, tensor.shape] += 1
        tower, layer = place.tower, place.layer
        key = None if layer is None else (tower, layer)
        group = groups.get(key)
        if group is None:
            group = groups[key] = {}
        column = (tower, place.component, place.parameter)
        beside = group.get(column)
        if beside is None:
            group[column] = [parameter]
        else:
            beside.append(parameter)
    types: Counter[str] = Counter()
    for (dtype, shape), count in shapes.items():
        types[dtype] += prod(shape) * count
    outside = groups.pop(None, {})
    layers: dict[LayerKey, Entries] = {}
    kinds: dict[LayerKey, int] = {}
    builds: dict[object, int] = {}
    numbers: dict[str, list[int]] = {}
    members: dict[int, list[int]] = {}
    for key in sorted(key for key in groups if key is not None):
        tower, layer = key
        entries = {column: _fold(group) for column, group in sorted(groups[key].items())}
        build = tuple((column, one.build) for column, each in entries.items() for one in each)
        layers[key] = entries
        kinds[key] = builds.setdefault((tower, build), len(builds))
        numbers.setdefault(tower, []).append(layer)
        members.setdefault(kinds[key], []).append(layer)
    usual = types.most_common(1)[0][0] if types else ""
    folded = {column: _fold(group) for column, group in outside.items()}
    return Stack(layers, kinds, numbers, members, folded, usual)


def common_name(first: str, last: str) -> str:
    """Two names as one, with ``*`` where their numbers differ.

    >>> common_name("h.0.experts.0.w1.weight", "h.0.experts.7.w1.weight")
    'h.0.experts.*.w1.weight'
    """
    if first == last:
        return first
    # Every second piece is a number.
    ours, theirs = _NUMBERS.split(first), _NUMBERS.split(last)
    if ours[::2] != theirs[::2]:
        return first
    return "".join(a if a == b else "*" for a, b in zip(ours, theirs, strict=True))


def _fold(group: list[Parameter]) -> tuple[Printed, ...]:
    """The entries of one column: one for all that are alike, in the order of the first of each."""
    if len(group) == 1:
        return (_printed(group[0], group[0].tensor.label, 1),)
    kinds: dict[object, list[Parameter]] = {}
    for parameter in group:
        tensor = parameter.tensor
        kind = tensor.shape, tensor.dtype, parameter.role, parameter.transposed
        kinds.setdefault(kind, []).append(parameter)
    return tuple(
        _printed(
            alike[0],
            common_name(alike[0].tensor.label, alike[-1].tensor.label),
            len(alike),
        )
        for alike in kinds.values()
    )


def _printed(parameter: Parameter, name: str, count: int) -> Printed:
    tensor = parameter.tensor
    return Printed(name, tensor.shape, oriented(parameter), tensor.dtype, count, parameter.role)
