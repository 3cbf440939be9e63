"""Stored names → places, in every described family and in none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.architectures import Architecture, Place, understand
from modeldiff.architectures.components import ORDER
from modeldiff.architectures.graph.columns import merge_columns
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.config_only.catalog import catalog_config
from tests.support.named_shapes import (
    checkpoint,
    gpt2_shapes,
    invented,
    llama_shapes,
    published,
    tiny,
    tiny_names,
)
from tests.support.parts import assert_nothing_lost_or_doubled

NOT_IN_THE_SKELETON = {"conv1", "conv2"}
"""What only Whisper's encoder has."""


def places(architecture: Architecture) -> dict[str, Place]:
    return {
        parameter.tensor.label: parameter.place
        for parameter in architecture.parameters
        if parameter.role != "tied"
    }


def place_of(name: str, source: Checkpoint) -> Place:
    return places(understand(source))[name]


def test_llama_3_8b_last_layer_and_after_are_the_rows_that_people_print() -> None:
    architecture = understand(published("llama-3-8b"))
    rows = [
        (parameter.place.column, parameter.tensor.shape)
        for parameter in architecture.parameters
        if parameter.place.layer == 31
        or (parameter.place.layer is None and parameter.place.component != "embed_tokens")
    ]
    assert rows == [
        ("input_layernorm", (4096,)),
        ("mlp.down_proj", (4096, 14336)),
        ("mlp.gate_proj", (14336, 4096)),
        ("mlp.up_proj", (14336, 4096)),
        ("post_attention_layernorm", (4096,)),
        ("self_attn.k_proj", (1024, 4096)),
        ("self_attn.o_proj", (4096, 4096)),
        ("self_attn.q_proj", (4096, 4096)),
        ("self_attn.v_proj", (1024, 4096)),
        ("norm", (4096,)),
        ("lm_head", (128256, 4096)),
    ]
    assert (len(architecture.parameters), architecture.layer_count) == (291, 32)


def test_qwen2_7b_has_a_row_for_each_bias() -> None:
    architecture = understand(published("qwen2-7b"))
    rows = {
        parameter.place.column: parameter.tensor.shape
        for parameter in architecture.parameters
        if parameter.place.layer == 27
    }
    assert rows == {
        "input_layernorm": (3584,),
        "mlp.down_proj": (3584, 18944),
        "mlp.gate_proj": (18944, 3584),
        "mlp.up_proj": (18944, 3584),
        "post_attention_layernorm": (3584,),
        "self_attn.k_proj.bias": (512,),
        "self_attn.k_proj": (512, 3584),
        "self_attn.o_proj": (3584, 3584),
        "self_attn.q_proj.bias": (3584,),
        "self_attn.q_proj": (3584, 3584),
        "self_attn.v_proj.bias": (512,),
        "self_attn.v_proj": (512, 3584),
    }
    assert len(architecture.parameters) == 339


def test_columns_stand_in_the_order_in_which_data_passes() -> None:
    assert understand(published("qwen2-7b")).columns == (
        "input_layernorm",
        "self_attn.q_proj",
        "self_attn.q_proj.bias",
        "self_attn.k_proj",
        "self_attn.k_proj.bias",
        "self_attn.v_proj",
        "self_attn.v_proj.bias",
        "self_attn.o_proj",
        "post_attention_layernorm",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.down_proj",
    )
    gpt2 = understand(checkpoint(gpt2_shapes(), catalog_config("gpt2-124m")))
    assert gpt2.columns == (
        "input_layernorm",
        "input_layernorm.bias",
        "self_attn.q_proj",
        "self_attn.q_proj.bias",
        "self_attn.k_proj",
        "self_attn.k_proj.bias",
        "self_attn.v_proj",
        "self_attn.v_proj.bias",
        "self_attn.o_proj",
        "self_attn.o_proj.bias",
        "post_attention_layernorm",
        "post_attention_layernorm.bias",
        "mlp.up_proj",
        "mlp.up_proj.bias",
        "mlp.down_proj",
        "mlp.down_proj.bias",
    )
    assert gpt2.outside == ("embed_tokens", "embed_positions", "norm", "norm.bias", "lm_head")
    assert understand(invented()).columns == (
        "norm1.scale",
        "attention.wq",
        "attention.wk",
        "attention.wv",
        "attention.wo",
        "attention.wo.bias",
        "norm2.scale",
        "ffn.w1",
        "ffn.w2",
        "whatnot",
    )


