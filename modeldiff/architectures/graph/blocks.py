"""The blocks of an architecture in the order in which data passes: stem, layers, tail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest

from modeldiff.architectures import components as skeleton
from modeldiff.architectures.architecture import LayerKind, Node, Sublayer
from modeldiff.architectures.components import NodeTemplate, TemplateRows
from modeldiff.architectures.graph.columns import is_before_layers, layer_rank, outside_rank
from modeldiff.architectures.graph.layer_kinds import attention_kind, layer_names
from modeldiff.architectures.graph.nodes import (
    Component,
    component_step,
    components_of,
    is_described,
    operation_step,
    plain_node,
)
from modeldiff.architectures.place import Parameter, Place
from modeldiff.architectures.spec import ModelSpec

_PLAIN_NAMES = ("Attention", "Attention", "MLP", "MLP", "Other")
"""What the stages of ``layer_rank`` are called in a layer of no known family."""


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
    stem, tail = _outside(outside, spec)
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
        [(tower, tuple(found)) for (tower, *_), found in alike.items()], layers, spec
    )
    kinds = []
    for ((tower, kind, _), found), name in zip(alike.items(), names, strict=True):
        components = components_of(layers[tower, found[0]])
        sublayers, parallel = _sublayers(components, spec, tower, kind)
        kinds.append(LayerKind(name, tuple(found), sublayers, parallel, tower))
    return tuple(kinds)


def _sublayers(
    components: Mapping[str, Component], spec: ModelSpec, tower: str, kind: str
) -> tuple[tuple[Sublayer, ...], bool]:
    """The layer's branches by the skeleton, and whether they stand side by side."""
    described = is_described(spec, tower)
    if not described and not (spec.family and components.keys() <= skeleton.ORDER.keys()):
        return _plain(components, spec, tower), False
    present = set(components) | _operations(components, spec, described)
    parallel = described and _is_parallel(spec)
    graphs: list[tuple[str, TemplateRows]] = [
        ("Attention", skeleton.ATTENTION_ROWS),
        ("State space", skeleton.MIXER_ROWS),
        ("Cross-attention", skeleton.CROSS_ATTENTION_ROWS),
        ("MLP", skeleton.MLP_ROWS),
    ]
    if any(component.startswith("mixer.") for component in components):
        if not any(component.startswith("self_attn.") for component in components):
            del graphs[0]
    else:
        del graphs[1]
    shared_norm = parallel and "post_attention_layernorm" not in present
    if shared_norm:
        graphs = [("Attention and MLP", _side_by_side(skeleton.ATTENTION_ROWS, skeleton.MLP_ROWS))]
        present.add("parallel.add")
    sublayers = []
    for name, rows in graphs:
        drawn = _draw(_without_gate(rows, components), components, present, spec, tower, kind)
        if drawn and spec.norms_the_stream and described:
            drawn, norms_sum = _norm_last(drawn)
            sublayers.append(Sublayer(name, drawn, norms_sum=norms_sum))
        elif drawn:
            sublayers.append(Sublayer(name, drawn))
    placed = {node.id for _, rows in graphs for row in rows for node in row}
    extras = {c: parameters for c, parameters in components.items() if c not in placed}
    return (*sublayers, *_plain(extras, spec, tower, beside=True)), parallel and not shared_norm


def _is_parallel(spec: ModelSpec) -> bool:
    parallel = spec.family.parallel if spec.family else False
    if isinstance(parallel, bool):
        return parallel
    said = spec.settings.flag(parallel)
    return said is not None and said.value


