"""The blocks that a diagram is drawn from: every parameter once, operations in their order."""

from __future__ import annotations

import pytest

from modeldiff.architectures import Architecture, Node, Sublayer, understand
from modeldiff.architectures.components import ORDER
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.config_only.catalog import catalog_config
from tests.support.named_shapes import (
    checkpoint,
    gpt2_shapes,
    invented,
    llama_shapes,
    named_nodes,
    published,
    tiny,
    tiny_names,
)

SOURCES: dict[str, Checkpoint] = {
    "llama-3-8b": published("llama-3-8b"),
    "qwen2-7b": published("qwen2-7b"),
    "qwen3-8b": published("qwen3-8b"),
    "gpt2": checkpoint(gpt2_shapes(masks=True), catalog_config("gpt2-124m")),
    "invented": invented(),
    **{name: tiny(name) for name in tiny_names()},
}


def component(place_tower: str, name: str) -> str:
    return f"{place_tower}.{name}" if place_tower else name


@pytest.mark.parametrize("name", SOURCES)
def test_every_component_is_drawn_once_in_each_layer_kind_in_stem_or_in_tail(name: str) -> None:
    architecture = understand(SOURCES[name])
    drawn: dict[str, list[str]] = {}
    for where, node in named_nodes(architecture):
        if node.kind not in ("operation", "input"):
            drawn.setdefault("outside" if where in ("stem", "tail") else where, []).append(node.id)
    held: dict[str, set[str]] = {}
    for parameter in architecture.parameters:
        place = parameter.place
        if parameter.role == "buffer":
            continue
        where = "outside"
        if place.layer is not None:
            [where] = [
                kind.name
                for kind in architecture.layer_kinds
                if kind.tower == place.tower and place.layer in kind.layers
            ]
        held.setdefault(where, set()).add(component(place.tower, place.component))
    assert {where: sorted(found) for where, found in drawn.items()} == {
        where: sorted(found) for where, found in held.items()
    }


@pytest.mark.parametrize("name", SOURCES)
def test_a_step_reads_only_what_stands_before_it(name: str) -> None:
    architecture = understand(SOURCES[name])
    for kind in architecture.layer_kinds:
        ids = [s.id for sub in kind.sublayers for row in sub.rows for s in row]
        assert len(ids) == len(set(ids))
        for sublayer in kind.sublayers:
            before: set[str] = set()
            for row in sublayer.rows:
                assert row
                assert all(set(node.inputs) <= before for node in row)
                before |= {node.id for node in row}
            last = sublayer.rows[-1]
            assert not sublayer.adds or len(last) == 1


def rows(sublayer: Sublayer) -> list[list[str]]:
    return [[node.id for node in row] for row in sublayer.rows]


def found(architecture: Architecture, id: str) -> Node:
    return next(node for _, node in named_nodes(architecture) if node.id == id)


def test_llamas_layer() -> None:
    architecture = understand(published("llama-3-8b"))
    [kind] = architecture.layer_kinds
    assert kind.layers == tuple(range(32)) and not kind.parallel
    attention, mlp = kind.sublayers
    assert rows(attention) == [
        ["input_layernorm"],
        ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        ["self_attn.rope"],
        ["self_attn.attention"],
        ["self_attn.o_proj"],
    ]
    assert rows(mlp) == [
        ["post_attention_layernorm"],
        ["mlp.gate_proj", "mlp.up_proj"],
        ["mlp.activation"],
        ["mlp.multiply"],
        ["mlp.down_proj"],
    ]
    assert found(architecture, "self_attn.rope").inputs == ("self_attn.q_proj", "self_attn.k_proj")
    attends = found(architecture, "self_attn.attention")
    assert attends.inputs == ("self_attn.rope", "self_attn.v_proj")
    assert attends.detail == "32 heads, 8 KV heads"
    assert found(architecture, "mlp.multiply").inputs == ("mlp.activation", "mlp.up_proj")
    assert [node.id for node in architecture.stem] == ["embed_tokens"]
    assert [node.id for node in architecture.tail] == ["norm", "lm_head"]


def test_shapes_read_from_in_to_out_and_say_what_their_numbers_mean() -> None:
    llama = understand(published("llama-3-8b"))
    key = found(llama, "self_attn.k_proj")
    assert (key.label, key.shape, key.detail) == (
        "k_proj",
        "4096 → 1024",
        "1024 = 8 KV heads × 128",
    )
    assert found(llama, "mlp.down_proj").shape == "14336 → 4096"
    assert found(llama, "embed_tokens").shape == "128256 × 4096"
    assert found(llama, "norm").shape == "4096"
    gpt2 = understand(SOURCES["gpt2"])
    part = found(gpt2, "self_attn.k_proj")
    assert (part.label, part.shape) == ("c_attn (k)", "768 → 768")
    assert part.detail == "768 = 12 heads × 64, with bias, stored [in, out]"
    head = found(gpt2, "lm_head")
    assert head.detail.endswith("the same matrix as wte")