@pytest.mark.parametrize("name", tiny_names())
def test_every_tensor_of_every_family_has_a_place_of_its_own(name: str) -> None:
    source = tiny(name)
    architecture = understand(source)
    stored = [p for p in architecture.parameters if p.role != "tied"]
    assert_nothing_lost_or_doubled(source, architecture)
    assert len({p.place for p in architecture.parameters}) == len(architecture.parameters)
    unknown = {p.place.component for p in stored} - set(ORDER)
    assert unknown <= NOT_IN_THE_SKELETON
    columns = set(architecture.columns) | set(architecture.outside)
    assert {p.place.column for p in stored if p.role == "parameter"} <= columns


@pytest.mark.parametrize(
    ("family", "stored", "component"),
    [
        ("gemma", "model.layers.0.post_attention_layernorm.weight", "post_attention_layernorm"),
        ("gemma2", "model.layers.0.post_attention_layernorm.weight", "post_self_attn_layernorm"),
        ("gemma2", "model.layers.0.pre_feedforward_layernorm.weight", "post_attention_layernorm"),
        ("gemma2", "model.layers.0.post_feedforward_layernorm.weight", "post_mlp_layernorm"),
        ("olmo2", "model.layers.0.post_attention_layernorm.weight", "post_self_attn_layernorm"),
        ("olmo2", "model.layers.0.post_feedforward_layernorm.weight", "post_mlp_layernorm"),
        ("opt", "model.decoder.layers.0.final_layer_norm.weight", "post_attention_layernorm"),
        ("opt", "model.decoder.final_layer_norm.weight", "norm"),
        ("deepseek_v3", "model.layers.1.mlp.gate.weight", "mlp.router"),
        ("gpt_neox", "gpt_neox.layers.0.mlp.dense_4h_to_h.weight", "mlp.down_proj"),
    ],
)
def test_a_place_is_not_its_string(family: str, stored: str, component: str) -> None:
    assert place_of(stored, tiny(family)).component == component


def test_the_same_number_means_another_part_in_t5s_two_towers() -> None:
    found = places(understand(tiny("t5")))
    norm = "block.0.layer.1.layer_norm.weight"
    assert found[f"encoder.{norm}"] == Place(0, "post_attention_layernorm", tower="encoder")
    assert found[f"decoder.{norm}"] == Place(0, "cross_attn_layernorm", tower="decoder")


def test_experts_are_told_apart_and_share_a_column() -> None:
    found = places(understand(tiny("mixtral")))
    name = "model.layers.1.block_sparse_moe.experts.3.w2.weight"
    assert found[name] == Place(1, "mlp.experts.down_proj", expert=3)
    assert found[name].column == "mlp.experts.down_proj"
    correction = "model.layers.1.mlp.gate.e_score_correction_bias"
    assert place_of(correction, tiny("deepseek_v3")).column == "mlp.router.e_score_correction_bias"


def test_stacked_experts_with_the_parameter_run_into_the_name() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    shapes |= {f"model.layers.{n}.mlp.experts.down_proj_blocks": (4, 2, 3, 16) for n in range(2)}
    shapes |= {f"model.layers.{n}.mlp.experts.down_proj_scales": (4, 2, 3) for n in range(2)}
    config = catalog_config("gpt-oss-20b")
    architecture = understand(checkpoint(shapes, config, dtypes=dict.fromkeys(shapes, "U8")))
    assert architecture.columns == ("mlp.experts.down_proj",)
    roles = {p.tensor.name: p.role for p in architecture.parameters}
    assert {name.rpartition("_")[2]: role for name, role in roles.items()} == {
        "blocks": "quantised",
        "scales": "buffer",
    }


