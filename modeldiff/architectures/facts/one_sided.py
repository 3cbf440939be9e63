"""What it means that only one of two models has something, in one plain sentence."""

from __future__ import annotations

from modeldiff.architectures.architecture import Architecture, Fact
from modeldiff.architectures.spec import UNKNOWN

RESTS_ON = {"memory_bytes": "kv_cache_bytes"}
"""What is estimated for lack of another fact: known of both sides where that is."""


def one_sided(
    base: Fact | None, target: Fact | None, whose: tuple[Architecture, Architecture]
) -> str:
    """One sentence on what only one side is known to have; "" where neither is known.

    That the other has none is said where it would be known: of a family that is described, and
    for what only a config says, of one that has a config.
    """
    one = base or target
    if one is None:
        return ""
    who, other = ("The base", "the target") if target is None else ("The target", "the base")
    if absence_is_told(base, target, whose):
        text = _bias_words(one) if one.key.endswith("_bias") else one.text
        return _ONE_SIDED[one.key].format(who=who, other=other, text=text)
    return f"{who}: {one.text}; not known of {other}."


def absence_is_told(
    base: Fact | None, target: Fact | None, whose: tuple[Architecture, Architecture]
) -> bool:
    """Whether the model of ``whose`` that lacks a fact is known to have no such thing."""
    one = base or target
    without = whose[1] if target is None else whose[0]
    return one is not None and one.key in _ONE_SIDED and _would_be_known(one.key, without)


def _bias_words(bias: Fact) -> str:
    if not bias.value:
        return "no bias"
    return "with a bias" if bias.text == "yes" else f"bias {bias.text}"


def _would_be_known(key: str, without: Architecture) -> bool:
    """Whether a model that has this would show it, so that its absence says something."""
    if without.family == UNKNOWN or (key in _BY_CONFIG and not without.entries):
        return False
    if key == "parameters_active":
        return without.fact("experts") is None
    if key == "parameters_head":
        tied = without.fact("tied_head")
        return tied is not None and tied.value is True
    if key == "mlp":
        return not any(map(without.fact, ("intermediate_size", "mlp_bias", "experts")))
    if key in ("rope_theta", "rope_scaling"):
        return without.fact("position") is not None and not _turns(without)
    if key in ("kv_cache_bytes_per_token", "kv_cache_bytes"):
        return without.fact("attention") is None
    return True


def _turns(model: Architecture) -> bool:
    position = model.fact("position")
    return position is not None and "RoPE" in position.text


_BY_CONFIG = frozenset(
    {
        "heads",
        "kv_heads",
        "head_dim",
        "attention",
        "attention_softcap",
        "logit_softcap",
        "rope_share",
        "sliding_window",
        "sliding_layers",
        "rope_theta",
        "rope_theta_sliding",
        "rope_scaling",
        "mlp",
        "experts_per_token",
        "kv_cache_bytes_per_token",
        "kv_cache_bytes",
    }
)
"""What nobody knows without a config."""

_ATTENDS = "{who} has attention ({text}), {other} has none."

_ONE_SIDED = {
    **dict.fromkeys(("heads", "kv_heads", "head_dim", "attention"), _ATTENDS),
    "kv_latent": "{who} caches keys and values as one vector ({text}), {other} does not.",
    "qkv_bias": "{who} has plain matrices for queries, keys and values ({text}), {other} has no "
    "such matrices.",
    "o_bias": _ATTENDS.replace("{text}", "at its output: {text}"),
    "qk_norm": _ATTENDS.replace("{text}", "norms of queries and keys: {text}"),
    "attention_softcap": "{who} soft-caps attention scores at {text}, {other} does not.",
    "logit_softcap": "{who} soft-caps its logits at {text}, {other} does not.",
    "rope_share": "{who} rotates a part of each head ({text}), {other} all of it.",
    "towers": "{who} has more than one stack of layers ({text}), {other} has one.",
    "expert_layers": "{who} has experts in {text} layers, {other} has none.",
    "kv_cache_bytes_per_token": "{who} caches {text} per token, {other} nothing.",
    "kv_cache_bytes": "{who} caches {text} at full context, {other} nothing.",
    "parameters_embedding": "{who} has embeddings, {other} has none.",
    "intermediate_size": "{who} has an MLP for all tokens ({text} wide), {other} has none.",
    "mlp": "{who} has an MLP ({text}), {other} has none.",
    "sliding_window": "{who} has a sliding window of {text}, {other} has none.",
    "sliding_layers": "{who} has sliding-window layers ({text}), {other} has none.",
    "sinks": "{who} has attention sinks, {other} has none.",
    "rope_theta_sliding": "{who} has a θ of its own for sliding-window layers, {other} has one θ "
    "for all.",
    "rope_theta": "{who} rotates queries and keys by position (RoPE), {other} does not.",
    "rope_scaling": "{who} rotates queries and keys by position (RoPE), {other} does not.",
    "experts": "{who} has {text} experts per MoE layer, {other} has one MLP.",
    "experts_per_token": "{who} routes each token to {text} of its experts.",
    "expert_size": "{who} has experts of width {text}, {other} has none.",
    "shared_expert": "{who} has a shared expert ({text}), {other} has none.",
    "mlp_bias": "{who} has an MLP for all tokens ({text}), {other} has no such MLP.",
    "parameters_active": "{who} has {text} parameters active per token, {other} uses all.",
    "parameters_experts": "{who} has routed experts, {other} has none.",
    "parameters_mlp": "{who} has plain MLPs, {other} has none.",
    "parameters_attention": "{who} has attention, {other} has none.",
    "parameters_mixer": "{who} has state-space layers, {other} has none.",
    "parameters_head": "{who} stores a head of its own, {other} ties it to its embedding.",
    "parameters_other": "{who} stores parameters beside these parts, {other} stores none.",
}