def test_gpt2s_layer_has_no_gate_and_no_rope() -> None:
    [kind] = understand(SOURCES["gpt2"]).layer_kinds
    attention, mlp = kind.sublayers
    assert rows(attention) == [
        ["input_layernorm"],
        ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        ["self_attn.attention"],
        ["self_attn.o_proj"],
    ]
    assert rows(mlp) == [
        ["post_attention_layernorm"],
        ["mlp.up_proj"],
        ["mlp.activation"],
        ["mlp.down_proj"],
    ]
    assert [node.id for node in understand(SOURCES["gpt2"]).stem] == [
        "embed_tokens",
        "embed_positions",
        "embed.add",
    ]


def test_norms_stand_where_the_family_computes_them() -> None:
    gemma = understand(tiny("gemma2")).layer_kinds[0]
    assert [rows(s)[0] + rows(s)[-1] for s in gemma.sublayers] == [
        ["input_layernorm", "post_self_attn_layernorm"],
        ["post_attention_layernorm", "post_mlp_layernorm"],
    ]
    olmo = understand(tiny("olmo2"))
    attention, mlp = olmo.layer_kinds[0].sublayers
    assert rows(attention)[0] == ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]
    assert rows(attention)[1] == ["self_attn.q_norm", "self_attn.k_norm"]
    assert rows(mlp)[-1] == ["post_mlp_layernorm"]
    assert found(olmo, "self_attn.q_proj").inputs == ()
    bare = understand(tiny("olmo"))
    norm = found(bare, "input_layernorm")
    assert (norm.kind, norm.detail) == ("operation", "without parameters")


def test_qwen3_norms_queries_and_keys_before_they_are_turned() -> None:
    architecture = understand(published("qwen3-8b"))
    assert found(architecture, "self_attn.rope").inputs == ("self_attn.q_norm", "self_attn.k_norm")


def test_parallel_layers() -> None:
    [neox] = understand(tiny("gpt_neox")).layer_kinds
    assert neox.parallel and len(neox.sublayers) == 2
    falcon = understand(tiny("falcon"))
    [kind] = falcon.layer_kinds
    assert not kind.parallel
    [both] = kind.sublayers
    assert rows(both)[0] == ["input_layernorm"]
    assert found(falcon, "mlp.up_proj").inputs == ("input_layernorm",)
    assert found(falcon, "parallel.add").inputs == ("self_attn.o_proj", "mlp.down_proj")


def test_experts_and_the_shared_one_are_summed_by_the_router() -> None:
    architecture = understand(tiny("qwen2_moe"))
    assert found(architecture, "mlp.combine").inputs == (
        "mlp.router",
        "mlp.experts.down_proj",
        "mlp.shared_expert.down_proj",
        "mlp.shared_expert_gate",
    )
    assert "4 experts, 2 a token" in found(architecture, "mlp.experts.up_proj").detail


def test_latent_attention() -> None:
    architecture = understand(tiny("deepseek_v3"))
    assert found(architecture, "self_attn.q_b_proj").inputs == ("self_attn.q_a_layernorm",)
    assert found(architecture, "self_attn.rope").inputs == (
        "self_attn.q_b_proj",
        "self_attn.kv_a_proj",
    )
    assert (
        found(architecture, "self_attn.kv_a_proj").detail == "12 = 8 compressed + 4 for positions"
    )
    assert found(architecture, "self_attn.kv_b_proj").detail == "64 = 4 heads × 16"
    names = [kind.name for kind in architecture.layer_kinds]
    assert names == ["Decoder layer: dense MLP", "Decoder layer: mixture of experts"]


def test_layers_alike_are_one_kind_and_others_are_told_apart() -> None:
    kinds = understand(tiny("gemma2")).layer_kinds
    assert [(kind.name, kind.layers) for kind in kinds] == [
        ("Decoder layer: sliding attention", (0,)),
        ("Decoder layer: full attention", (1,)),
    ]
    shapes = llama_shapes(catalog_config("llama-3.2-1b"))
    shapes["model.layers.3.mlp.up_proj.bias"] = (8192,)
    kinds = understand(checkpoint(shapes)).layer_kinds
    assert [kind.name for kind in kinds] == ["Decoder layer (0–2, 4–15)", "Decoder layer (3)"]
    architecture = understand(checkpoint(shapes))
    assert architecture.layer_kind(3) is kinds[1] or architecture.layer_kind(3) == kinds[1]
    assert architecture.layer_kind(99) is None


