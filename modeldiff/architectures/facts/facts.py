"""The facts about an architecture, each with where it comes from; tensors win over the config."""

from __future__ import annotations

from collections.abc import Iterator

from modeldiff.architectures.architecture import Fact, FactValue
from modeldiff.architectures.config.config_values import Setting
from modeldiff.architectures.config.dimensions import Dimension
from modeldiff.architectures.config.positions import slides
from modeldiff.architectures.config.shapes import Stored
from modeldiff.architectures.facts.memory import footprint_facts
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.spec import UNKNOWN, ModelSpec
from modeldiff.text.magnitudes import activation_name, short_count


def read_facts(spec: ModelSpec) -> tuple[Fact, ...]:
    """All facts that tensors, config or family say, in the order in which they are shown."""
    return (
        *_identity(spec),
        *_sizes(spec),
        *_attention(spec),
        *_norms(spec),
        *_positions(spec),
        *_mlp(spec),
        *_vocabulary(spec),
        *footprint_facts(spec),
    )


def _number(key: str, label: str, dimension: Dimension | None, unit: str = "") -> Iterator[Fact]:
    if dimension is not None:
        text = f"{dimension.value:,}{unit}"
        if dimension.contradiction:
            text += f" ({dimension.contradiction})"
        yield Fact(key, label, dimension.value, text, dimension.source)


def _of_setting(key: str, label: str, setting: Setting[str] | None) -> Iterator[Fact]:
    if setting is not None:
        yield Fact(key, label, setting.value, setting.value, setting.source)


def _stored(key: str, label: str, value: FactValue, text: str, tensor: Stored | None) -> Fact:
    return Fact(key, label, value, text, f"tensor: {tensor.name}" if tensor else "tensors")


def _identity(spec: ModelSpec) -> Iterator[Fact]:
    source = "config: model_type" if spec.model_type else "tensor names"
    name = spec.model_type or (_type_told_by_names(spec.family) if spec.family else UNKNOWN)
    yield Fact("family", "Family", name, spec.title, source)


def _type_told_by_names(family: Family) -> str:
    """The model type that transformers has for the models of these names, where it is known."""
    title = next(iter(family.model_types.values()), "")
    same = (kind for kind, known in family.model_types.items() if kind and known == title)
    return next(same, family.name)


_MOST_TOWERS = 24
"""So many towers are told one by one: no known model has half as many, made-up names thousands."""


def _sizes(spec: ModelSpec) -> Iterator[Fact]:
    dimensions = spec.dimensions
    yield from _number("layers", "Layers", dimensions.layers)
    yield from _number("hidden_size", "Hidden size", dimensions.hidden)
    yield from _number("intermediate_size", "MLP size", dimensions.intermediate)
    yield from _towers(spec)


def _towers(spec: ModelSpec) -> Iterator[Fact]:
    """The stacks beside the one that all other facts speak of."""
    stacks = spec.composition.stacks
    beside = (tower for tower in stacks if tower not in ("", spec.shapes.tower))
    counts = [(tower, len(stacks[tower].layers)) for tower in sorted(beside)]
    counts = [(tower, count) for tower, count in counts if count]
    if counts:
        texts = [
            f"{tower}: {count:,} layers, {short_count(stacks[tower].elements)} parameters"
            for tower, count in counts[:_MOST_TOWERS]
        ]
        if len(counts) > len(texts):
            texts.append(f"and {len(counts) - len(texts):,} more")
        value = ", ".join([f"{tower} {count}" for tower, count in counts])
        yield Fact("towers", "Other towers", value, "; ".join(texts), "tensors")