def test_deepseeks_extra_layer_is_a_tower_of_its_own() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    shapes |= {f"model.layers.{layer}.input_layernorm.weight": (8,) for layer in range(3)}
    shapes["model.layers.2.eh_proj.weight"] = (8, 16)
    config = {"model_type": "deepseek_v3", "num_hidden_layers": 2}
    architecture = understand(checkpoint(shapes, config))
    found = places(architecture)
    assert found["model.layers.2.input_layernorm.weight"] == Place(
        0, "input_layernorm", tower="mtp"
    )
    assert found["model.layers.2.eh_proj.weight"].column == "mtp.eh_proj"
    assert architecture.layer_count == 2


@pytest.mark.parametrize("prefix", ["", "transformer.", "base_model.model.transformer."])
@pytest.mark.parametrize("config", [None, catalog_config("gpt2-124m")])
def test_gpt2_with_any_prefix(prefix: str, config: dict[str, object] | None) -> None:
    architecture = understand(checkpoint(gpt2_shapes(prefix=prefix), config))
    assert architecture.family == "gpt2"
    found = places(architecture)
    assert found[f"{prefix}h.11.attn.c_attn.bias (k)"] == Place(11, "self_attn.k_proj", "bias")
    assert found[f"{prefix}wpe.weight"] == Place(None, "embed_positions")
    turned = {p.place.component for p in architecture.parameters if p.transposed}
    attention = {f"self_attn.{part}_proj" for part in "qkvo"}
    assert turned == {*attention, "mlp.up_proj", "mlp.down_proj"}


@pytest.mark.parametrize(
    "prefix",
    ["", "model.", "language_model.model.", "model.language_model.", "base_model.model.model."],
)
def test_llama_with_any_prefix(prefix: str) -> None:
    shapes = {f"{prefix}layers.{n}.self_attn.q_proj.weight": (8, 8) for n in range(2)}
    shapes[f"{prefix}embed_tokens.weight"] = (10, 8)
    found = places(understand(checkpoint(shapes)))
    assert found[f"{prefix}layers.1.self_attn.q_proj.weight"] == Place(1, "self_attn.q_proj")
    assert found[f"{prefix}embed_tokens.weight"] == Place(None, "embed_tokens")


def test_a_vision_tower_beside_a_described_decoder_stays_apart() -> None:
    shapes = {
        f"language_model.{name}": shape
        for name, shape in llama_shapes(catalog_config("llama-3.2-1b")).items()
    }
    for layer in range(2):
        shapes[f"vision_tower.vision_model.encoder.layers.{layer}.self_attn.q_proj.weight"] = (4, 4)
    shapes["vision_tower.vision_model.post_layernorm.weight"] = (4,)
    shapes["multi_modal_projector.linear_1.weight"] = (8, 4)
    config = {"model_type": "llava", "text_config": catalog_config("llama-3.2-1b")}
    architecture = understand(checkpoint(shapes, config))
    found = places(architecture)
    vision = found["vision_tower.vision_model.encoder.layers.1.self_attn.q_proj.weight"]
    assert vision == Place(1, "self_attn.q_proj", tower="vision")
    decoder = found["language_model.model.layers.1.self_attn.q_proj.weight"]
    assert decoder == Place(1, "self_attn.q_proj")
    assert found["vision_tower.vision_model.post_layernorm.weight"].tower == "vision"
    assert found["multi_modal_projector.linear_1.weight"].layer is None
    assert architecture.layer_count == 16


def test_the_first_published_berts_spell_their_norms_otherwise() -> None:
    layer = "bert.encoder.layer.0.attention"
    norm = f"{layer}.output.LayerNorm"
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (10, 8),
        f"{layer}.self.query.weight": (8, 8),
        f"{norm}.gamma": (8,),
        f"{norm}.beta": (8,),
    }
    config = {"model_type": "bert", "tie_word_embeddings": True}
    body = understand(checkpoint(shapes, config))
    assert places(body)[f"{norm}.gamma"] == Place(0, "post_self_attn_layernorm")
    assert places(body)[f"{norm}.beta"] == Place(0, "post_self_attn_layernorm", "bias")
    # A head is tied to the embedding only where the file holds something of a head.
    assert not any(p.role == "tied" for p in body.parameters)
    whole = understand(checkpoint(shapes | {"cls.predictions.bias": (10,)}, config))
    assert any(p.role == "tied" for p in whole.parameters)
    assert whole.fact("kv_cache_bytes_per_token") is None


