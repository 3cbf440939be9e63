"""OPT's names.

The trap: ``final_layer_norm`` is the MLP's norm within a layer and the last norm outside. Absent: a
gate in the MLP, RoPE (positions are learned, two rows more than the context), usually a stored
head. The smallest but one norms after the addition, not before the sublayer (its config says
``do_layer_norm_before: false``), with norms of the same names.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family

OPT = Family(
    name="opt",
    model_types={"opt": "OPT"},
    prefixes=("decoder.",),
    layer={
        "self_attn_layer_norm": "input_layernorm",
        "self_attn.q_proj": "self_attn.q_proj",
        "self_attn.k_proj": "self_attn.k_proj",
        "self_attn.v_proj": "self_attn.v_proj",
        "self_attn.out_proj": "self_attn.o_proj",
        "final_layer_norm": "post_attention_layernorm",
        "fc1": "mlp.up_proj",
        "fc2": "mlp.down_proj",
    },
    outside={
        "embed_tokens": "embed_tokens",
        "embed_positions": "embed_positions",
        "project_in": "project_in",
        "project_out": "project_out",
        "final_layer_norm": "norm",
        "lm_head": "lm_head",
    },
    defaults={"tie_word_embeddings": True, "activation_function": "relu"},
    norm="LayerNorm",
    norm_after_addition="do_layer_norm_before",
    position="learned",
)
