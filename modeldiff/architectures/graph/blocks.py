"""The blocks of an architecture in the order in which data passes: stem, layers, tail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from modeldiff.architectures.architecture import LayerKind, Node, Sublayer
from modeldiff.architectures.components import (
    ATTENTION_ROWS,
    CROSS_ATTENTION_ROWS,
    MIXER_ROWS,
    MLP_ROWS,
    ORDER,
    TemplateRows,
)
from modeldiff.architectures.graph.columns import layer_rank
from modeldiff.architectures.graph.layer_kinds import attention_kind, layer_names
from modeldiff.architectures.graph.nodes import (
    Component,
    component_node,
    components_of,
    is_described,
    plain_template,
)
from modeldiff.architectures.graph.operations import has_any, layer_operations
from modeldiff.architectures.graph.stem_and_tail import stem_and_tail
from modeldiff.architectures.graph.template_rows import (
    NodeRows,
    nodes_of,
    norm_last,
    side_by_side_rows,
    without_gate,
)
from modeldiff.architectures.place import Parameter
from modeldiff.architectures.spec import ModelSpec
from modeldiff.processes.late_dataclass import dataclass

_PLAIN_NAMES = ("Attention", "Attention", "MLP", "MLP", "Other")
"""What the stages of ``layer_rank`` are called in a layer of no known family."""

_GRAPHS: Mapping[str, TemplateRows] = {
    "Attention": ATTENTION_ROWS,
    "State space": MIXER_ROWS,
    "Cross-attention": CROSS_ATTENTION_ROWS,
    "MLP": MLP_ROWS,
}
"""The sublayers that a layer may have, one after the other."""

_ONE_NORM_GRAPH: Mapping[str, TemplateRows] = {
    "Attention and MLP": side_by_side_rows(ATTENTION_ROWS, MLP_ROWS)
}
"""Those of a layer whose attention and MLP read the output of one norm."""


@dataclass(frozen=True)
class Blocks:
    """As in ``Architecture``."""

    stem: tuple[Node, ...]
    layer_kinds: tuple[LayerKind, ...]
    tail: tuple[Node, ...]


def read_blocks(spec: ModelSpec) -> Blocks:
    """Every component of every layer kind, of stem and of tail, exactly once; buffers left out."""
    outside, layers = [], defaultdict(list)
    for parameter in spec.parameters:
        place = parameter.place
        if place.layer is None:
            outside.append(parameter)
        elif parameter.role != "buffer":
            layers[place.tower, place.layer].append(parameter)
    stem, tail = stem_and_tail(outside, spec)
    return Blocks(stem, _layer_kinds(layers, spec), tail)


def _layer_kinds(
    layers: Mapping[tuple[str, int], list[Parameter]], spec: ModelSpec
) -> tuple[LayerKind, ...]:
    """Layers of one tower that hold the same columns with the same shapes are one kind."""
    main = spec.shapes.tower
    alike: dict[tuple[str, str, frozenset[tuple[str, tuple[int, ...]]]], list[int]] = {}
    for tower, layer in sorted(layers, key=lambda key: (key[0] != main, key[0], key[1])):
        shapes = frozenset((p.place.column, p.tensor.shape) for p in layers[tower, layer])
        kind = attention_kind(spec, layer) if tower == main else ""
        alike.setdefault((tower, kind, shapes), []).append(layer)
    names = layer_names(
        [(tower, tuple(numbers)) for (tower, *_), numbers in alike.items()], layers, spec
    )
    kinds = []
    for ((tower, kind, _), numbers), name in zip(alike.items(), names, strict=True):
        components = components_of(layers[tower, numbers[0]])
        sublayers, parallel = _sublayers(components, spec, tower, kind)
        kinds.append(LayerKind(name, tuple(numbers), sublayers, parallel, tower))
    return tuple(kinds)


def _sublayers(
    components: Mapping[str, Component], spec: ModelSpec, tower: str, kind: str
) -> tuple[tuple[Sublayer, ...], bool]:
    """The layer's branches by the common graph, and whether they stand side by side."""
    described = is_described(spec, tower)
    if not described and not (spec.family and components.keys() <= ORDER.keys()):
        return _plain_sublayers(components, spec, tower), False
    present = components.keys() | layer_operations(components, spec, described)
    parallel = described and _is_parallel(spec)
    one_norm = parallel and "post_attention_layernorm" not in present
    graphs = _ONE_NORM_GRAPH if one_norm else _graphs_of(components)
    if one_norm:
        present.add("parallel.add")
    sublayers = []
    for name, rows in graphs.items():
        drawn = nodes_of(without_gate(rows, components), components, present, spec, tower, kind)
        if drawn:
            sublayers.append(_sublayer(name, drawn, spec.norms_the_stream and described))
    placed = {template.id for rows in graphs.values() for row in rows for template in row}
    extras = {id: parameters for id, parameters in components.items() if id not in placed}
    beside = _plain_sublayers(extras, spec, tower, beside=True)
    return (*sublayers, *beside), parallel and not one_norm


def _graphs_of(components: Collection[str]) -> Mapping[str, TemplateRows]:
    """The graphs of a layer with these components: a state space stands in attention's place,
    unless it has both."""
    absent = "Attention" if not has_any("self_attn.", components) else ""
    if not has_any("mixer.", components):
        absent = "State space"
    return {name: rows for name, rows in _GRAPHS.items() if name != absent}


def _sublayer(name: str, rows: NodeRows, norms_the_stream: bool) -> Sublayer:
    if not norms_the_stream:
        return Sublayer(name, rows)
    ordered, norms_sum = norm_last(rows)
    return Sublayer(name, ordered, norms_sum=norms_sum)


def _is_parallel(spec: ModelSpec) -> bool:
    parallel = spec.family.parallel if spec.family else False
    if isinstance(parallel, bool):
        return parallel
    flag = spec.settings.flag(parallel)
    return flag is not None and flag.value


def _plain_sublayers(
    components: Mapping[str, Component], spec: ModelSpec, tower: str, *, beside: bool = False
) -> tuple[Sublayer, ...]:
    """A stack of what the names say, one component a row; ``beside``: off the data's way."""
    stages: dict[str, list[str]] = {}
    ranks = {component: layer_rank(component) for component in components}
    for component in sorted(components, key=ranks.__getitem__):
        name = "Also stored" if beside else _PLAIN_NAMES[int(ranks[component][0])]
        stages.setdefault(name, []).append(component)
    sublayers = []
    for name, members in stages.items():
        rows: list[tuple[Node, ...]] = []
        before: tuple[str, ...] = ()
        for component in members:
            template = plain_template(component, components[component])
            rows.append((component_node(template, components[component], before, spec, tower),))
            before = (component,)
        sublayers.append(Sublayer(name, tuple(rows), adds=not beside and name != "Other"))
    return tuple(sublayers)
