"""Where in a drawing of the blocks a fact shows, and a difference of it in the fewest words."""

from __future__ import annotations

import re

from modeldiff.architectures.architecture import Fact, FactPair
from modeldiff.architectures.components import NORMS
from modeldiff.text.formatting import format_bytes
from modeldiff.text.magnitudes import short_count

LAYERS = "layers"
"""Stands for the frame around the layers, which is no node."""
INPUT = "input"
"""Stands for what goes in, which is no node."""

_ATTENTION = ("self_attn.attention",)
_QUERIES = ("self_attn.q_proj", "self_attn.q_b_proj")
_KEYS = ("self_attn.k_proj", "self_attn.v_proj")
_FUSED = ("self_attn.qkv_proj",)
_NORMS = ("input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm", "norm")
_MLP = ("mlp.up_proj", "mlp.gate_proj", "mlp.gate_up_proj", "mlp.down_proj")
_EXPERTS = ("mlp.experts.up_proj", "mlp.experts.gate_proj", "mlp.experts.down_proj")
_ACTIVATION = ("mlp.activation", "mlp.experts.activation")

_AT: dict[str, tuple[str, ...]] = {
    "layers": (LAYERS,),
    "expert_layers": (LAYERS,),
    "hidden_size": ("embed_tokens",),
    "vocabulary": ("embed_tokens", "lm_head"),
    "context": ("embed_positions", INPUT),
    "position": ("self_attn.rope", "embed_positions"),
    "rope_theta": ("self_attn.rope",),
    "rope_theta_sliding": ("self_attn.rope",),
    "rope_scaling": ("self_attn.rope",),
    "rope_share": ("self_attn.rope",),
    "attention": _ATTENTION,
    "heads": (*_ATTENTION, *_QUERIES, "self_attn.o_proj", *_FUSED),
    "kv_heads": (*_ATTENTION, *_KEYS, *_FUSED),
    "kv_latent": ("self_attn.kv_a_proj", *_ATTENTION),
    "head_dim": (*_QUERIES, *_KEYS, *_FUSED, "self_attn.o_proj"),
    "sliding_window": _ATTENTION,
    "sliding_layers": _ATTENTION,
    "attention_softcap": _ATTENTION,
    "sinks": ("self_attn.sinks", *_ATTENTION),
    "qkv_bias": (*_QUERIES, *_KEYS, *_FUSED),
    "o_bias": ("self_attn.o_proj",),
    "qk_norm": ("self_attn.q_norm", "self_attn.k_norm"),
    "norm": (*_NORMS, *sorted(NORMS.difference(_NORMS))),
    "norm_eps": (*_NORMS, *sorted(NORMS.difference(_NORMS))),
    "norm_placement": _NORMS,
    "intermediate_size": _MLP,
    "mlp": (*_ACTIVATION, *_MLP, *_EXPERTS),
    "activation": _ACTIVATION,
    "mlp_bias": _MLP,
    "experts": ("mlp.router",),
    "experts_per_token": ("mlp.router", "mlp.combine"),
    "expert_size": _EXPERTS,
    "shared_expert": ("mlp.shared_expert.up_proj", "mlp.shared_expert.gate_proj"),
    "tied_head": ("lm_head",),
    "logit_softcap": ("lm_head.softcap", "lm_head"),
}
"""The nodes that a fact is about; where it is written is the first of them that is drawn."""

_LONG = 40
"""Letters of an explanation that is no longer brief."""
_NUMBER = re.compile(r"\d[\d,.]*")

# Said at nodes that may be alike on both sides: what is drawn there tells it by itself.
_MARKS_NOTHING = ("norm_placement", "sinks", "mlp")
_MARKS_ONLY = {"context": ("embed_positions",)}


def written_at(key: str) -> tuple[str, ...]:
    """The nodes beside which a difference of this fact is written, the best first; none for a fact
    of the model as a whole."""
    return _AT.get(key, ())


def differing_nodes(pair: FactPair) -> frozenset[str]:
    """The nodes that are drawn as different because of this difference."""
    if not pair.differs or pair.key in _MARKS_NOTHING:
        return frozenset()
    return frozenset(_MARKS_ONLY.get(pair.key, _AT.get(pair.key, ())))


def unclear_nodes(pair: FactPair) -> frozenset[str]:
    """The nodes that this fact is about, where it is known of one side only."""
    return frozenset(_AT.get(pair.key, ())) if pair.one_sided else frozenset()


def is_of_size(pair: FactPair) -> bool:
    """Whether a difference is one of numbers alone: built alike, otherwise large.

    Words that differ in their numbers only (``llama3 ×8``, ``llama3 ×32``) are such, too.
    """
    if pair.base is None or pair.target is None:
        return False
    old, new = pair.base.value, pair.target.value
    if isinstance(old, str) and isinstance(new, str):
        return _NUMBER.sub("0", old) == _NUMBER.sub("0", new) != old
    return all(type(value) in (int, float) for value in (old, new))


def in_brief(pair: FactPair) -> tuple[str, str]:
    """Both sides of a difference in a few words; of base's only what it is called, without a unit
    that target's has, too. A long explanation of target's is left out.

    >>> old = Fact("attention", "Attention", "MHA", "MHA: each head has its own keys", "")
    >>> text = "GQA: groups of query heads share one KV head"
    >>> new = Fact("attention", "Attention", "GQA", text, "")
    >>> in_brief(FactPair("attention", "Attention", old, new, False))
    ('MHA', 'GQA: groups of query heads share one KV head')
    """
    none = "none" if pair.absence_told else "not known"
    old, new = (value_in_brief(fact) if fact else none for fact in (pair.base, pair.target))
    old, new = (_yes_or_no(text) for text in (old, new))
    number, _, unit = old.partition(": ")[0].partition(" ")
    if number.replace(",", "").isdigit() and new.endswith(f" {unit}"):
        return number, new
    name, _, explained = new.partition(": ")
    return old.partition(": ")[0], name if len(explained) > _LONG else new


def value_in_brief(fact: Fact) -> str:
    """A fact's value as short as a card needs it."""
    if fact.key.startswith("parameters") and isinstance(fact.value, int):
        return short_count(fact.value)
    if "_bytes" in fact.key and isinstance(fact.value, int):
        return format_bytes(fact.value)
    return fact.text


def _yes_or_no(text: str) -> str:
    return text.partition(", ")[0] if text.startswith(("yes, ", "no, ")) else text
