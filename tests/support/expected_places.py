"""Where each tensor of each family belongs, written down by hand from the models' own code.

One line a stored name: its numbers as ``#`` (but T5's, which count the parts of a layer), its
``.weight`` or ``.bias`` left out; then the component, after ``tower/`` where there are several,
with ``:parameter`` where that is no ``.weight`` or ``.bias``. A fused tensor names its parts.
"""

from __future__ import annotations

import re

_LIST = re.compile(r"\b(layers|h|blocks|block|encoder\.layer|transformer\.layer|experts)\.(\d+)\.")


def split_name(name: str) -> tuple[str, int | None, int | None]:
    """A stored name with its indices as ``#``, its layer, and its expert."""
    layer = expert = None
    for word, number in _LIST.findall(name):
        if word == "experts":
            expert = int(number)
        else:
            layer = int(number)
    return _LIST.sub(r"\1.#.", name), layer, expert


def expected(family: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """The tower of a stored name, and component and parameter of each of its parts.

    Raises ``KeyError`` for a name that nobody wrote down.
    """
    table = _TABLES[family]
    template, _, _ = split_name(name)
    parameter = "weight"
    if template not in table:
        template, _, parameter = template.rpartition(".")
    tower, _, places = table[template].rpartition("/")
    parts = (place.partition(":") for place in places.split())
    return tower, [(component, own or parameter) for component, _, own in parts]


def _table(*texts: str) -> dict[str, str]:
    rows = (line.split(maxsplit=1) for text in texts for line in text.splitlines())
    return {row[0]: row[1].strip() for row in rows if row}


def _under(prefix: str, text: str, tower: str = "") -> str:
    """The same names under a longer prefix, in a tower of their own."""
    rows = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    tower = f"{tower}/" if tower else ""
    return "".join(f"{prefix}{name} {tower}{places}\n" for name, places in rows)


def _layer(text: str, stack: str = "model.layers.#.") -> str:
    return _under(stack, text)


_QKV = "self_attn.q_proj self_attn.k_proj self_attn.v_proj"
_ATTENTION = """
self_attn.q_proj self_attn.q_proj
self_attn.k_proj self_attn.k_proj
self_attn.v_proj self_attn.v_proj
self_attn.o_proj self_attn.o_proj
"""
_QK_NORMS = """
self_attn.q_norm self_attn.q_norm
self_attn.k_norm self_attn.k_norm
"""
_MLP = """
mlp.gate_proj mlp.gate_proj
mlp.up_proj   mlp.up_proj
mlp.down_proj mlp.down_proj
"""
_EXPERTS = """
mlp.gate                mlp.router
mlp.experts.#.gate_proj mlp.experts.gate_proj
mlp.experts.#.up_proj   mlp.experts.up_proj
mlp.experts.#.down_proj mlp.experts.down_proj
"""
_NORMS = """
input_layernorm          input_layernorm
post_attention_layernorm post_attention_layernorm
"""
_FOUR_NORMS = """
input_layernorm            input_layernorm
post_attention_layernorm   post_self_attn_layernorm
pre_feedforward_layernorm  post_attention_layernorm
post_feedforward_layernorm post_mlp_layernorm
"""
_OUTSIDE = """
model.embed_tokens embed_tokens
model.norm         norm
lm_head            lm_head
"""
_LLAMA = _OUTSIDE + _layer(_ATTENTION + _MLP + _NORMS)
_GEMMA3 = _OUTSIDE + _layer(_ATTENTION + _QK_NORMS + _MLP + _FOUR_NORMS)

_GPT2 = f"""
wte              embed_tokens
wpe              embed_positions
h.#.ln_1         input_layernorm
h.#.attn.c_attn  {_QKV}
h.#.attn.c_proj  self_attn.o_proj
h.#.ln_2         post_attention_layernorm
h.#.mlp.c_fc     mlp.up_proj
h.#.mlp.c_proj   mlp.down_proj
ln_f             norm
"""
_NEOX = f"""
gpt_neox.embed_in                            embed_tokens
gpt_neox.layers.#.input_layernorm            input_layernorm
gpt_neox.layers.#.attention.query_key_value  {_QKV}
gpt_neox.layers.#.attention.dense            self_attn.o_proj
gpt_neox.layers.#.post_attention_layernorm   post_attention_layernorm
gpt_neox.layers.#.mlp.dense_h_to_4h          mlp.up_proj
gpt_neox.layers.#.mlp.dense_4h_to_h          mlp.down_proj
gpt_neox.final_layer_norm                    norm
embed_out                                    lm_head
"""
_BLOOM = f"""
transformer.word_embeddings                      embed_tokens
transformer.word_embeddings_layernorm            embed_layernorm
transformer.h.#.input_layernorm                  input_layernorm
transformer.h.#.self_attention.query_key_value   {_QKV}
transformer.h.#.self_attention.dense             self_attn.o_proj
transformer.h.#.post_attention_layernorm         post_attention_layernorm
transformer.h.#.mlp.dense_h_to_4h                mlp.up_proj
transformer.h.#.mlp.dense_4h_to_h                mlp.down_proj
transformer.h.#.ln_attn                          input_layernorm
transformer.h.#.ln_mlp                           post_attention_layernorm
transformer.ln_f                                 norm
"""
_PHI = """
model.embed_tokens                embed_tokens
model.layers.#.input_layernorm    input_layernorm
model.layers.#.self_attn.q_proj   self_attn.q_proj
model.layers.#.self_attn.k_proj   self_attn.k_proj
model.layers.#.self_attn.v_proj   self_attn.v_proj
model.layers.#.self_attn.dense    self_attn.o_proj
model.layers.#.mlp.fc1            mlp.up_proj
model.layers.#.mlp.fc2            mlp.down_proj
model.final_layernorm             norm
lm_head                           lm_head
"""
_PHI3 = _OUTSIDE + _layer(
    _NORMS
    + f"""
self_attn.qkv_proj {_QKV}
self_attn.o_proj   self_attn.o_proj
mlp.gate_up_proj   mlp.gate_proj mlp.up_proj
mlp.down_proj      mlp.down_proj
"""
)
_OLMO2 = """
post_attention_layernorm   post_self_attn_layernorm
post_feedforward_layernorm post_mlp_layernorm
"""
_OPT = """
model.decoder.embed_tokens                    embed_tokens
model.decoder.embed_positions                 embed_positions
model.decoder.project_in                      project_in
model.decoder.project_out                     project_out
model.decoder.layers.#.self_attn_layer_norm   input_layernorm
model.decoder.layers.#.self_attn.q_proj       self_attn.q_proj
model.decoder.layers.#.self_attn.k_proj       self_attn.k_proj
model.decoder.layers.#.self_attn.v_proj       self_attn.v_proj
model.decoder.layers.#.self_attn.out_proj     self_attn.o_proj
model.decoder.layers.#.final_layer_norm       post_attention_layernorm
model.decoder.layers.#.fc1                    mlp.up_proj
model.decoder.layers.#.fc2                    mlp.down_proj
model.decoder.final_layer_norm                norm
"""
_MPT = f"""
transformer.wte                      embed_tokens
transformer.blocks.#.norm_1          input_layernorm
transformer.blocks.#.attn.Wqkv       {_QKV}
transformer.blocks.#.attn.out_proj   self_attn.o_proj
transformer.blocks.#.norm_2          post_attention_layernorm
transformer.blocks.#.ffn.up_proj     mlp.up_proj
transformer.blocks.#.ffn.down_proj   mlp.down_proj
transformer.norm_f                   norm
"""
_MIXTRAL = """
block_sparse_moe.gate          mlp.router
block_sparse_moe.experts.#.w1  mlp.experts.gate_proj
block_sparse_moe.experts.#.w3  mlp.experts.up_proj
block_sparse_moe.experts.#.w2  mlp.experts.down_proj
"""
_SHARED = """
mlp.shared_expert.gate_proj mlp.shared_expert.gate_proj
mlp.shared_expert.up_proj   mlp.shared_expert.up_proj
mlp.shared_expert.down_proj mlp.shared_expert.down_proj
mlp.shared_expert_gate      mlp.shared_expert_gate
"""
_MLA = """
self_attn.q_proj             self_attn.q_proj
self_attn.q_a_proj           self_attn.q_a_proj
self_attn.q_a_layernorm      self_attn.q_a_layernorm
self_attn.q_b_proj           self_attn.q_b_proj
self_attn.kv_a_proj_with_mqa self_attn.kv_a_proj
self_attn.kv_a_layernorm     self_attn.kv_a_layernorm
self_attn.kv_b_proj          self_attn.kv_b_proj
self_attn.o_proj             self_attn.o_proj
"""
_SHARED_S = """
mlp.shared_experts.gate_proj     mlp.shared_expert.gate_proj
mlp.shared_experts.up_proj       mlp.shared_expert.up_proj
mlp.shared_experts.down_proj     mlp.shared_expert.down_proj
mlp.gate.e_score_correction_bias mlp.router:e_score_correction_bias
"""
_PREDICTION = """
embed_tokens     embed_tokens
enorm            enorm
hnorm            hnorm
eh_proj          eh_proj
shared_head.norm shared_head.norm
shared_head.head shared_head.head
"""
_GPT_OSS = """
self_attn.sinks                self_attn.sinks
mlp.router                     mlp.router
mlp.experts.gate_up_proj       mlp.experts.gate_proj:weight mlp.experts.up_proj:weight
mlp.experts.gate_up_proj_bias  mlp.experts.gate_proj:bias mlp.experts.up_proj:bias
mlp.experts.down_proj          mlp.experts.down_proj:weight
mlp.experts.down_proj_bias     mlp.experts.down_proj:bias
"""
_GRANITE_MOE = """
block_sparse_moe.router.layer  mlp.router
block_sparse_moe.input_linear  mlp.experts.gate_proj mlp.experts.up_proj
block_sparse_moe.output_linear mlp.experts.down_proj
shared_mlp.input_linear        mlp.shared_expert.gate_proj mlp.shared_expert.up_proj
shared_mlp.output_linear       mlp.shared_expert.down_proj
"""
_MIXER = """
in_proj      mixer.in_proj
conv1d       mixer.conv1d
x_proj       mixer.x_proj
dt_proj      mixer.dt_proj
dt_layernorm mixer.dt_layernorm
b_layernorm  mixer.b_layernorm
c_layernorm  mixer.c_layernorm
dt_bias      mixer.dt_bias
A_log        mixer.A_log
D            mixer.D
norm         mixer.norm
out_proj     mixer.out_proj
"""
_MAMBA = """
backbone.embeddings     embed_tokens
backbone.layers.#.norm  input_layernorm
backbone.norm_f         norm
lm_head                 lm_head
""" + _under("backbone.layers.#.mixer.", _MIXER)
_JAMBA = """
model.embed_tokens      embed_tokens
model.final_layernorm   norm
lm_head                 lm_head
""" + _layer(
    _ATTENTION
    + _under("mamba.", _MIXER)
    + """
input_layernorm                  input_layernorm
pre_ff_layernorm                 post_attention_layernorm
feed_forward.gate_proj           mlp.gate_proj
feed_forward.up_proj             mlp.up_proj
feed_forward.down_proj           mlp.down_proj
feed_forward.router              mlp.router
feed_forward.experts.#.gate_proj mlp.experts.gate_proj
feed_forward.experts.#.up_proj   mlp.experts.up_proj
feed_forward.experts.#.down_proj mlp.experts.down_proj
"""
)
_LLAMA4 = _OUTSIDE + _layer(
    _ATTENTION
    + _NORMS
    + """
feed_forward.gate_proj               mlp.gate_proj
feed_forward.up_proj                 mlp.up_proj
feed_forward.down_proj               mlp.down_proj
feed_forward.router                  mlp.router
feed_forward.experts.gate_up_proj    mlp.experts.gate_proj:weight mlp.experts.up_proj:weight
feed_forward.experts.down_proj       mlp.experts.down_proj:weight
feed_forward.shared_expert.gate_proj mlp.shared_expert.gate_proj
feed_forward.shared_expert.up_proj   mlp.shared_expert.up_proj
feed_forward.shared_expert.down_proj mlp.shared_expert.down_proj
"""
)
_LOOKS = """
cross_attn.q_proj    cross_attn.q_proj
cross_attn.k_proj    cross_attn.k_proj
cross_attn.v_proj    cross_attn.v_proj
cross_attn.o_proj    cross_attn.o_proj
cross_attn.q_norm    cross_attn.q_norm
cross_attn.k_norm    cross_attn.k_norm
cross_attn_attn_gate cross_attn.attn_gate:weight
cross_attn_mlp_gate  cross_attn.mlp_gate:weight
"""

_CLIP_LAYER = """
encoder.layers.#.layer_norm1         input_layernorm
encoder.layers.#.self_attn.q_proj    self_attn.q_proj
encoder.layers.#.self_attn.k_proj    self_attn.k_proj
encoder.layers.#.self_attn.v_proj    self_attn.v_proj
encoder.layers.#.self_attn.out_proj  self_attn.o_proj
encoder.layers.#.layer_norm2         post_attention_layernorm
encoder.layers.#.mlp.fc1             mlp.up_proj
encoder.layers.#.mlp.fc2             mlp.down_proj
"""
_CLIP_EYE = (
    _CLIP_LAYER
    + """
embeddings.class_embedding     embed_class:weight
embeddings.patch_embedding     embed_patches
embeddings.position_embedding  embed_positions
pre_layrnorm                   embed_layernorm
post_layernorm                 norm
"""
)
_CLIP_TEXT = (
    _CLIP_LAYER
    + """
embeddings.token_embedding     embed_tokens
embeddings.position_embedding  embed_positions
final_layer_norm               norm
head                           head
"""
)
_POOLING = """
head.probe                     head.probe:weight
head.attention.in_proj_weight  head.attention.in_proj_weight:weight
head.attention.in_proj_bias    head.attention.in_proj_bias:weight
head.attention.out_proj        head.attention.out_proj
head.layernorm                 head.layernorm
head.mlp.fc1                   head.mlp.fc1
head.mlp.fc2                   head.mlp.fc2
"""
_PIXTRAL = """
patch_conv                                   embed_patches
ln_pre                                       embed_layernorm
transformer.layers.#.attention_norm          input_layernorm
transformer.layers.#.attention.q_proj        self_attn.q_proj
transformer.layers.#.attention.k_proj        self_attn.k_proj
transformer.layers.#.attention.v_proj        self_attn.v_proj
transformer.layers.#.attention.o_proj        self_attn.o_proj
transformer.layers.#.ffn_norm                post_attention_layernorm
transformer.layers.#.feed_forward.gate_proj  mlp.gate_proj
transformer.layers.#.feed_forward.up_proj    mlp.up_proj
transformer.layers.#.feed_forward.down_proj  mlp.down_proj
"""
_QWEN_EYE = f"""
patch_embed.proj    embed_patches
blocks.#.norm1      input_layernorm
blocks.#.attn.qkv   {_QKV}
blocks.#.attn.proj  self_attn.o_proj
blocks.#.norm2      post_attention_layernorm
blocks.#.mlp.fc1    mlp.up_proj
blocks.#.mlp.fc2    mlp.down_proj
merger.ln_q         merger.ln_q
merger.mlp.0        merger.mlp.0
merger.mlp.2        merger.mlp.2
"""
_LLAMA_EYE_LAYER = (
    _ATTENTION
    + _NORMS
    + """
mlp.fc1    mlp.up_proj
mlp.fc2    mlp.down_proj
gate_attn  gate_attn:weight
gate_ffn   gate_ffn:weight
"""
)
_MLLAMA_EYE = """
patch_embedding                               embed_patches
class_embedding                               embed_class:weight
gated_positional_embedding.embedding          embed_positions:weight
gated_positional_embedding.gate               gated_positional_embedding.gate:weight
gated_positional_embedding.tile_embedding     gated_positional_embedding.tile_embedding
pre_tile_positional_embedding.embedding       pre_tile_positional_embedding.embedding
pre_tile_positional_embedding.gate            pre_tile_positional_embedding.gate:weight
post_tile_positional_embedding.embedding      post_tile_positional_embedding.embedding
post_tile_positional_embedding.gate           post_tile_positional_embedding.gate:weight
layernorm_pre                                 embed_layernorm
layernorm_post                                norm
"""
_LLAMA4_EYE = """
patch_embedding.linear            embed_patches
class_embedding                   embed_class:weight
positional_embedding_vlm          embed_positions:weight
layernorm_pre                     embed_layernorm
layernorm_post                    norm
vision_adapter.mlp.fc1            vision_adapter.mlp.fc1
vision_adapter.mlp.fc2            vision_adapter.mlp.fc2
"""
_VIT = """
vit.embeddings.cls_token                              embed_class:weight
vit.embeddings.position_embeddings                    embed_positions:weight
vit.embeddings.patch_embeddings.projection            embed_patches
vit.encoder.layer.#.layernorm_before                  input_layernorm
vit.encoder.layer.#.attention.attention.query         self_attn.q_proj
vit.encoder.layer.#.attention.attention.key           self_attn.k_proj
vit.encoder.layer.#.attention.attention.value         self_attn.v_proj
vit.encoder.layer.#.attention.output.dense            self_attn.o_proj
vit.encoder.layer.#.layernorm_after                   post_attention_layernorm
vit.encoder.layer.#.intermediate.dense                mlp.up_proj
vit.encoder.layer.#.output.dense                      mlp.down_proj
vit.layernorm                                         norm
classifier                                            classifier
"""

_BERT = """
embeddings.word_embeddings                 embed_tokens
embeddings.position_embeddings             embed_positions
embeddings.token_type_embeddings           embed_token_types
embeddings.LayerNorm                       embed_layernorm
encoder.layer.#.attention.self.query       self_attn.q_proj
encoder.layer.#.attention.self.key         self_attn.k_proj
encoder.layer.#.attention.self.value       self_attn.v_proj
encoder.layer.#.attention.output.dense     self_attn.o_proj
encoder.layer.#.attention.output.LayerNorm post_self_attn_layernorm
encoder.layer.#.intermediate.dense         mlp.up_proj
encoder.layer.#.output.dense               mlp.down_proj
encoder.layer.#.output.LayerNorm           post_mlp_layernorm
pooler.dense                               pooler
"""
_BERT_HEADS = """
cls.predictions.transform.dense      lm_head.dense
cls.predictions.transform.LayerNorm  lm_head.norm
cls.predictions.bias                 lm_head:bias
cls.seq_relationship                 seq_relationship
"""
_ROBERTA_HEAD = """
lm_head.dense       lm_head.dense
lm_head.layer_norm  lm_head.norm
lm_head.bias        lm_head:bias
"""
_DISTILBERT = """
distilbert.embeddings.word_embeddings            embed_tokens
distilbert.embeddings.position_embeddings        embed_positions
distilbert.embeddings.LayerNorm                  embed_layernorm
distilbert.transformer.layer.#.attention.q_lin   self_attn.q_proj
distilbert.transformer.layer.#.attention.k_lin   self_attn.k_proj
distilbert.transformer.layer.#.attention.v_lin   self_attn.v_proj
distilbert.transformer.layer.#.attention.out_lin self_attn.o_proj
distilbert.transformer.layer.#.sa_layer_norm     post_self_attn_layernorm
distilbert.transformer.layer.#.ffn.lin1          mlp.up_proj
distilbert.transformer.layer.#.ffn.lin2          mlp.down_proj
distilbert.transformer.layer.#.output_layer_norm post_mlp_layernorm
vocab_transform                                  lm_head.dense
vocab_layer_norm                                 lm_head.norm
vocab_projector                                  lm_head
"""

_SELF = """
self_attn.q_proj    self_attn.q_proj
self_attn.k_proj    self_attn.k_proj
self_attn.v_proj    self_attn.v_proj
self_attn.out_proj  self_attn.o_proj
fc1                 mlp.up_proj
fc2                 mlp.down_proj
"""
_CROSS = """
encoder_attn.q_proj    cross_attn.q_proj
encoder_attn.k_proj    cross_attn.k_proj
encoder_attn.v_proj    cross_attn.v_proj
encoder_attn.out_proj  cross_attn.o_proj
"""
_WHISPER_NORMS = """
self_attn_layer_norm     input_layernorm
encoder_attn_layer_norm  cross_attn_layernorm
final_layer_norm         post_attention_layernorm
"""
_BART_NORMS = """
self_attn_layer_norm     post_self_attn_layernorm
encoder_attn_layer_norm  post_cross_attn_layernorm
final_layer_norm         post_mlp_layernorm
"""
_WHISPER_ENDS = """
conv1            conv1
conv2            conv2
embed_positions  embed_positions
layer_norm       norm
"""


def _two_towers(norms: str, ends: str) -> str:
    encoder = _under("layers.#.", _SELF + norms) + "\n" + ends
    decoder = encoder + "\nembed_tokens embed_tokens\n" + _under("layers.#.", _CROSS)
    return (
        _under("model.encoder.", encoder, "encoder")
        + "\n"
        + _under("model.decoder.", decoder, "decoder")
    )


_T5_LAYER = """
layer.0.SelfAttention.q                        self_attn.q_proj
layer.0.SelfAttention.k                        self_attn.k_proj
layer.0.SelfAttention.v                        self_attn.v_proj
layer.0.SelfAttention.o                        self_attn.o_proj
layer.0.SelfAttention.relative_attention_bias  self_attn.position_bias
layer.0.layer_norm                             input_layernorm
"""


def _t5_mlp(number: int) -> str:
    return f"""
layer.{number}.DenseReluDense.wi    mlp.up_proj
layer.{number}.DenseReluDense.wi_0  mlp.gate_proj
layer.{number}.DenseReluDense.wi_1  mlp.up_proj
layer.{number}.DenseReluDense.wo    mlp.down_proj
layer.{number}.layer_norm           post_attention_layernorm
"""


_T5_CROSS = """
layer.1.EncDecAttention.q  cross_attn.q_proj
layer.1.EncDecAttention.k  cross_attn.k_proj
layer.1.EncDecAttention.v  cross_attn.v_proj
layer.1.EncDecAttention.o  cross_attn.o_proj
layer.1.layer_norm         cross_attn_layernorm
"""
_T5 = "\n".join(
    (
        "shared embed_tokens",
        "encoder.final_layer_norm encoder/norm",
        "decoder.final_layer_norm decoder/norm",
        _under("encoder.block.#.", _T5_LAYER + _t5_mlp(1), "encoder"),
        _under("decoder.block.#.", _T5_LAYER + _T5_CROSS + _t5_mlp(2), "decoder"),
    )
)

_TABLES: dict[str, dict[str, str]] = {
    **dict.fromkeys(
        ("llama", "llama tied", "mistral", "qwen2", "granite", "gemma"), _table(_LLAMA)
    ),
    "qwen3": _table(_LLAMA, _layer(_QK_NORMS)),
    "gpt2": _table(_under("transformer.", _GPT2)),
    "gpt2 body": _table(_GPT2),
    "gpt2 head": _table(_under("transformer.", _GPT2), "lm_head lm_head"),
    "gpt_neox": _table(_NEOX),
    **dict.fromkeys(("falcon rw", "falcon 7b", "falcon 40b", "bloom"), _table(_BLOOM)),
    "phi": _table(_PHI),
    "phi3": _table(_PHI3),
    "gemma2": _table(_OUTSIDE, _layer(_ATTENTION + _MLP + _FOUR_NORMS)),
    "gemma3 text": _table(_GEMMA3),
    "gemma3": _table(
        _under("language_model.", _GEMMA3),
        _under("vision_tower.", _CLIP_EYE + _POOLING, "vision"),
        "multi_modal_projector.mm_input_projection_weight "
        "multi_modal_projector.mm_input_projection_weight:weight",
        "multi_modal_projector.mm_soft_emb_norm multi_modal_projector.mm_soft_emb_norm",
    ),
    "olmo": _table(_OUTSIDE, _layer(_ATTENTION + _MLP)),
    "olmo2": _table(_OUTSIDE, _layer(_ATTENTION + _QK_NORMS + _MLP + _OLMO2)),
    **dict.fromkeys(("opt", "opt 350m"), _table(_OPT)),
    "mpt": _table(_MPT),
    "mixtral": _table(_OUTSIDE, _layer(_ATTENTION + _NORMS + _MIXTRAL)),
    "qwen2_moe": _table(_LLAMA, _layer(_EXPERTS + _SHARED)),
    "qwen3_moe": _table(_LLAMA, _layer(_QK_NORMS + _EXPERTS)),
    "olmoe": _table(_LLAMA, _layer(_QK_NORMS + _EXPERTS)),
    **dict.fromkeys(
        ("deepseek_v2", "deepseek_v3"),
        _table(_OUTSIDE, _layer(_MLA + _NORMS + _MLP + _EXPERTS + _SHARED_S)),
    ),
    "deepseek_v3's prediction layer": _table(
        _under("model.layers.#.", _MLA + _NORMS + _EXPERTS + _SHARED_S + _PREDICTION, "mtp")
    ),
    "gpt_oss": _table(_OUTSIDE, _layer(_ATTENTION + _NORMS + _GPT_OSS)),
    "granitemoe": _table(_OUTSIDE, _layer(_ATTENTION + _NORMS + _GRANITE_MOE)),
    "granitemoehybrid": _table(
        _OUTSIDE, _layer(_ATTENTION + _NORMS + _GRANITE_MOE + _under("mamba.", _MIXER))
    ),
    **dict.fromkeys(("jamba", "bamba"), _table(_JAMBA)),
    **dict.fromkeys(("mamba", "mamba2"), _table(_MAMBA)),
    "llama4": _table(
        _under("language_model.", _LLAMA4),
        _under("vision_model.model.layers.#.", _LLAMA_EYE_LAYER, "vision"),
        _under("vision_model.", _LLAMA4_EYE, "vision"),
        "multi_modal_projector.linear_1 multi_modal_projector.linear_1",
    ),
    "mllama": _table(
        _under("language_model.", _LLAMA + _layer(_LOOKS)),
        _under("vision_model.transformer.layers.#.", _LLAMA_EYE_LAYER, "vision"),
        _under("vision_model.global_transformer.layers.#.", _LLAMA_EYE_LAYER, "vision_global"),
        _under("vision_model.", _MLLAMA_EYE, "vision"),
        "multi_modal_projector multi_modal_projector",
    ),
    "llava": _table(
        _under("language_model.", _LLAMA),
        _under("vision_tower.", _CLIP_EYE, "vision"),
        "multi_modal_projector.linear_1 multi_modal_projector.linear_1",
        "multi_modal_projector.linear_2 multi_modal_projector.linear_2",
    ),
    "mistral3": _table(
        _under("language_model.", _LLAMA),
        _under("vision_tower.", _PIXTRAL, "vision"),
        *(
            f"multi_modal_projector.{name} multi_modal_projector.{name}"
            for name in ("linear_1", "linear_2", "norm", "patch_merger.merging_layer")
        ),
    ),
    "qwen2_vl": _table(_LLAMA, _under("visual.", _QWEN_EYE, "vision")),
    "bert": _table(_under("bert.", _BERT), _BERT_HEADS),
    "bert body": _table(_BERT),
    "roberta": _table(_under("roberta.", _BERT), _ROBERTA_HEAD),
    "distilbert": _table(_DISTILBERT),
    "vit": _table(_VIT),
    "clip": _table(
        _under("text_model.", _CLIP_TEXT, "text"),
        _under("vision_model.", _CLIP_EYE, "vision"),
        "text_projection text_projection",
        "visual_projection visual_projection",
        "logit_scale logit_scale:weight",
    ),
    "siglip": _table(
        _under("text_model.", _CLIP_TEXT, "text"),
        _under("vision_model.", _CLIP_EYE + _POOLING, "vision"),
        "logit_scale logit_scale:weight",
        "logit_bias logit_bias:weight",
    ),
    "whisper": _table(_two_towers(_WHISPER_NORMS, _WHISPER_ENDS)),
    "bart": _table(
        "model.shared embed_tokens",
        "final_logits_bias final_logits_bias:weight",
        _two_towers(
            _BART_NORMS, "embed_positions embed_positions\nlayernorm_embedding embed_layernorm"
        ),
    ),
    **dict.fromkeys(("t5", "t5 v1.1"), _table(_T5)),
}