def _attention(spec: ModelSpec) -> Iterator[Fact]:
    dimensions, shapes = spec.dimensions, spec.shapes
    yield from _number("heads", "Attention heads", dimensions.heads)
    yield from _number("kv_heads", "KV heads", dimensions.kv_heads)
    yield from _number("head_dim", "Head dim", dimensions.head_dim)
    yield from _attention_kind(spec)
    window = spec.positions.window
    if window is not None:
        text = f"{window.value:,} tokens"
        yield Fact("sliding_window", "Sliding window", window.value, text, window.source)
        kinds = spec.positions.kinds
        slide = sum(map(slides, kinds))
        text = f"{slide} of {len(kinds)}" if slide < len(kinds) else "all"
        yield Fact("sliding_layers", "Sliding-window layers", text, text, window.source)
    sinks = shapes["self_attn.sinks"]
    if sinks is not None:
        yield _stored("sinks", "Attention sinks", True, "one learned score per head", sinks)
    projections = ("q_proj", "k_proj", "v_proj", "qkv_proj")
    weights = [p for p in projections if f"self_attn.{p}" in shapes]
    if weights:
        biased = [p for p in projections if f"self_attn.{p}.bias" in shapes]
        names = ", ".join(", ".join(p.removesuffix("_proj")) for p in biased)
        text = f"on {names}" if biased else "none"
        tensor = shapes.first(f"self_attn.{(biased or weights)[0]}{'.bias' if biased else ''}")
        yield _stored("qkv_bias", "QKV bias", bool(biased), text, tensor)
    if "self_attn.o_proj" in shapes:
        bias = shapes["self_attn.o_proj.bias"]
        text = "yes" if bias else "none"
        tensor = bias or shapes["self_attn.o_proj"]
        yield _stored("o_bias", "Attention output bias", bias is not None, text, tensor)
    if weights or "self_attn.q_b_proj" in shapes:
        yield _qk_norm(spec)
    yield from _cap("attention_softcap", "Attention soft cap", "attn_logit_softcapping", spec)


def _cap(key: str, label: str, setting: str, spec: ModelSpec) -> Iterator[Fact]:
    """A soft cap of scores."""
    cap = spec.settings.number(setting)
    if cap is not None:
        yield Fact(key, label, cap.value, f"± {cap.value:g}", cap.source)


def _attention_kind(spec: ModelSpec) -> Iterator[Fact]:
    heads, kv_heads = spec.dimensions.heads, spec.dimensions.kv_heads
    latent = spec.shapes["self_attn.kv_a_proj"]
    if latent is not None:
        text = "MLA: keys and values of all heads are computed from one compressed vector"
        yield _stored("attention", "Attention", "MLA", text, latent)
        text = f"{latent.out:,} numbers per token"
        yield _stored("kv_latent", "Compressed keys and values", latent.out, text, latent)
    elif heads is not None and kv_heads is not None:
        if kv_heads.value == heads.value:
            kind, text = "MHA", "MHA: each head has its own keys and values"
        elif kv_heads.value == 1:
            kind, text = "MQA", "MQA: all query heads share one KV head"
        else:
            kind, text = "GQA", "GQA: groups of query heads share one KV head"
        yield Fact("attention", "Attention", kind, text, kv_heads.source)


def _qk_norm(spec: ModelSpec) -> Fact:
    norm, head_dim = spec.shapes["self_attn.q_norm"], spec.dimensions.head_dim
    if norm is None:
        return Fact("qk_norm", "Q and K norms", "none", "none", "tensors")
    per_head = head_dim is not None and norm.out == head_dim.value
    text = "one per head" if per_head else "over all heads together"
    return _stored("qk_norm", "Q and K norms", text, text, norm)


def _norms(spec: ModelSpec) -> Iterator[Fact]:
    shapes, family = spec.shapes, spec.family
    if spec.norm is not None:
        norm = shapes.first("norm.bias", "norm", "input_layernorm")
        text = spec.norm
        if family is not None and family.bare_norms:
            text += " without parameters"
        elif family is not None and family.norm_weight_plus_one:
            text += ", scaled by 1 + weight"
        yield _stored("norm", "Norm", text, text, norm)
    epsilon = spec.settings.number(
        "rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps", "norm_eps", "norm_epsilon"
    )
    if epsilon is not None:
        yield Fact("norm_eps", "Norm ε", epsilon.value, f"{epsilon.value:g}", epsilon.source)
    before = shapes.first("input_layernorm", "post_attention_layernorm")
    after = shapes.first("post_self_attn_layernorm", "post_mlp_layernorm")
    if spec.norms_the_stream:
        text = "after each addition"
        yield _stored("norm_placement", "Norm placement", text, text, after or before)
        return
    placement = {
        (True, False): "before each sublayer",
        (False, True): "after each sublayer",
        (True, True): "before and after each sublayer",
    }.get((before is not None or bool(family and family.bare_norms), after is not None))
    if placement is not None:
        yield _stored("norm_placement", "Norm placement", placement, placement, after or before)


