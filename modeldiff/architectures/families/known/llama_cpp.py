"""llama.cpp's names, as they also stand in safetensors files.

llama.cpp keeps the rows of Llama's queries and keys in pairs, as Meta does, but those of most other
models in halves, under the same names. Stacked experts are ``ffn_{gate, up, down}_exps``. Absent: a
gate in models without one; fused matrices but for ``attn_qkv`` (rows q | k | v).
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV
from modeldiff.architectures.families.known.llama import LLAMA

_PARTS = ("gate", "up", "down")

LLAMA_CPP = Family(
    name="llama_cpp",
    model_types={"": "llama.cpp's names", **LLAMA.model_types},
    lists=("blk",),
    layer={
        "attn_norm": "input_layernorm",
        **{f"attn_{part}": f"self_attn.{part}_proj" for part in "qkv"},
        "attn_qkv": "self_attn.qkv_proj",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "attn_output": "self_attn.o_proj",
        "post_attention_norm": "post_self_attn_layernorm",
        "ffn_norm": "post_attention_layernorm",
        **{f"ffn_{part}": f"mlp.{part}_proj" for part in _PARTS},
        "ffn_gate_inp": "mlp.router",
        **{f"ffn_{part}_exps": f"mlp.experts.{part}_proj" for part in _PARTS},
        "post_ffw_norm": "post_mlp_layernorm",
    },
    outside={
        "token_embd": "embed_tokens",
        "position_embd": "embed_positions",
        "output_norm": "norm",
        "output": "lm_head",
    },
    fused={"self_attn.qkv_proj": QKV},
    rotary_rows="unsaid",
)
