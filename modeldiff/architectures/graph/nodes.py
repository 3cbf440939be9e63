"""One node of the drawing: a component or an operation, its shape and what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from modeldiff.architectures.architecture import Node, NodeKind
from modeldiff.architectures.components import NORMS, NodeTemplate
from modeldiff.architectures.config.shapes import oriented
from modeldiff.architectures.families.family import index_of
from modeldiff.architectures.naming.quantised import describe_codes
from modeldiff.architectures.place import Parameter, node_id
from modeldiff.architectures.spec import ModelSpec
from modeldiff.text.magnitudes import activation_name

Component = tuple[Parameter, ...]
"""The parameters of one component in one layer: weight, bias, and the same of each expert."""

_LABELS = {
    "rope": "RoPE",
    "multiply": "×",
    "add": "+",
    "combine": "Weighted sum",
    "encoder": "Encoder's output",
    "shared": "Shared token embedding",
    "scan": "Selective scan",
    "softcap": "Soft cap",
}
"""What operations are called, by the last word of their id; others by that word itself."""

_TABLE_MEANINGS = {
    "embed_tokens": "{0:,} tokens, {1} numbers each",
    "embed_positions": "{0:,} positions, {1} numbers each",
    "lm_head": "a score for each of {0:,} tokens",
}
"""What the rows and columns of a matrix outside the layers are."""

_BY_HEAD = ("q_proj", "q_b_proj", "kv_b_proj", "o_proj")
_BY_KV_HEAD = ("k_proj", "v_proj")
"""The matrices of attention that are a block a head, or a KV head."""


def components_of(parameters: Iterable[Parameter]) -> dict[str, Component]:
    """Parameters grouped by component (tower left out), buffers left out, in the given order."""
    groups: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        if parameter.role != "buffer":
            groups.setdefault(parameter.place.component, []).append(parameter)
    return {component: tuple(group) for component, group in groups.items()}


def component_node(
    template: NodeTemplate,
    component: Component,
    inputs: tuple[str, ...],
    spec: ModelSpec,
    tower: str,
) -> Node:
    """The box of a component with parameters."""
    main = _main(component)
    notes = [_meaning(template, main, spec) if tower == spec.shapes.tower else ""]
    if any(p.place.parameter == "bias" and p is not main for p in component):
        notes.append("with bias")
    if main.role == "tied":
        notes.append(f"the same matrix as {stored_label(main)}")
    if main.transposed:
        notes.append("stored [in, out]")
    if main.codes is not None:
        notes.append(f"quantised: {describe_codes(main.codes)}")
    return Node(
        id=node_id(tower, template.id),
        label=template.id if main.role == "tied" else stored_label(main),
        kind=template.kind,
        inputs=tuple(node_id(tower, name) for name in inputs),
        shape=_shape_text(main, template.kind),
        detail=", ".join(note for note in notes if note),
    )


def operation_node(
    template: NodeTemplate, inputs: tuple[str, ...], spec: ModelSpec, layer_kind: str, tower: str
) -> Node:
    """The box of an operation without parameters, or of a norm that has none."""
    part = template.id.rpartition(".")[2]
    # The config's numbers are of the family's own towers, not of what looks beside them.
    own = is_described(spec, tower)
    if template.kind == "norm":
        detail = "without parameters"
    else:
        detail = _DETAILS[part](spec, layer_kind) if own and part in _DETAILS else ""
    return Node(
        id=node_id(tower, template.id),
        label=_operation_label(template, spec, own),
        kind="input" if template.kind == "input" else "operation",
        inputs=tuple(node_id(tower, name) for name in inputs),
        detail=detail,
    )


def is_described(spec: ModelSpec, tower: str) -> bool:
    """Whether a tower is one that the family's description speaks of."""
    family = spec.family
    return family is not None and tower in ("", family.beyond, *family.towers.values())


def plain_template(component: str, parameters: Component) -> NodeTemplate:
    """A template for a component that the common graph lacks, by its shape and its name."""
    shape = _main(parameters).tensor.shape
    name = component.lower()
    kind: NodeKind = "parameter"
    if component in NORMS or (("norm" in name or "ln" in name) and len(shape) <= 1):
        kind = "norm"
    elif len(shape) >= 2:
        kind = "embedding" if "emb" in name and len(shape) == 2 else "linear"
    return NodeTemplate(component, kind)


def stored_label(parameter: Parameter) -> str:
    """The last word of the stored name that is no parameter and no number, with its part where the
    tensor is fused: ``w1``, ``c_attn (k)``."""
    tensor, place = parameter.tensor, parameter.place
    words = tensor.name.split(".")
    if len(words) > 1 and words[-1] == place.parameter:
        words.pop()
    label = words[-1]
    if not label or index_of(label) is not None:
        label = next((w for w in reversed(words) if w and index_of(w) is None), tensor.name)
    part = place.component.rpartition(".")[2].removesuffix("_proj")
    return f"{label} ({part})" if part and tensor.slice.startswith(part) else label


def _main(component: Component) -> Parameter:
    for parameter in component:
        if parameter.place.parameter == "weight":
            return parameter
    return component[0]


def _shape_text(parameter: Parameter, kind: NodeKind) -> str:
    shape = oriented(parameter)
    if len(shape) == 2 and kind == "linear":
        return f"{shape[1]} → {shape[0]}"
    if not shape:
        return "1" if parameter.codes is None else "codes"
    return " × ".join(map(str, shape))


