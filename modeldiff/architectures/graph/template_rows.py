"""From the common graph's templates to the nodes of one model: what is absent is left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest

from modeldiff.architectures.architecture import Node
from modeldiff.architectures.components import NodeTemplate, TemplateRows
from modeldiff.architectures.graph.nodes import Component, component_node, operation_node
from modeldiff.architectures.graph.operations import NETWORKS, has_gate
from modeldiff.architectures.spec import ModelSpec

NodeRows = tuple[tuple[Node, ...], ...]


def nodes_of(
    rows: TemplateRows,
    components: Mapping[str, Component],
    present: Collection[str],
    spec: ModelSpec,
    tower: str,
    kind: str = "",
) -> NodeRows:
    """The rows of a graph that are there; none at all where no component is.

    ``present`` are the ids of components and of operations that the model has, ``kind`` the word
    that the config has for these layers.
    """
    templates = {template.id: template for row in rows for template in row}
    sources = {id for id, template in templates.items() if template.kind == "input"}
    if not templates.keys() & (components.keys() | (sources & set(present))):
        return ()

    def node_of(template: NodeTemplate) -> Node:
        names = (s for name in template.inputs for s in _sources(name, templates, present))
        inputs = tuple(dict.fromkeys(names))
        if template.id in components:
            return component_node(template, components[template.id], inputs, spec, tower)
        return operation_node(template, inputs, spec, kind, tower)

    drawn = (tuple(node_of(template) for template in row if template.id in present) for row in rows)
    return tuple(filter(None, drawn))


def _sources(
    id: str, templates: Mapping[str, NodeTemplate], present: Collection[str]
) -> Iterator[str]:
    """What a line from ``id`` really comes from: itself, or what an absent one passes through."""
    if id in present:
        yield id
    elif id in templates and templates[id].passes:
        for name in templates[id].inputs:
            yield from _sources(name, templates, present)


def without_gate(rows: TemplateRows, components: Collection[str]) -> TemplateRows:
    """The graph with the activation straight on up_proj where an MLP has no gate."""
    inputs: dict[str, tuple[str, ...]] = {}
    for name in NETWORKS:
        if not has_gate(name, components):
            inputs[f"{name}.activation"] = (f"{name}.up_proj",)
            inputs[f"{name}.multiply"] = (f"{name}.activation",)
    return tuple(
        tuple(
            replace(template, inputs=inputs.get(template.id, template.inputs)) for template in row
        )
        for row in rows
    )


def side_by_side_rows(attention: TemplateRows, mlp: TemplateRows) -> TemplateRows:
    """Two sublayers that read one norm's output, as one graph whose outputs are added."""
    reads_shared_norm = ((NodeTemplate("post_attention_layernorm", "norm", ("input_layernorm",)),),)
    paired = zip_longest(attention, (*reads_shared_norm, *mlp[1:]), fillvalue=())
    add = NodeTemplate(
        "parallel.add", "operation", ("post_self_attn_layernorm", "post_mlp_layernorm")
    )
    return (*(tuple(left) + tuple(right) for left, right in paired), (add,))


def norm_last(rows: NodeRows) -> tuple[NodeRows, bool]:
    """The rows with the norm of the sum last, and whether there is one. A family may name it as
    others name the norm before the sublayer."""
    first, last = rows[0][0], rows[-1][-1]
    if len(rows) > 1 and last.kind == "norm":
        return rows, True
    if len(rows) < 2 or len(rows[0]) > 1 or first.kind != "norm":
        return rows, False
    rest = tuple(
        tuple(
            replace(node, inputs=tuple(name for name in node.inputs if name != first.id))
            for node in row
        )
        for row in rows[1:]
    )
    return (*rest, (replace(first, inputs=(last.id,)),)), True
