"""The layer table: which rows stand where, what is folded, and what a search finds."""

from __future__ import annotations

from modeldiff.architectures import understand
from modeldiff.architectures.listing.layer_table import (
    LayerGroup,
    LayerTable,
    find_rows,
    layer_table,
)
from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.config_only.catalog import catalog_config
from tests.support.named_shapes import checkpoint, gpt2_shapes, invented, published


def table(base: Checkpoint, target: Checkpoint) -> LayerTable:
    return layer_table(understand(base), understand(target))


def printed(groups: tuple[LayerGroup, ...], side: str) -> list[str]:
    cells = [getattr(row, side) for group in groups for row in group.rows]
    return [f"{cell.name} {list(cell.shape)}" for cell in cells if cell is not None]


def test_the_last_layer_of_llama_3_beside_that_of_qwen2() -> None:
    both = table(published("llama-3-8b"), published("qwen2-7b"))
    assert printed(both.last(), "base") == [
        "model.layers.31.input_layernorm.weight [4096]",
        "model.layers.31.mlp.down_proj.weight [4096, 14336]",
        "model.layers.31.mlp.gate_proj.weight [14336, 4096]",
        "model.layers.31.mlp.up_proj.weight [14336, 4096]",
        "model.layers.31.post_attention_layernorm.weight [4096]",
        "model.layers.31.self_attn.k_proj.weight [1024, 4096]",
        "model.layers.31.self_attn.o_proj.weight [4096, 4096]",
        "model.layers.31.self_attn.q_proj.weight [4096, 4096]",
        "model.layers.31.self_attn.v_proj.weight [1024, 4096]",
        "model.norm.weight [4096]",
        "lm_head.weight [128256, 4096]",
    ]
    assert printed(both.last(), "target") == [
        "model.layers.27.input_layernorm.weight [3584]",
        "model.layers.27.mlp.down_proj.weight [3584, 18944]",
        "model.layers.27.mlp.gate_proj.weight [18944, 3584]",
        "model.layers.27.mlp.up_proj.weight [18944, 3584]",
        "model.layers.27.post_attention_layernorm.weight [3584]",
        "model.layers.27.self_attn.k_proj.bias [512]",
        "model.layers.27.self_attn.k_proj.weight [512, 3584]",
        "model.layers.27.self_attn.o_proj.weight [3584, 3584]",
        "model.layers.27.self_attn.q_proj.bias [3584]",
        "model.layers.27.self_attn.q_proj.weight [3584, 3584]",
        "model.layers.27.self_attn.v_proj.bias [512]",
        "model.layers.27.self_attn.v_proj.weight [512, 3584]",
        "model.norm.weight [3584]",
        "lm_head.weight [152064, 3584]",
    ]
    layer = both.last()[0]
    statuses = {row.column: row.status for row in layer.rows}
    assert statuses["self_attn.k_proj.bias"] == "only in target"
    assert statuses["self_attn.k_proj"] == "other shape"
    assert both.alike(layer) == (tuple(range(31)), tuple(range(27)))


def test_layers_of_one_number_stand_beside_each_other() -> None:
    both = table(published("llama-3-8b"), published("qwen2-7b"))
    [layer] = both.at(30)
    assert (layer.base_layers, layer.target_layers) == ((30,), ())
    assert {row.status for row in layer.rows} == {"only in base"}
    assert both.at(99) == ()


def test_the_folded_model_says_each_kind_of_layer_once() -> None:
    both = table(published("llama-3-8b"), published("qwen2-7b"))
    before, shared, rest, after = both.folded()
    assert [row.column for row in before.rows] == ["embed_tokens"]
    assert shared.base_layers == shared.target_layers == tuple(range(28))
    assert (rest.base_layers, rest.target_layers) == (tuple(range(28, 32)), ())
    assert rest.repeats == tuple(range(28)), "built as what is above"
    assert printed((shared,), "base")[0] == "model.layers.*.input_layernorm.weight [4096]"
    assert [row.column for row in after.rows] == ["norm", "lm_head"]


def test_dense_layers_before_a_mixture_and_its_experts_as_one_row() -> None:
    both = table(open_checkpoint("catalog:deepseek-v3"), open_checkpoint("catalog:qwen3-30b-a3b"))
    layers = [group for group in both.folded() if group.where == "layers"]
    assert [(g.base_layers[0], g.base_layers[-1]) for g in layers] == [(0, 2), (3, 47), (48, 60)]
    rows = {row.column: row for row in layers[1].rows}
    up = rows["mlp.experts.up_proj"]
    assert up.base and up.target
    assert up.base.name == "model.layers.*.mlp.experts.*.up_proj.weight"
    assert (up.base.count, up.target.count) == (256, 128)
    assert len(layers[1].rows) < 30


def test_a_mixture_beside_the_dense_model_that_it_came_from() -> None:
    both = table(
        open_checkpoint("catalog:mistral-7b-v0.1"), open_checkpoint("catalog:mixtral-8x7b")
    )
    statuses = {row.column: row.status for row in both.last()[0].rows}
    assert statuses["self_attn.q_proj"] == "same"
    assert statuses["mlp.up_proj"] == "only in base"
    assert statuses["mlp.experts.up_proj"] == "only in target"


def test_gpt2s_own_names_stand_at_llamas_places() -> None:
    gpt2 = checkpoint(gpt2_shapes(masks=True), catalog_config("gpt2-124m"))
    both = table(gpt2, published("llama-3-8b"))
    layer, after = both.last()
    rows = {row.column: row for row in layer.rows}
    down = rows["mlp.down_proj"]
    assert down.base and down.target and down.status == "other shape"
    assert (down.base.name, down.base.shape) == ("h.11.mlp.c_proj.weight", (3072, 768))
    assert down.base.oriented == (768, 3072)
    assert any(row.status == "buffer" for row in layer.rows)
    head = after.rows[-1]
    assert head.base and (head.base.role, head.column) == ("tied", "lm_head")


def test_names_nobody_knows_still_pair() -> None:
    both = table(invented(layers=3), invented(layers=5))
    layer = both.last()[0]
    assert (layer.base_layers, layer.target_layers) == ((2,), (4,))
    assert {row.status for row in layer.rows} == {"same"}


def test_a_search_finds_places_parts_of_names_and_whole_names() -> None:
    folded = table(published("llama-3-8b"), published("qwen2-7b")).folded()

    def columns(words: str) -> list[str]:
        return [row.column for group in find_rows(folded, words) for row in group.rows]

    assert set(columns("K_PROJ")) == {"self_attn.k_proj", "self_attn.k_proj.bias"}
    assert columns("model.layers.5.mlp.up_proj.weight") == ["mlp.up_proj"]
    assert columns("model.layers.77.mlp.up_proj.weight") == []
    assert columns("no such thing") == []
