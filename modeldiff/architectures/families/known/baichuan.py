"""Baichuan's names: Llama's, with q, k and v fused in ``W_pack``, rows q | k | v.

Absent: KV heads fewer than heads, biases, q and k norms; RoPE in the 13B models (ALiBi there).
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.architectures.families.fused import QKV
from modeldiff.architectures.families.known.llama import LLAMA

BAICHUAN = replace(
    LLAMA,
    name="baichuan",
    model_types={"baichuan": "Baichuan"},
    layer={**LLAMA.layer, "self_attn.W_pack": "self_attn.qkv_proj"},
    fused={"self_attn.qkv_proj": QKV},
)
