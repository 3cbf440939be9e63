"""Where components stand in a layer and outside of the layers, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modeldiff.architectures.components import ORDER, STEM, TAIL

# Stages of a layer of no known family, by the words that people use for them: whichever stage
# names one of its words in a component first. Within a stage, q before k before v and so on.
_STAGES: tuple[tuple[str, ...], ...] = (
    ("input_layernorm", "input_norm", "attention_norm", "attn_norm", "ln_1", "ln1", "norm1"),
    ("attn", "attention", "mixer", "ssm", "mamba", "time_mix", "conv", "rnn"),
    ("post_attention", "ffn_norm", "mlp_norm", "ln_2", "ln2", "norm2", "ffn_layernorm"),
    ("mlp", "ffn", "feed_forward", "moe", "expert", "channel_mix", "fc", "dense"),
)
_TURNS: tuple[tuple[str, ...], ...] = (
    ("norm", "ln"),
    ("router", "gate", "w1"),
    ("q", "q_proj", "wq", "query", "in_proj"),
    ("k", "k_proj", "wk", "key"),
    ("v", "v_proj", "wv", "value"),
    ("up", "up_proj", "fc1", "w3", "fc_in", "dense_h_to_4h", "wi"),
    ("qkv", "query_key_value", "c_attn", "wqkv", "qkv_proj"),
    ("o", "o_proj", "out", "wo", "output", "out_proj", "proj"),
    ("down", "down_proj", "fc2", "w2", "fc_out", "dense_4h_to_h"),
)
_STAGE_WORDS = tuple(re.compile("|".join(words)) for words in _STAGES)
_TURN_OF = {word: turn for turn, words in reversed([*enumerate(_TURNS)]) for word in words}
_STAGE_STARTS = ("self_attn.q_a_proj", "post_attention_layernorm", "mlp.router")
_OUTSIDE = {node.id: rank for rank, node in enumerate((*STEM, *TAIL))}
_MIDDLE = len(STEM) - 0.5
_BEFORE_LAYERS = re.compile("emb|wte|wpe|token|patch|conv|projector")

Key = tuple[float, ...]


def layer_rank(component: str) -> Key:
    """Where a component stands in its layer: known ones as in the common graph, others by words."""
    if component in ORDER:
        rank = ORDER[component]
        stage = sum(rank >= ORDER[first] for first in _STAGE_STARTS)
        return (stage, 0, rank)
    name = component.lower()
    stage = next((s for s, words in enumerate(_STAGE_WORDS) if words.search(name)), len(_STAGES))
    return (stage, 1, _TURN_OF.get(name.rpartition(".")[2], len(_TURNS)))


def outside_rank(component: str) -> Key:
    """Where a component outside the layers stands; see ``is_before_layers`` for unknown ones."""
    if component in _OUTSIDE:
        return (_OUTSIDE[component],)
    name = component.lower()
    if _BEFORE_LAYERS.search(name):
        return (0.5,)
    return (_MIDDLE + 0.25 if "norm" in name or "ln" in name else len(_OUTSIDE),)


def is_before_layers(component: str) -> bool:
    """Whether a component outside the layers comes before them: embeddings and what leads data in
    by its words; anything else that is not known is taken to come after."""
    return stands_before(outside_rank(component))


def stands_before(rank: Key) -> bool:
    """As ``is_before_layers``, of what is known by its ``outside_rank``."""
    return rank < (_MIDDLE,)


def merge_columns(base: Sequence[str], target: Sequence[str]) -> tuple[str, ...]:
    """One order for both sides: base's, with what only target has after target's own neighbour.

    >>> merge_columns(("norm", "q", "o"), ("norm", "q", "q.bias", "o", "post"))
    ('norm', 'q', 'q.bias', 'o', 'post')
    """
    known = set(base)
    followers: dict[str | None, list[str]] = {}
    anchor = None
    for column in dict.fromkeys(target):
        if column in known:
            anchor = column
        else:
            followers.setdefault(anchor, []).append(column)
    merged = followers.get(None, [])
    for column in dict.fromkeys(base):
        merged += [column, *followers.get(column, ())]
    return tuple(merged)