def test_towers_are_kinds_of_their_own() -> None:
    kinds = {kind.name: kind for kind in understand(tiny("whisper")).layer_kinds}
    assert [s.name for s in kinds["Decoder layer"].sublayers] == [
        "Attention",
        "Cross-attention",
        "MLP",
    ]
    assert [s.name for s in kinds["Encoder layer"].sublayers] == ["Attention", "MLP"]
    assert kinds["Encoder layer"].tower == "encoder"


def test_a_decoder_reads_the_encoder_and_its_head_reads_its_last_norm() -> None:
    whisper = understand(tiny("whisper"))
    attention = "decoder.cross_attn"
    assert found(whisper, f"{attention}.k_proj").inputs == (f"{attention}.encoder",)
    assert found(whisper, f"{attention}.v_proj").inputs == (f"{attention}.encoder",)
    assert found(whisper, f"{attention}.q_proj").inputs == ("decoder.cross_attn_layernorm",)
    encoder = found(whisper, f"{attention}.encoder")
    assert (encoder.kind, encoder.label, encoder.inputs) == ("input", "Encoder's output", ())
    assert found(whisper, "lm_head").inputs == ("decoder.norm",)
    added = found(whisper, "decoder.embed.add")
    assert added.inputs == ("decoder.embed_tokens", "decoder.embed_positions")


def test_a_tower_beside_the_model_is_drawn_as_layers_are_but_not_from_its_config() -> None:
    shapes = llama_shapes(catalog_config("llama-3.2-1b"))
    at = "vision_tower.vision_model.encoder.layers.0"
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes[f"{at}.self_attn.{name}.weight"] = (64, 64)
    shapes |= {f"{at}.mlp.fc1.weight": (128, 64), f"{at}.mlp.fc2.weight": (64, 128)}
    shapes |= {f"{at}.layer_norm1.weight": (64,), f"{at}.layer_norm2.weight": (64,)}
    architecture = understand(checkpoint(shapes, catalog_config("llama-3.2-1b")))
    [vision] = [kind for kind in architecture.layer_kinds if kind.tower == "vision"]
    attention = vision.sublayers[0]
    assert [len(row) for row in attention.rows] == [1, 3, 1, 1]
    assert found(architecture, "vision.self_attn.attention").detail == ""


def test_an_unknown_family_is_a_plain_stack() -> None:
    architecture = understand(invented())
    [kind] = architecture.layer_kinds
    assert [(s.name, s.adds) for s in kind.sublayers] == [
        ("Attention", True),
        ("MLP", True),
        ("Other", False),
    ]
    attention = kind.sublayers[0]
    assert [node.label for row in attention.rows for node in row] == [
        "norm1",
        "wq",
        "wk",
        "wv",
        "wo",
    ]
    assert [node.id for node in architecture.stem] == ["token_emb"]


def test_what_a_known_family_does_not_know_is_listed_beside() -> None:
    shapes = llama_shapes(catalog_config("llama-3.2-1b"))
    shapes["model.layers.0.self_attn.mystery.weight"] = (4, 4)
    [odd, _] = understand(checkpoint(shapes)).layer_kinds
    assert (odd.sublayers[-1].name, odd.sublayers[-1].adds) == ("Also stored", False)
    assert rows(odd.sublayers[-1]) == [["self_attn.mystery"]]


def test_all_nodes_come_in_the_order_of_the_data() -> None:
    llama = understand(SOURCES["llama-3-8b"])
    ids = [node.id for node in llama.nodes()]
    assert ids == sorted(ids, key=ORDER.__getitem__)
    assert (ids[0], ids[-1]) == ("embed_tokens", "lm_head")
    assert [node.id for node in llama.nodes(())] == ["embed_tokens", "norm", "lm_head"]


def test_what_another_tower_begins_with_comes_before_what_it_ends_with() -> None:
    ids = [node.id for node in understand(SOURCES["whisper"]).stem]
    assert ids.index("encoder.conv1") < ids.index("encoder.conv2") < ids.index("encoder.norm")


def test_only_a_count_is_a_number_of_an_architecture() -> None:
    llama = understand(SOURCES["llama-3-8b"])
    assert llama.number("layers") == 32
    for key in ("tied_head", "activation", "no such fact"):
        assert llama.number(key) is None
