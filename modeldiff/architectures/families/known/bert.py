"""BERT's names, RoBERTa's (the same under another prefix, but for the head) and DistilBERT's.

An encoder: every token sees all others. The trap: each ``LayerNorm`` stands after the addition to
the stream, so what it norms is the stream itself. Absent: norms before a sublayer, a last norm, a
gate in the MLP, RoPE (positions are learned). The head for masked words is one more layer
(``transform``) before the embedding, used a second time; many files hold the body alone. The first
published files call a norm's weight ``gamma`` and its bias ``beta``. DistilBERT has no segments.
"""

from __future__ import annotations

from modeldiff.architectures.families.family import Family

BERT = Family(
    name="bert",
    model_types={
        "bert": "BERT",
        "roberta": "RoBERTa",
        "xlm-roberta": "XLM-RoBERTa",
        "camembert": "CamemBERT",
        "electra": "ELECTRA",
    },
    prefixes=("bert.", "roberta.", "electra."),
    lists=("encoder.layer",),
    layer={
        **{
            f"{stored}.{part}": f"{ours}.{place}"
            for stored, ours in (("attention", "self_attn"), ("crossattention", "cross_attn"))
            for part, place in (
                ("self.query", "q_proj"),
                ("self.key", "k_proj"),
                ("self.value", "v_proj"),
                ("output.dense", "o_proj"),
            )
        },
        "attention.output.LayerNorm": "post_self_attn_layernorm",
        "crossattention.output.LayerNorm": "post_cross_attn_layernorm",
        "intermediate.dense": "mlp.up_proj",
        "output.dense": "mlp.down_proj",
        "output.LayerNorm": "post_mlp_layernorm",
    },
    outside={
        "embeddings.word_embeddings": "embed_tokens",
        "embeddings.position_embeddings": "embed_positions",
        "embeddings.token_type_embeddings": "embed_token_types",
        "embeddings.LayerNorm": "embed_layernorm",
        "pooler.dense": "pooler",
        "cls.predictions.transform.dense": "lm_head.dense",
        "cls.predictions.transform.LayerNorm": "lm_head.norm",
        "cls.predictions.decoder": "lm_head",
        "cls.predictions.bias": "lm_head:bias",
        "cls.seq_relationship": "seq_relationship",
        "lm_head.dense": "lm_head.dense",
        "lm_head.layer_norm": "lm_head.norm",
        "lm_head.decoder": "lm_head",
        "lm_head.bias": "lm_head:bias",
        "classifier": "classifier",
    },
    defaults={"hidden_act": "gelu"},
    norm="LayerNorm",
    norm_after_addition=True,
    position="learned",
    writes=False,
    head_optional=True,
    own=frozenset({"pooler", "seq_relationship", "classifier"}),
)

DISTILBERT = Family(
    name="distilbert",
    model_types={"distilbert": "DistilBERT"},
    prefixes=("distilbert.",),
    lists=("layer",),
    layer={
        "attention.q_lin": "self_attn.q_proj",
        "attention.k_lin": "self_attn.k_proj",
        "attention.v_lin": "self_attn.v_proj",
        "attention.out_lin": "self_attn.o_proj",
        "sa_layer_norm": "post_self_attn_layernorm",
        "ffn.lin1": "mlp.up_proj",
        "ffn.lin2": "mlp.down_proj",
        "output_layer_norm": "post_mlp_layernorm",
    },
    outside={
        "embeddings.word_embeddings": "embed_tokens",
        "embeddings.position_embeddings": "embed_positions",
        "embeddings.LayerNorm": "embed_layernorm",
        "vocab_transform": "lm_head.dense",
        "vocab_layer_norm": "lm_head.norm",
        "vocab_projector": "lm_head",
        "pre_classifier": "pre_classifier",
        "classifier": "classifier",
    },
    defaults={"activation": "gelu"},
    norm="LayerNorm",
    norm_after_addition=True,
    position="learned",
    writes=False,
    head_optional=True,
    own=frozenset({"pre_classifier", "classifier"}),
)
