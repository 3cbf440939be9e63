"""Meta's own names for Llama, which Mistral's own files share (``consolidated.safetensors``).

Their config is a ``params.json``. The trap: queries and keys stand in another row order than in
transformers' files, each pair of rows that turn together (RoPE) side by side. torchtitan's names
are the same. Mixtral in Mistral's names has experts below ``feed_forward``. InternLM2 took the
names over with one fused matrix in place of q, k and v, group by group, its rows in halves. Absent:
biases, q and k norms, norms after a sublayer.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.experts import expert_names
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV_BY_HEAD
from modeldiff.architectures.families.known.llama import LLAMA

_MLP = {"w1": "gate_proj", "w3": "up_proj", "w2": "down_proj"}

NATIVE_LAYER = {
    "attention_norm": "input_layernorm",
    **{f"attention.w{part}": f"self_attn.{part}_proj" for part in "qkvo"},
    "ffn_norm": "post_attention_layernorm",
    **{f"feed_forward.{stored}": f"mlp.{part}" for stored, part in _MLP.items()},
    **expert_names("feed_forward.experts", _MLP),
    "feed_forward.gate": "mlp.router",
}

META = Family(
    name="meta",
    model_types={"": "Llama", **LLAMA.model_types, "mixtral": "Mixtral"},
    layer=NATIVE_LAYER,
    outside={"tok_embeddings": "embed_tokens", "norm": "norm", "output": "lm_head"},
    defaults={"hidden_act": "silu"},
    rotary_rows="pairs",
)

INTERNLM2 = replace(
    META,
    name="internlm2",
    model_types={"internlm2": "InternLM2"},
    layer={**NATIVE_LAYER, "attention.wqkv": "self_attn.qkv_proj"},
    fused={"self_attn.qkv_proj": QKV_BY_HEAD},
    rotary_rows="halves",
)