def _operations(components: Mapping[str, Component], spec: ModelSpec, described: bool) -> set[str]:
    """The operations without parameters that a layer with these components computes. What only the
    config tells is not known of a tower that the family's description does not speak of."""
    found = set()
    positions = spec.positions.kind
    rotary = described and positions is not None and positions.value == "RoPE"
    for name in ("self_attn", "cross_attn"):
        if any(component.startswith(f"{name}.") for component in components):
            found.add(f"{name}.attention")
            if rotary and name == "self_attn":
                found.add(f"{name}.rope")
            if name == "cross_attn":
                found.add(f"{name}.encoder")
    for name in ("mlp", "mlp.experts", "mlp.shared_expert"):
        gated = any(f"{name}.{part}" in components for part in ("gate_proj", "gate_up_proj"))
        if gated or f"{name}.up_proj" in components:
            found.add(f"{name}.activation")
        if gated:
            found.add(f"{name}.multiply")
    if "mlp.router" in components:
        found.add("mlp.combine")
    if any(component.startswith("mixer.") for component in components):
        found.add("mixer.scan")
    if described and spec.family is not None and spec.family.bare_norms:
        found |= {"input_layernorm", "post_attention_layernorm"}
    return found


def _without_gate(rows: TemplateRows, components: Mapping[str, Component]) -> TemplateRows:
    """The graph with the activation straight on up_proj where an MLP has no gate."""
    swaps: dict[str, tuple[str, ...]] = {}
    for name in ("mlp", "mlp.experts", "mlp.shared_expert"):
        if not any(f"{name}.{part}" in components for part in ("gate_proj", "gate_up_proj")):
            swaps[f"{name}.activation"] = (f"{name}.up_proj",)
            swaps[f"{name}.multiply"] = (f"{name}.activation",)
    return tuple(
        tuple(NodeTemplate(n.id, n.kind, swaps[n.id]) if n.id in swaps else n for n in row)
        for row in rows
    )


def _side_by_side(attention: TemplateRows, mlp: TemplateRows) -> TemplateRows:
    """Two sublayers that read one norm's output, as one graph whose outputs are added."""
    reads_shared_norm = ((NodeTemplate("post_attention_layernorm", "norm", ("input_layernorm",)),),)
    paired = zip_longest(attention, (*reads_shared_norm, *mlp[1:]), fillvalue=())
    add = NodeTemplate(
        "parallel.add", "operation", ("post_self_attn_layernorm", "post_mlp_layernorm")
    )
    return (*(tuple(left) + tuple(right) for left, right in paired), (add,))


def _sources(id: str, nodes: Mapping[str, NodeTemplate], present: set[str]) -> Iterable[str]:
    if id in present:
        yield id
    elif id in nodes and nodes[id].passes:
        for name in nodes[id].inputs:
            yield from _sources(name, nodes, present)


def _draw(
    rows: TemplateRows,
    components: Mapping[str, Component],
    present: set[str],
    spec: ModelSpec,
    tower: str,
    kind: str = "",
) -> tuple[tuple[Node, ...], ...]:
    """The rows of a graph that are there; none at all where no component is."""
    nodes = {node.id: node for row in rows for node in row}
    given = {id for id, node in nodes.items() if node.kind == "input"}
    if not nodes.keys() & (components.keys() | (given & present)):
        return ()
    drawn = []
    for row in rows:
        steps = []
        for node in row:
            if node.id not in present:
                continue
            found = (s for name in node.inputs for s in _sources(name, nodes, present))
            inputs = tuple(dict.fromkeys(found))
            if node.id in components:
                steps.append(component_step(node, components[node.id], inputs, spec, tower))
            else:
                steps.append(operation_step(node, inputs, spec, kind, tower))
        if steps:
            drawn.append(tuple(steps))
    return tuple(drawn)


def _norm_last(rows: tuple[tuple[Node, ...], ...]) -> tuple[tuple[tuple[Node, ...], ...], bool]:
    """The rows with the norm of the sum last, and whether there is one. A family may name it as
    others name the norm before the sublayer."""
    first, last = rows[0][0], rows[-1][-1]
    if len(rows) > 1 and last.kind == "norm":
        return rows, True
    if len(rows) < 2 or len(rows[0]) > 1 or first.kind != "norm":
        return rows, False
    rest = tuple(
        tuple(
            replace(step, inputs=tuple(name for name in step.inputs if name != first.id))
            for step in row
        )
        for row in rows[1:]
    )
    return (*rest, (replace(first, inputs=(last.id,)),)), True


