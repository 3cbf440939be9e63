"""A GGUF's metadata in the words of a ``config.json``: what llama.cpp kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modeldiff.checkpoints.formats.gguf.metadata import Metadata, Value
from modeldiff.processes.late_dataclass import dataclass

_KEYS: Mapping[str, str] = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.layer_norm_epsilon": "layer_norm_eps",
    "attention.sliding_window": "sliding_window",
    "attention.q_lora_rank": "q_lora_rank",
    "attention.kv_lora_rank": "kv_lora_rank",
    "context_length": "max_position_embeddings",
    "rope.freq_base": "rope_theta",
    "vocab_size": "vocab_size",
    "expert_count": "num_local_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_count": "n_shared_experts",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "leading_dense_block_count": "first_k_dense_replace",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "ssm.conv_kernel": "conv_kernel",
    "ssm.state_size": "state_size",
    "ssm.inner_size": "mamba_d_inner",
    "ssm.time_step_rank": "time_step_rank",
    "ssm.group_count": "n_groups",
}
"""Behind the architecture's name and a dot."""
_LINEAR_ATTENTION = ("qwen3next", "qwen35", "qwen35moe")
_LINEAR_WORDS: Mapping[str, str] = {
    "num_local_experts": "num_experts",
    "conv_kernel": "linear_conv_kernel_dim",
    "state_size": "linear_key_head_dim",
    "n_groups": "linear_num_key_heads",
    "time_step_rank": "linear_num_value_heads",
    "mamba_d_inner": "",  # said by heads and the size of one
}
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "deepseek2": {"num_local_experts": "n_routed_experts"},
    "glm4moe": {"num_local_experts": "n_routed_experts"},
    "qwen2moe": {"num_local_experts": "num_experts"},
    "qwen3moe": {"num_local_experts": "num_experts"},
    "olmoe": {"num_local_experts": "num_experts"},
    **dict.fromkeys(_LINEAR_ATTENTION, _LINEAR_WORDS),
}
_SCALINGS = {"linear", "yarn", "longrope"}
_SCORING = {1: "softmax", 2: "sigmoid"}


@dataclass(frozen=True)
class ModelMetadata:
    """What the metadata says of the model; each entry may be missing or absurd."""

    metadata: Metadata
    counts: Mapping[str, int]

    @property
    def architecture(self) -> str:
        """llama.cpp's name of it; empty where none is said."""
        word = self.metadata.get("general.architecture")
        return word if isinstance(word, str) and len(word) <= 100 else ""

    def value(self, key: str) -> Value | None:
        """The architecture's own entry. Of a list, as hybrids have one number a layer, the one
        that all or most layers have."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            known = [each for each in value if each]
            return max(set(known), key=known.count) if known else None
        return value

    def count(self, key: str) -> int:
        """A whole number of it, 0 where there is none."""
        value = self.value(key)
        return value if type(value) is int and value > 0 else 0

    def count_in(self, layer: int, key: str) -> int:
        """A whole number of one layer, where they have one each; else the one of all."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        if not isinstance(value, tuple):
            return self.count(key)
        own = value[layer] if layer < len(value) else 0
        return own if type(own) is int and own > 0 else 0

    @property
    def own_layers(self) -> int:
        """The layers without those that only predict tokens further on."""
        return max(self.count("block_count") - self.count("nextn_predict_layers"), 0)

    @property
    def value_head_size(self) -> int:
        """The rows of a value head of a linear attention; 0 where that is not said."""
        heads = self.count("ssm.time_step_rank")
        return self.count("ssm.inner_size") // heads if heads else 0

    def config(self, model_type: str, *, tied: bool, vocabulary: int) -> Mapping[str, Any]:
        """As transformers would have it. ``tied``: no head is stored. ``vocabulary`` are the rows
        of the embedding."""
        config: dict[str, Any] = {"model_type": model_type} if model_type else {}
        renamed = _RENAMED.get(self.architecture, {})
        for key, name in _KEYS.items():
            value = self.value(key)
            called = renamed.get(name, name)
            if called and value is not None and not (isinstance(value, int) and value == 0):
                config[called] = value
        if self.architecture in _LINEAR_ATTENTION:
            config["num_hidden_layers"] = self.own_layers
            if size := self.value_head_size:
                config["linear_value_head_dim"] = size
        if vocabulary:
            config["vocab_size"] = vocabulary
        config["tie_word_embeddings"] = tied
        if scaling := self._rope_scaling():
            config["rope_scaling"] = scaling
        if word := _SCORING.get(self.count("expert_gating_func")):
            config["scoring_func"] = word
        return config

    def _rope_scaling(self) -> Mapping[str, Any] | None:
        kind, factor = self.value("rope.scaling.type"), self.value("rope.scaling.factor")
        if kind not in _SCALINGS or not isinstance(factor, int | float):
            return None
        scaling: dict[str, Any] = {"rope_type": kind, "factor": factor}
        if original := self.count("rope.scaling.original_context_length"):
            scaling["original_max_position_embeddings"] = original
        return scaling

    def words(self) -> Mapping[str, str]:
        """The short texts of the metadata, and its numbers, as texts."""
        return {
            key: str(value)
            for key, value in self.metadata.items()
            if not isinstance(value, tuple) and len(str(value)) <= 1000
        }
