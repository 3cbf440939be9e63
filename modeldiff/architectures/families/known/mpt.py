"""MPT's names.

Absent: positions as parameters (ALiBi: attention fades with distance), a gate in the MLP, separate
q, k and v (one matrix, ``Wqkv``, rows q | k | v), biases of any kind, a stored head (it is the
embedding).
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV

MPT = Family(
    name="mpt",
    model_types={"mpt": "MPT"},
    lists=("blocks",),
    layer={
        "norm_1": "input_layernorm",
        "attn.Wqkv": "self_attn.qkv_proj",
        "attn.out_proj": "self_attn.o_proj",
        "norm_2": "post_attention_layernorm",
        "ffn.up_proj": "mlp.up_proj",
        "ffn.down_proj": "mlp.down_proj",
    },
    outside={"wte": "embed_tokens", "norm_f": "norm", "lm_head": "lm_head"},
    fused={"self_attn.qkv_proj": QKV},
    defaults={"tie_word_embeddings": True, "activation": "gelu"},
    norm="LayerNorm",
    position="ALiBi",
)
