"""GPT-2's names, with and without the ``transformer.`` before them.

Absent: RoPE (positions are learned, ``wpe``), a gate in the MLP, separate q, k and v, q and k
norms, and nearly always a stored head: it is the embedding. All matrices in the layers are
``Conv1D``, stored [in, out]; the fused one holds the columns q | k | v. Older files also store the
causal mask (``attn.bias``) and its fill value, which nothing trained. GPT-BigCode (StarCoder) and
GPT-Neo carry the same names, but store their matrices [out, in]; the fused one of GPT-BigCode
holds [q, k, v] head by head where its heads share no key, GPT-Neo keeps q, k and v apart.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.fused import QKV, QKV_BY_HEAD

GPT2 = Family(
    name="gpt2",
    model_types={"gpt2": "GPT-2"},
    lists=("h",),
    layer={
        "ln_1": "input_layernorm",
        "attn.c_attn": "self_attn.qkv_proj",
        "attn.c_proj": "self_attn.o_proj",
        "ln_2": "post_attention_layernorm",
        "mlp.c_fc": "mlp.up_proj",
        "mlp.c_proj": "mlp.down_proj",
    },
    outside={
        "wte": "embed_tokens",
        "wpe": "embed_positions",
        "ln_f": "norm",
        "lm_head": "lm_head",
    },
    transposed=frozenset(
        {"self_attn.qkv_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj"}
    ),
    fused={"self_attn.qkv_proj": QKV},
    defaults={"tie_word_embeddings": True, "activation_function": "gelu_new"},
    norm="LayerNorm",
    position="learned",
)

GPT_BIGCODE = replace(
    GPT2,
    name="gpt_bigcode",
    model_types={"gpt_bigcode": "GPT-BigCode"},
    transposed=frozenset(),
    fused={"self_attn.qkv_proj": QKV_BY_HEAD},
)

GPT_NEO = replace(
    GPT2,
    name="gpt_neo",
    model_types={"gpt_neo": "GPT-Neo"},
    layer={
        **{name: place for name, place in GPT2.layer.items() if not name.startswith("attn.")},
        "attn.attention.q_proj": "self_attn.q_proj",
        "attn.attention.k_proj": "self_attn.k_proj",
        "attn.attention.v_proj": "self_attn.v_proj",
        "attn.attention.out_proj": "self_attn.o_proj",
    },
    transposed=frozenset(),
)