def test_masks_and_frequencies_are_buffers_and_have_no_column() -> None:
    shapes = gpt2_shapes(masks=True, layers=2)
    shapes["h.0.attn.rotary_emb.inv_freq"] = (32,)
    shapes["embeddings.position_ids"] = (1, 512)
    architecture = understand(checkpoint(shapes, dtypes={"embeddings.position_ids": "I64"}))
    buffers = {p.tensor.name for p in architecture.parameters if p.role == "buffer"}
    assert buffers == {
        "h.0.attn.bias",
        "h.1.attn.bias",
        "h.0.attn.masked_bias",
        "h.1.attn.masked_bias",
        "h.0.attn.rotary_emb.inv_freq",
        "embeddings.position_ids",
    }
    assert not any("mask" in c or c.endswith("attn.bias") for c in architecture.columns)
    assert "self_attn.q_proj.bias" in architecture.columns


@pytest.mark.parametrize("name", ["llama-3.2-1b", "gpt2-124m"])
def test_a_tied_head_is_the_embedding_a_second_time(name: str) -> None:
    config = catalog_config(name)
    shapes = gpt2_shapes() if name == "gpt2-124m" else llama_shapes(config, head=False)
    architecture = understand(checkpoint(shapes, config))
    [tied] = [p for p in architecture.parameters if p.role == "tied"]
    assert tied.place == Place(None, "lm_head")
    assert tied.tensor.name in ("model.embed_tokens.weight", "wte.weight")
    assert len({p.tensor.name for p in architecture.parameters}) == len(shapes)


def test_a_stored_head_is_the_truth_and_llama_without_one_is_not_tied_by_default() -> None:
    config = catalog_config("llama-3.2-1b")
    for shapes, said in (
        (llama_shapes(config), config),
        (llama_shapes(config, head=False), {**config, "tie_word_embeddings": False}),
        (llama_shapes(config, head=False), None),
    ):
        assert not any(p.role == "tied" for p in understand(checkpoint(shapes, said)).parameters)


def test_two_names_at_one_place_keep_both_tensors() -> None:
    names = ("model.norm.weight", "norm.weight", "language_model.model.norm.weight")
    architecture = understand(checkpoint(dict.fromkeys(names, (8,)), {"model_type": "llama"}))
    found = places(architecture)
    assert found["norm.weight"] == Place(None, "norm")
    assert found["model.norm.weight"] == Place(None, "model.norm")
    assert len(set(found.values())) == 3


def test_an_unknown_family_is_read_by_the_number_that_varies() -> None:
    architecture = understand(invented())
    assert (architecture.family, architecture.layer_count) == ("unknown", 3)
    found = places(architecture)
    assert found["net.stages.2.attention.wo.bias"] == Place(2, "attention.wo", "bias")
    # What all names share says nothing of any.
    assert found["net.token_emb.weight"] == Place(None, "token_emb")


def test_unknown_experts_and_towers() -> None:
    shapes = {
        f"{tower}.blocks.{layer}.moe.experts.{expert}.fc.weight": (2, 2)
        for tower in ("encoder", "decoder")
        for layer in range(2)
        for expert in range(2)
    }
    found = places(understand(checkpoint(shapes)))
    assert found["decoder.blocks.1.moe.experts.0.fc.weight"] == Place(
        1, "moe.experts.fc", expert=0, tower="decoder"
    )
    assert len(set(found.values())) == 8


