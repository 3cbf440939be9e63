"""Meta's and Mistral's ``params.json`` in the words of a ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYS = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "hidden_dim": "intermediate_size",
    "norm_eps": "rms_norm_eps",
    "vocab_size": "vocab_size",
    "rope_theta": "rope_theta",
    "sliding_window": "sliding_window",
    "max_seq_len": "max_position_embeddings",
    "max_position_embeddings": "max_position_embeddings",
    "tied_embeddings": "tie_word_embeddings",
}
_EXPERTS = {"num_experts": "num_local_experts", "num_experts_per_tok": "num_experts_per_tok"}


def as_config(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A config as it is, or the ``params.json`` that stands in its place, translated.

    Only keys that mean the same are taken over, with their values as they are; what ``params.json``
    does not say is left out: a model that names no KV heads has as many as heads.
    """
    if not isinstance(config, Mapping) or "model_type" in config:
        return config
    if not {"dim", "n_layers", "n_heads"} <= config.keys():
        return config
    translation = {theirs: config[own] for own, theirs in _KEYS.items() if own in config}
    moe = config.get("moe")
    if isinstance(moe, Mapping):
        translation |= {theirs: moe[own] for own, theirs in _EXPERTS.items() if own in moe}
    return translation