def _operation_label(template: NodeTemplate, spec: ModelSpec, own: bool) -> str:
    part = template.id.rpartition(".")[2]
    if template.kind == "norm":
        return spec.norm or "Norm"
    if part == "activation":
        spelling = spec.activation if own else None
        return activation_name(spelling.value) if spelling else "Activation"
    if part == "scale":
        return spec.family.embedding_scale if spec.family else ""
    return _LABELS.get(part, part.capitalize())


def _meaning(template: NodeTemplate, main: Parameter, spec: ModelSpec) -> str:
    """What the numbers of a shape mean, where we know it."""
    shape = oriented(main)
    name, _, part = template.id.rpartition(".")
    if template.kind == "norm":
        return _norm_meaning(part, shape, spec)
    if template.id == "mlp.router":
        return _routing(spec)
    if part == "gate_up_proj":
        return "gate and up in one matrix"
    if len(shape) != 2:
        return ""
    if template.id in _TABLE_MEANINGS:
        return _TABLE_MEANINGS[template.id].format(*shape)
    if name == "self_attn":
        return _attention_meaning(part, shape, spec)
    if part in ("gate_proj", "up_proj", "down_proj"):
        wide, narrow = (shape[1], shape[0]) if part == "down_proj" else shape
        # Experts are often narrower than the model: a share of its width would explain nothing.
        notes = [_ratio(wide, narrow) if wide > narrow > 0 else ""]
        notes.append(_routing(spec) if name == "mlp.experts" else "")
        return ", ".join(note for note in notes if note)
    return ""


def _ratio(wide: int, narrow: int) -> str:
    ratio = f"{wide / narrow:.3g}"
    return f"{wide} {'=' if float(ratio) * narrow == wide else '≈'} {ratio} × {narrow}"


def _norm_meaning(part: str, shape: tuple[int, ...], spec: ModelSpec) -> str:
    words, head_dim = spec.norm or "", spec.dimensions.head_dim
    if words and spec.family is not None and spec.family.norm_weight_plus_one:
        words += " scaled by 1 + weight"
    if part in ("q_norm", "k_norm") and head_dim is not None:
        words += ", the same for each head" if shape == (head_dim.value,) else ", over all heads"
    epsilon = spec.settings.number("rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps")
    return words + (f", ε {epsilon.value:g}" if epsilon and words else "")


def _attention_meaning(part: str, shape: tuple[int, ...], spec: ModelSpec) -> str:
    if part in _BY_HEAD or part in _BY_KV_HEAD:
        return _head_meaning(part, shape, spec)
    compressed = spec.shapes["self_attn.kv_a_layernorm"]
    if part == "kv_a_proj" and compressed is not None and 0 < compressed.out < shape[0]:
        rest = shape[0] - compressed.out
        return f"{shape[0]} = {compressed.out} compressed + {rest} for positions"
    heads, kv_heads = spec.dimensions.heads, spec.dimensions.kv_heads
    head_dim = spec.dimensions.head_dim
    if part == "qkv_proj" and heads and kv_heads and head_dim:
        query, key = heads.value * head_dim.value, kv_heads.value * head_dim.value
        if query + 2 * key == shape[0]:
            return f"{shape[0]} = q {query} + k {key} + v {key}"
    return ""


def _head_meaning(part: str, shape: tuple[int, ...], spec: ModelSpec) -> str:
    """How many heads a matrix is made of, and how wide each is; empty where that is no division
    without rest."""
    heads, kv_heads = spec.dimensions.heads, spec.dimensions.kv_heads
    count = kv_heads if part in _BY_KV_HEAD else heads
    width = shape[1] if part == "o_proj" else shape[0]
    if count is None or width % count.value:
        return ""
    grouped = heads is not None and kv_heads is not None and heads.value != kv_heads.value
    word = "KV head" if grouped and part in _BY_KV_HEAD else "head"
    plural = "" if count.value == 1 else "s"
    return f"{width} = {count.value} {word}{plural} × {width // count.value}"


def _heads(spec: ModelSpec, layer_kind: str) -> str:
    heads, kv_heads = spec.dimensions.heads, spec.dimensions.kv_heads
    words = []
    if heads:
        words.append(f"{heads.value} heads")
        if kv_heads and kv_heads.value != heads.value:
            words.append(f"{kv_heads.value} KV head{'s' if kv_heads.value > 1 else ''}")
    if spec.positions.kind and spec.positions.kind.value == "ALiBi":
        words.append("ALiBi")
    window = spec.positions.window
    if window and (not layer_kind or "sliding" in layer_kind):
        words.append(f"window of {window.value:,}")
    return ", ".join(words)


def _rope(spec: ModelSpec, layer_kind: str) -> str:
    theta, scaling = spec.positions.theta, spec.positions.scaling
    own = spec.positions.sliding_theta
    if own is not None and "sliding" in layer_kind:
        theta, scaling = own, None
    words = [f"θ {theta.value:,.10g}"] if theta else []
    if scaling and scaling.value != "none":
        words.append(scaling.value)
    return ", ".join(words)


def _routing(spec: ModelSpec) -> str:
    experts, chosen = spec.dimensions.experts, spec.dimensions.experts_per_token
    if not experts:
        return ""
    return f"{experts.value} experts" + (f", {chosen.value} a token" if chosen else "")


def _softcap(spec: ModelSpec) -> str:
    cap = spec.settings.number("final_logit_softcapping")
    return f"at ± {cap.value:g}" if cap else ""


_DETAILS: Mapping[str, Callable[[ModelSpec, str], str]] = {
    "rope": _rope,
    "attention": _heads,
    "combine": lambda spec, _: _routing(spec),
    "softcap": lambda spec, _: _softcap(spec),
}
"""What the config says of an operation, by the last word of its id and the kind of layer."""