def test_the_names_decide_where_the_config_lies_or_is_unknown() -> None:
    shapes = llama_shapes(catalog_config("llama-3.2-1b"))
    assert understand(checkpoint(shapes, {"model_type": "gpt2"})).family == "llama"
    newer = understand(checkpoint(shapes, {"model_type": "llama9"}))
    assert (newer.family, newer.title) == ("llama", "llama9, 1.5 B")
    gemma = {p.name: p.shape for p in tiny("gemma2").tensors}
    assert understand(checkpoint(gemma)).family == "gemma2"


HOSTILE = [
    "model.layers.99999999999999999999.self_attn.q_proj.weight",
    "model.layers.-1.x.weight",
    "model.layers.007.x.weight",
    "model.layers.²." + "x.weight",
    "model.layers..weight",
    "<script>alert(1)</script>.0.weight",
    "a\nb.0.c\x00d",
    "x" * 10_000,
    ".".join(["0"] * 5_000),
    ".",
    "..",
    "",
    "weight",
    ".weight",
    "../../etc/passwd",
]


def test_hostile_names_get_places_too() -> None:
    architecture = understand(checkpoint(dict.fromkeys(HOSTILE, (2, 2))))
    assert [p.tensor.name for p in architecture.parameters] == HOSTILE
    assert len({p.place for p in architecture.parameters}) == len(HOSTILE)
    assert all(p.place.component for p in architecture.parameters)
    assert architecture.layer_count <= 10_000


WORDS = (
    "model layers h 0 1 2 12 experts mlp self_attn q_proj gate attn c_attn bias weight norm wte "
    "encoder vision_tower é"
)
SEGMENTS = st.sampled_from(["", *WORDS.split()])
NAMES = st.lists(SEGMENTS, min_size=1, max_size=7).map(".".join)


@given(st.lists(NAMES, unique=True, max_size=30))
def test_no_name_is_lost_and_no_place_is_taken_twice(names: list[str]) -> None:
    architecture = understand(checkpoint(dict.fromkeys(names, (2, 2))))
    assert [p.tensor.name for p in architecture.parameters if p.role != "tied"] == names
    assert len({p.place for p in architecture.parameters}) == len(architecture.parameters)
    stored = {p.place.column for p in architecture.parameters if p.role != "buffer"}
    assert stored == set(architecture.columns) | set(architecture.outside)


def test_merged_columns_keep_both_orders() -> None:
    llama = understand(published("llama-3-8b")).columns
    gpt2 = understand(checkpoint(gpt2_shapes())).columns
    assert merge_columns(llama, gpt2) == (
        "input_layernorm",
        "input_layernorm.bias",
        "self_attn.q_proj",
        "self_attn.q_proj.bias",
        "self_attn.k_proj",
        "self_attn.k_proj.bias",
        "self_attn.v_proj",
        "self_attn.v_proj.bias",
        "self_attn.o_proj",
        "self_attn.o_proj.bias",
        "post_attention_layernorm",
        "post_attention_layernorm.bias",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.up_proj.bias",
        "mlp.down_proj",
        "mlp.down_proj.bias",
    )
    assert merge_columns((), ("a", "b")) == ("a", "b")


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.lists(st.sampled_from("abcdefgh"), unique=True),
)
def test_merged_columns_hold_every_column_once_and_keep_bases_order(
    base: list[str], target: list[str]
) -> None:
    merged = merge_columns(base, target)
    assert sorted(merged) == sorted(set(base) | set(target))
    assert [column for column in merged if column in base] == base


@pytest.mark.parametrize(
    ("name", "turned"), [("experts.{}.down_proj.weight", False), ("experts.{}.down_proj", True)]
)
def test_experts_that_are_modules_are_stored_as_linear_layers(name: str, turned: bool) -> None:
    """gpt-oss stores stacks [in, out]; in files that have each expert apart a square matrix shows
    by its name alone which way it stands."""
    config = {"model_type": "gpt_oss", "hidden_size": 64, "intermediate_size": 64}
    shapes = {f"model.layers.0.mlp.{name.format(expert)}": (64, 64) for expert in range(2)}
    architecture = understand(checkpoint(shapes, config))
    assert [each.transposed for each in architecture.parameters] == [turned, turned]