def _positions(spec: ModelSpec) -> Iterator[Fact]:
    positions = spec.positions
    yield from _of_setting("position", "Positions", positions.kind)
    if positions.theta is not None:
        theta = positions.theta
        yield Fact("rope_theta", "RoPE θ", theta.value, f"{theta.value:,.10g}", theta.source)
    own = positions.sliding_theta
    if own is not None:
        label = "RoPE θ of sliding-window layers"
        yield Fact("rope_theta_sliding", label, own.value, f"{own.value:,.10g}", own.source)
    scaling = positions.scaling
    if scaling is not None:
        text = ": ".join(word for word in (scaling.value, positions.scaling_words) if word)
        yield Fact("rope_scaling", "RoPE scaling", scaling.value, text, scaling.source)
    share = positions.share
    if share is not None and share.value < 1:
        text = f"{100 * share.value:g} % of each head is rotated"
        yield Fact("rope_share", "RoPE share", share.value, text, share.source)


def _mlp(spec: ModelSpec) -> Iterator[Fact]:
    dimensions, shapes = spec.dimensions, spec.shapes
    spelling = spec.activation
    if spelling is not None:
        name = activation_name(spelling.value)
        yield Fact("activation", "Activation", name, name, spelling.source)
        if spec.gated is not None:
            kind = name.partition(" ")[0]
            glu = {"SiLU": "SwiGLU", "GELU": "GeGLU", "ReLU": "ReGLU"}.get(kind, f"gated {kind}")
            mlp = glu if spec.gated else f"plain {kind}"
            tensor = shapes.first("mlp.gate_proj", "mlp.up_proj", "mlp.experts.gate_proj")
            yield _stored("mlp", "MLP", mlp, mlp, tensor)
    if "mlp.up_proj" in shapes or "mlp.gate_up_proj" in shapes:
        bias = shapes.first("mlp.up_proj.bias", "mlp.gate_up_proj.bias", "mlp.down_proj.bias")
        tensor = bias or shapes.first("mlp.up_proj", "mlp.gate_up_proj")
        yield _stored("mlp_bias", "MLP bias", bias is not None, "yes" if bias else "none", tensor)
    if "mlp.router" in shapes:
        yield from _number("experts", "Experts", dimensions.experts)
        yield from _number("experts_per_token", "Experts per token", dimensions.experts_per_token)
        yield from _number("expert_size", "Expert size", dimensions.expert_width)
        routed = {
            p.place.layer
            for p in spec.parameters
            if p.place.component == "mlp.router" and p.place.tower == shapes.tower
        }
        layers = len(shapes.layers)
        text = f"{len(routed)} of {layers}" if len(routed) < layers else f"all {layers}"
        tensor = shapes["mlp.router"]
        yield _stored("expert_layers", "MoE layers", len(routed), text, tensor)
        shared = shapes.first("mlp.shared_expert.up_proj", "mlp.shared_expert.gate_proj")
        if shared is not None:
            count = spec.settings.count("n_shared_experts", "num_shared_experts")
            text = f"{count.value if count else 1:,}, {shared.out:,} wide in all"
            yield _stored("shared_expert", "Shared expert", shared.out, text, shared)


def _vocabulary(spec: ModelSpec) -> Iterator[Fact]:
    yield from _number("vocabulary", "Vocabulary", spec.dimensions.vocabulary)
    yield from _number("context", "Context", spec.dimensions.context, " tokens")
    yield from _cap("logit_softcap", "Logit soft cap", "final_logit_softcapping", spec)
    yield from _head(spec)


def _head(spec: ModelSpec) -> Iterator[Fact]:
    """Whether the head is the embedding, by what is stored; a config that says otherwise is named.

    A head of its own in the file beside a flag that ties it is what is stored, and not what
    transformers computes with: it would put the embedding in its place.
    """
    head, tie = spec.shapes["lm_head"], spec.settings.flag("tie_word_embeddings")
    ties = tie.value if tie is not None and tie.in_config else None
    if any(parameter.role == "tied" for parameter in spec.parameters):
        source = tie.source if tie and tie.value else "tensors"
        text = "yes, the embedding is the head" + (
            " (config says not tied)" if ties is False else ""
        )
        yield Fact("tied_head", "Tied head", True, text, source)
    elif head is not None:
        text = "no, a head of its own" + (" is stored (config says tied)" if ties else "")
        yield _stored("tied_head", "Tied head", False, text, head)
    elif ties is False and _writes_words(spec):
        text = "no head is stored (config says not tied)"
        yield Fact("tied_head", "Tied head", "missing", text, "tensors")


def _writes_words(spec: ModelSpec) -> bool:
    """Whether the config's class has a head over the vocabulary."""
    classes = spec.settings.words("architectures")
    return classes is not None and classes.value[0].endswith(("ForCausalLM", "LMHeadModel"))