def _plain(
    components: Mapping[str, Component], spec: ModelSpec, tower: str, *, beside: bool = False
) -> tuple[Sublayer, ...]:
    """A stack of what the names say, one component a row; ``beside``: off the data's way."""
    stages: dict[str, list[str]] = {}
    for component in sorted(components, key=layer_rank):
        name = "Also stored" if beside else _PLAIN_NAMES[int(layer_rank(component)[0])]
        stages.setdefault(name, []).append(component)
    sublayers = []
    for name, members in stages.items():
        rows: list[tuple[Node, ...]] = []
        before: tuple[str, ...] = ()
        for component in members:
            node = plain_node(component, components[component])
            step = component_step(node, components[component], before, spec, tower)
            rows.append((step,))
            before = (component,)
        sublayers.append(Sublayer(name, tuple(rows), adds=not beside and name != "Other"))
    return tuple(sublayers)


def _outside(
    parameters: Iterable[Parameter], spec: ModelSpec
) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The steps before and after the layers."""
    by_tower: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        by_tower.setdefault(parameter.place.tower, []).append(parameter)
    stem: list[Node] = []
    tail: list[Node] = []
    main = spec.shapes.tower
    beside = {p.place.component for p in by_tower.get("", ())}
    sharing = {
        p.place.tower
        for p in spec.parameters
        if main and "embed_tokens" in beside and is_described(spec, p.place.tower)
    } - {"", main}
    for tower in sorted(sharing):
        by_tower.setdefault(tower, [])
    if main in by_tower and not any(p.place.component in beside for p in by_tower[main]):
        # A head beside the towers still reads what the main one gives.
        by_tower[main] += by_tower.pop("", [])
    # Another tower's end leads into the main one, so it comes first.
    for tower, held in sorted(by_tower.items(), key=lambda item: item[0] in ("", main)):
        components = components_of(held)
        present = set(components) | ({"embed.shared"} if tower in sharing else set())
        present |= _outside_operations(present, spec, tower in ("", main))
        own = {f"{tower}.{p.place.component}": p.place for p in held if not p.place.tower}
        for nodes, steps in ((skeleton.STEM, stem), (skeleton.TAIL, tail)):
            rows = tuple((node,) for node in nodes)
            drawn = _draw(rows, components, present, spec, tower)
            # What another tower ends with still comes before the main tower's layers.
            (steps if tower in ("", main) else stem).extend(
                _with_own_id(step, own) for row in drawn for step in row
            )
        known = {node.id for node in (*skeleton.STEM, *skeleton.TAIL)}
        for component in sorted(set(components) - known, key=lambda c: (outside_rank(c), c)):
            node = plain_node(component, components[component])
            step = component_step(node, components[component], (), spec, tower)
            late = tower in ("", main) and not is_before_layers(component)
            (tail if late else stem).append(_with_own_id(step, own))
    return tuple(stem), tuple(tail)


def _with_own_id(step: Node, own: Mapping[str, Place]) -> Node:
    """A step of the main tower's drawing whose components may stand outside of all towers."""
    ids = [own[id].component if id in own else id for id in (step.id, *step.inputs)]
    return replace(step, id=ids[0], inputs=tuple(ids[1:]))


def _outside_operations(present: set[str], spec: ModelSpec, main: bool) -> set[str]:
    """The operations without parameters before and after the layers of the main tower, or of
    another, beside these components."""
    found = set()
    family = spec.family
    added = ("_tokens", "_positions", "_token_types", "_patches", "_class", ".shared")
    if sum(f"embed{name}" in present for name in added) > 1:
        found.add("embed.add")
    if not main:
        return found
    if family is not None and family.embedding_scale:
        found.add("embed.scale")
    if family is not None and family.bare_norms:
        found.add("norm")
    if spec.settings.number("final_logit_softcapping") is not None:
        found.add("lm_head.softcap")
    return found
