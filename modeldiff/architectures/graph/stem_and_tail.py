"""What stands before and after the layers: embeddings, the last norm, the head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from modeldiff.architectures.architecture import Node
from modeldiff.architectures.components import STEM, TAIL
from modeldiff.architectures.graph.columns import is_before_layers, outside_rank
from modeldiff.architectures.graph.nodes import (
    component_node,
    components_of,
    is_described,
    plain_template,
)
from modeldiff.architectures.graph.operations import outside_operations
from modeldiff.architectures.graph.template_rows import nodes_of
from modeldiff.architectures.place import Parameter, Place
from modeldiff.architectures.spec import ModelSpec

_KNOWN = frozenset(template.id for template in (*STEM, *TAIL))


def stem_and_tail(
    parameters: Iterable[Parameter], spec: ModelSpec
) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The nodes before the layers and after them, of all ``parameters`` outside the layers."""
    by_tower: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        by_tower.setdefault(parameter.place.tower, []).append(parameter)
    main = spec.shapes.tower
    beside = {parameter.place.component for parameter in by_tower.get("", ())}
    sharing = _sharing_towers(spec) if main and "embed_tokens" in beside else set()
    for tower in sorted(sharing):
        by_tower.setdefault(tower, [])
    if main in by_tower and not any(p.place.component in beside for p in by_tower[main]):
        # A head beside the towers still reads what the main one gives.
        by_tower[main] += by_tower.pop("", [])
    stem: list[Node] = []
    tail: list[Node] = []
    # Another tower's end leads into the main one, so all of it comes before the layers.
    for tower, group in sorted(by_tower.items(), key=lambda item: item[0] in ("", main)):
        before, after = _ends(tower, group, spec, shares_embedding=tower in sharing)
        stem += before
        (tail if tower in ("", main) else stem).extend(after)
    return tuple(stem), tuple(tail)


def _sharing_towers(spec: ModelSpec) -> set[str]:
    """The towers beside the main one that read the token embedding that all have in common."""
    towers = {parameter.place.tower for parameter in spec.parameters} - {"", spec.shapes.tower}
    return {tower for tower in towers if is_described(spec, tower)}


def _ends(
    tower: str, parameters: Sequence[Parameter], spec: ModelSpec, *, shares_embedding: bool
) -> tuple[list[Node], list[Node]]:
    """One tower's nodes before its layers and after them."""
    components = components_of(parameters)
    present = components.keys() | ({"embed.shared"} if shares_embedding else set())
    present |= outside_operations(present, spec, tower in ("", spec.shapes.tower))
    before, after = (
        [
            node
            for row in nodes_of(
                tuple((template,) for template in end), components, present, spec, tower
            )
            for node in row
        ]
        for end in (STEM, TAIL)
    )
    ranks = {component: outside_rank(component) for component in components.keys() - _KNOWN}
    for component in sorted(ranks, key=lambda c: (ranks[c], c)):
        template = plain_template(component, components[component])
        node = component_node(template, components[component], (), spec, tower)
        (before if is_before_layers(component) else after).append(node)
    if not tower:
        return before, after
    own = {f"{tower}.{p.place.component}": p.place for p in parameters if not p.place.tower}
    return [_with_own_id(node, own) for node in before], [_with_own_id(node, own) for node in after]


def _with_own_id(node: Node, own: Mapping[str, Place]) -> Node:
    """A node of the main tower's drawing whose components may stand outside of all towers."""
    ids = [own[id].component if id in own else id for id in (node.id, *node.inputs)]
    return replace(node, id=ids[0], inputs=tuple(ids[1:]))
