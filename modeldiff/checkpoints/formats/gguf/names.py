"""llama.cpp's names → those of transformers' files, architecture by architecture.

llama.cpp calls every model's tensors alike: ``blk.N.attn_q.weight``. Which of transformers' names
that is, its architecture says. A name that is not in the tables keeps its last part, in its layer;
of an architecture that has no table all names stay as they are.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from modeldiff.processes.late_dataclass import dataclass

_QKV = {f"attn_{part}": f"self_attn.{part}_proj" for part in "qkv"}
_QK_NORMS = {f"attn_{part}_norm": f"self_attn.{part}_norm" for part in "qk"}
_ATTENTION = {
    **_QKV,
    **_QK_NORMS,
    "attn_output": "self_attn.o_proj",
    "attn_sinks": "self_attn.sinks",
}
_MLP = {f"ffn_{part}": f"mlp.{part}_proj" for part in ("gate", "up", "down")}
_PRE_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
_LLAMA = {**_ATTENTION, **_MLP, **_PRE_NORMS}
_AFTER_ATTENTION = {"post_attention_norm": "post_attention_layernorm"}
"""Where what llama.cpp calls ``ffn_norm`` is missing, or is another norm."""
_SANDWICH = {
    **_ATTENTION,
    **_MLP,
    **_AFTER_ATTENTION,
    "attn_norm": "input_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_MODEL = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_HEADLESS = re.compile(r"blk\.(?P<layer>\d{1,5})\.(?P<path>.+)", re.ASCII)
_EXPERT = re.compile(r"(?P<part>ffn_(?:gate|up|down))\.(?P<expert>\d{1,5})", re.ASCII)


def _experts(stem: str, gate: str, up: str, down: str) -> Mapping[str, str]:
    """Experts below ``stem``: stacked, as files have them since 2024, and one by one."""
    parts = {"gate": gate, "up": up, "down": down}
    return {
        **{f"ffn_{part}_exps": f"{stem}.{name}" for part, name in parts.items()},
        **{f"ffn_{part}.#": f"{stem}.#.{name}" for part, name in parts.items()},
    }


def _shared(stem: str) -> Mapping[str, str]:
    return {f"ffn_{part}_shexp": f"{stem}.{part}_proj" for part in ("gate", "up", "down")}


_MIXTRAL = {
    **_LLAMA,
    "ffn_gate_inp": "block_sparse_moe.gate",
    **_experts("block_sparse_moe.experts", "w1", "w3", "w2"),
}
_MOE = {
    **_LLAMA,
    "ffn_gate_inp": "mlp.gate",
    "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
    **_experts("mlp.experts", "gate_proj", "up_proj", "down_proj"),
    **_shared("mlp.shared_expert"),
}
_DEEPSEEK = {
    **_MOE,
    **_shared("mlp.shared_experts"),
    "exp_probs_b": "mlp.gate.e_score_correction_bias:",
    "attn_q_a": "self_attn.q_a_proj",
    "attn_q_a_norm": "self_attn.q_a_layernorm",
    "attn_q_b": "self_attn.q_b_proj",
    "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
    "attn_kv_a_norm": "self_attn.kv_a_layernorm",
    "attn_kv_b": "self_attn.kv_b_proj",
    **{f"attn_{part}_b": f"self_attn.{part}_b_proj" for part in "kv"},
    "nextn.eh_proj": "eh_proj",
    "nextn.embed_tokens": "embed_tokens",
    "nextn.enorm": "enorm",
    "nextn.hnorm": "hnorm",
    "nextn.shared_head_head": "shared_head.head",
    "nextn.shared_head_norm": "shared_head.norm",
}
_GPT_OSS = {
    **_ATTENTION,
    "attn_sinks": "self_attn.sinks:",
    **_AFTER_ATTENTION,
    "attn_norm": "input_layernorm",
    "ffn_gate_inp": "mlp.router",
    **_experts("mlp.experts", "gate_proj", "up_proj", "down_proj"),
}
_LINEAR_ATTENTION = {
    "attn_qkv": "linear_attn.in_proj_qkv",
    "attn_gate": "linear_attn.in_proj_z",
    "ssm_in": "linear_attn.in_proj_qkvz",  # as older converters left it
    "ssm_a": "linear_attn.A_log:",
    "ssm_dt": "linear_attn.dt_bias:",
    "ssm_conv1d": "linear_attn.conv1d",
    "ssm_alpha": "linear_attn.in_proj_a",
    "ssm_beta": "linear_attn.in_proj_b",
    "ssm_ba": "linear_attn.in_proj_ba",
    "ssm_norm": "linear_attn.norm",
    "ssm_out": "linear_attn.out_proj",
    **_AFTER_ATTENTION,
}
_QWEN_MTP = {
    "nextn.eh_proj": "fc",
    "nextn.enorm": "pre_fc_norm_embedding",
    "nextn.hnorm": "pre_fc_norm_hidden",
    "nextn.shared_head_norm": "norm",
}
_FUSED = {
    "attn_qkv": "self_attn.qkv_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_up": "mlp.gate_up_proj",
    "ffn_down": "mlp.down_proj",
    **_PRE_NORMS,
}


@dataclass(frozen=True)
class Naming:
    """The names of one architecture: ``outside`` the layers, and in a ``layer`` below ``stack`` and
    its number. ``#`` stands for an expert's number; a name that ends with ``:`` takes no parameter
    behind it. ``beyond`` is for layers that the model does not count, which predict tokens further
    on: below ``mtp.layers``, counted anew, and what is called here, below ``mtp``. ``beside``:
    what other names of a layer mean where the file has this one, too."""

    layer: Mapping[str, str]
    outside: Mapping[str, str] = field(default_factory=lambda: _MODEL)
    stack: str = "model.layers"
    beyond: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of_file(self, stored: Iterable[str]) -> Naming:
        """The names of a file that has those ``stored``."""
        if not self.beside:
            return self
        matches = (_HEADLESS.fullmatch(name) for name in stored)
        there = {match["path"].partition(".")[0] for match in matches if match}
        other = [names for name, names in self.beside.items() if name in there]
        return replace(self, layer=dict(ChainMap(*map(dict, other), dict(self.layer))))

    def name(self, stored: str, layers: int = 0) -> str:
        """What transformers' files call the tensor that the file calls ``stored``; ``layers`` are
        those that the model counts, 0 where nothing says it."""
        match = _HEADLESS.fullmatch(stored)
        if self.beyond and layers and match and int(match["layer"]) >= layers:
            component, _, parameter = match["path"].rpartition(".")
            if component in self.beyond:
                return f"mtp.{self.beyond[component]}.{parameter}"
            within = self._within(f"blk.{int(match['layer']) - layers}.{match['path']}")
            return f"mtp.{within.removeprefix('model.')}"
        return self._within(stored)

    def _within(self, stored: str) -> str:
        if stored.startswith("rope_f"):  # computed from the config, stored for speed
            return f"model.rotary_emb.{stored.partition('.')[0]}"
        match = _HEADLESS.fullmatch(stored)
        table, path = (self.layer, match["path"]) if match else (self.outside, stored)
        component, dot, parameter = path.rpartition(".")
        if not dot or parameter not in ("weight", "bias"):
            component, parameter = path, ""
        expert = _EXPERT.fullmatch(component)
        key = f"{expert['part']}.#" if expert else component
        known = table.get(key)
        if known is None:
            return f"{self.stack}.{match['layer']}.{path}" if match else stored
        known = known.replace("#", expert["expert"]) if expert else known
        whole = known[:-1] if known.endswith(":") else ".".join(filter(None, (known, parameter)))
        return f"{self.stack}.{match['layer']}.{whole}" if match else whole


LLAMA_NAMES = Naming(_LLAMA)
MIXTRAL_NAMES = Naming(_MIXTRAL)
MOE_NAMES = Naming(_MOE)
DEEPSEEK_NAMES = Naming(_DEEPSEEK)
GPT_OSS_NAMES = Naming(_GPT_OSS)
QWEN_LINEAR_NAMES = Naming({**_LLAMA, **_LINEAR_ATTENTION}, beyond=_QWEN_MTP)
QWEN_LINEAR_MOE_NAMES = Naming({**_MOE, **_LINEAR_ATTENTION}, beyond=_QWEN_MTP)
SANDWICH_NAMES = Naming(_SANDWICH)
OLMO2_NAMES = Naming({**_LLAMA, **_AFTER_ATTENTION, "post_ffw_norm": "post_feedforward_layernorm"})
SEED_OSS_NAMES = Naming({**_LLAMA, **_AFTER_ATTENTION})
GLM_MOE_NAMES = Naming({**_DEEPSEEK, **_AFTER_ATTENTION})
GLM_NAMES = Naming(
    {
        **_LLAMA,
        "ffn_up": "mlp.gate_up_proj",
        "post_attention_norm": "post_self_attn_layernorm",
        "post_ffw_norm": "post_mlp_layernorm",
    }
)
PHI3_NAMES = Naming({**_ATTENTION, **_FUSED})
PHI2_NAMES = Naming(
    {
        **_QKV,
        "attn_norm": "input_layernorm",
        "attn_output": "self_attn.dense",
        "ffn_up": "mlp.fc1",
        "ffn_down": "mlp.fc2",
    },
    {**_MODEL, "output_norm": "model.final_layernorm"},
)
STARCODER2_NAMES = Naming(
    {**_ATTENTION, **_PRE_NORMS, "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
)
GPT2_NAMES = Naming(
    {
        "attn_norm": "ln_1",
        "attn_qkv": "attn.c_attn",
        "attn_output": "attn.c_proj",
        "ffn_norm": "ln_2",
        "ffn_up": "mlp.c_fc",
        "ffn_down": "mlp.c_proj",
    },
    {
        "token_embd": "transformer.wte",
        "position_embd": "transformer.wpe",
        "output_norm": "transformer.ln_f",
        "output": "lm_head",
    },
    "transformer.h",
)
GPT_NEOX_NAMES = Naming(
    {
        "attn_norm": "input_layernorm",
        "attn_qkv": "attention.query_key_value",
        "attn_output": "attention.dense",
        "ffn_norm": "post_attention_layernorm",
        "ffn_up": "mlp.dense_h_to_4h",
        "ffn_down": "mlp.dense_4h_to_h",
    },
    {
        "token_embd": "gpt_neox.embed_in",
        "output_norm": "gpt_neox.final_layer_norm",
        "output": "embed_out",
    },
    "gpt_neox.layers",
)
BLOOM_NAMES = Naming(
    {
        "attn_norm": "input_layernorm",
        "attn_qkv": "self_attention.query_key_value",
        "attn_output": "self_attention.dense",
        "ffn_norm": "post_attention_layernorm",
        "ffn_up": "mlp.dense_h_to_4h",
        "ffn_down": "mlp.dense_4h_to_h",
    },
    {
        "token_embd": "transformer.word_embeddings",
        "token_embd_norm": "transformer.word_embeddings_layernorm",
        "output_norm": "transformer.ln_f",
        "output": "lm_head",
    },
    "transformer.h",
)
FALCON_NAMES = replace(
    BLOOM_NAMES, beside={"attn_norm_2": {"attn_norm": "ln_mlp", "attn_norm_2": "ln_attn"}}
)
MAMBA_NAMES = Naming(
    {
        "attn_norm": "norm",
        **{f"ssm_{part}": f"mixer.{part}_proj" for part in ("in", "x", "dt", "out")},
        "ssm_conv1d": "mixer.conv1d",
        "ssm_a": "mixer.A_log:",
        "ssm_d": "mixer.D:",
    },
    {
        "token_embd": "backbone.embeddings",
        "output_norm": "backbone.norm_f",
        "output": "lm_head",
    },
    "backbone.layers",
)
_JAMBA_MIXER = {
    **{f"ssm_{part}": f"mamba.{part}_proj" for part in ("in", "x", "dt", "out")},
    **{f"ssm_{part}_norm": f"mamba.{part}_layernorm" for part in ("dt", "b", "c")},
    "ssm_conv1d": "mamba.conv1d",
    "ssm_a": "mamba.A_log:",
    "ssm_d": "mamba.D:",
}
JAMBA_NAMES = Naming(
    {
        **_ATTENTION,
        **_JAMBA_MIXER,
        **{f"ffn_{part}": f"feed_forward.{part}_proj" for part in ("gate", "up", "down")},
        "attn_norm": "input_layernorm",
        "ffn_norm": "pre_ff_layernorm",
        "ffn_gate_inp": "feed_forward.router",
        **_experts("feed_forward.experts", "gate_proj", "up_proj", "down_proj"),
    },
    {**_MODEL, "output_norm": "model.final_layernorm"},
)
