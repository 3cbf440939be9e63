"""Pairing by place: every tensor of both sides in exactly one row."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from modeldiff.architectures import Architecture, Place, understand
from modeldiff.changes.change import Pair
from modeldiff.changes.pairing import pair
from modeldiff.checkpoints.config_only.catalog import catalog_config
from tests.support.named_shapes import (
    checkpoint,
    gpt2_shapes,
    invented,
    llama_shapes,
    published,
    tiny,
)

LLAMA_1B = catalog_config("llama-3.2-1b")


def statuses(rows: tuple[Pair, ...]) -> Counter[str]:
    return Counter(row.status for row in rows)


def row_at(rows: tuple[Pair, ...], column: str, layer: int | None = None) -> Pair:
    [row] = [r for r in rows if (r.place.column, r.place.layer) == (column, layer)]
    return row


def names(row: Pair) -> tuple[str | None, str | None]:
    return (row.base.name if row.base else None, row.target.name if row.target else None)


def test_one_shape_pairs_whole_in_the_file_order_of_the_base() -> None:
    base, target = published("llama-3-8b"), published("llama-3.1-8b")
    rows = pair(understand(base), understand(target))
    assert statuses(rows) == {"compared": 291}
    assert [row.base for row in rows] == list(base.tensors)
    assert all(row.base and row.target and row.base.name == row.target.name for row in rows)


def test_names_differ_and_places_agree() -> None:
    plain = understand(checkpoint(gpt2_shapes(), catalog_config("gpt2-124m")))
    prefixed = checkpoint(gpt2_shapes(prefix="transformer."), catalog_config("gpt2-124m"))
    rows = pair(plain, understand(prefixed))
    assert statuses(rows) == {"compared": 148 + 2 * 2 * 12, "tied": 1}
    assert names(row_at(rows, "self_attn.v_proj", 3)) == (
        "h.3.attn.c_attn.weight",
        "transformer.h.3.attn.c_attn.weight",
    )


def test_another_vocabulary_is_another_shape_and_more_layers_are_only_there() -> None:
    longer = {**LLAMA_1B, "num_hidden_layers": 18, "vocab_size": 1000}
    base = understand(checkpoint(llama_shapes(LLAMA_1B), LLAMA_1B))
    target = understand(checkpoint(llama_shapes(longer), longer))
    rows = pair(base, target)
    assert statuses(rows) == {"compared": 145, "different_shape": 2, "only_in_target": 18}
    assert row_at(rows, "embed_tokens").status == "different_shape"
    assert rows[-1].place.layer == 17 and rows[-1].base is None
    back = pair(target, base)
    assert statuses(back)["only_in_base"] == 18


def test_one_string_at_two_places_is_never_paired() -> None:
    llama = tiny_shapes("gemma")
    rows = pair(understand(checkpoint(llama, {"model_type": "llama"})), understand(tiny("olmo2")))
    ours = "model.layers.0.post_attention_layernorm.weight"
    assert [names(row) for row in rows if ours in names(row)] == [(ours, None), (None, ours)]
    gemma = pair(understand(checkpoint(llama, {"model_type": "llama"})), understand(tiny("gemma2")))
    assert names(row_at(gemma, "post_attention_layernorm", 0)) == (
        ours,
        "model.layers.0.pre_feedforward_layernorm.weight",
    )


def tiny_shapes(name: str) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tensor.shape for tensor in tiny(name).tensors}


def test_two_tied_heads_are_one_row_that_is_not_measured() -> None:
    one = understand(checkpoint(llama_shapes(LLAMA_1B, head=False), LLAMA_1B))
    rows = pair(one, one)
    assert statuses(rows) == {"compared": 146, "tied": 1}
    head = row_at(rows, "lm_head")
    assert (head.status, head.nbytes) == ("tied", 0)
    assert "model.embed_tokens.weight" in head.reason


def test_a_head_of_its_own_is_measured_against_the_tied_one() -> None:
    tied = understand(checkpoint(llama_shapes(LLAMA_1B, head=False), LLAMA_1B))
    own = understand(checkpoint(llama_shapes(LLAMA_1B), LLAMA_1B))
    head = row_at(pair(tied, own), "lm_head")
    assert head.status == "compared" and "base stores no head" in head.reason
    assert names(head) == ("model.embed_tokens.weight", "lm_head.weight")
    back = row_at(pair(own, tied), "lm_head")
    assert back.status == "compared" and "target stores no head" in back.reason
    assert names(back) == ("lm_head.weight", "model.embed_tokens.weight")


def test_a_tied_head_beside_none_at_all_is_shown_as_tied() -> None:
    tied = understand(checkpoint(llama_shapes(LLAMA_1B, head=False), LLAMA_1B))
    bare = understand(checkpoint(llama_shapes(LLAMA_1B, head=False)))
    assert row_at(pair(tied, bare), "lm_head").status == "tied"
    assert row_at(pair(bare, tied), "lm_head").status == "tied"


def test_buffers_are_listed_and_not_measured() -> None:
    base = understand(checkpoint(gpt2_shapes(masks=True)))
    target = understand(checkpoint(gpt2_shapes()))
    for rows in (pair(base, target), pair(base, base), pair(target, base)):
        assert statuses(rows)["buffer"] == 24
        assert all(row.nbytes == 0 for row in rows if row.status == "buffer")


def test_a_matrix_stored_the_other_way_round_is_turned() -> None:
    shapes = {"h.0.mlp.c_fc.weight": (8, 32), "h.0.mlp.c_proj.weight": (32, 8)}
    other = {
        "model.layers.0.mlp.up_proj.weight": (32, 8),
        "model.layers.0.mlp.down_proj.weight": (8, 24),
    }
    base = understand(checkpoint(shapes, {"model_type": "gpt2"}))
    target = understand(checkpoint(other, {"model_type": "llama"}))
    for rows, side in ((pair(base, target), "base"), (pair(target, base), "target")):
        up, down = row_at(rows, "mlp.up_proj", 0), row_at(rows, "mlp.down_proj", 0)
        assert (up.status, down.status) == ("compared", "different_shape")
        assert up.reason == f"{side} stores this matrix as [in, out]; here it is turned"
        turned = [getattr(row, side) for row in (up, down)]
        assert [tensor.shape for tensor in turned] == [(32, 8), (8, 32)]
        assert [tensor.strides for tensor in turned] == [((32, 1), (8, 32)), ((8, 1), (32, 8))]


def test_experts_pair_by_their_number() -> None:
    fewer = {
        name: shape for name, shape in tiny_shapes("mixtral").items() if ".experts.1." not in name
    }
    rows = pair(
        understand(tiny("mixtral")), understand(checkpoint(fewer, {"model_type": "mixtral"}))
    )
    assert statuses(rows)["only_in_base"] == 2 * 3
    assert all(row.place.expert == 1 for row in rows if row.status == "only_in_base")


def test_names_pair_where_one_side_is_read_without_a_description() -> None:
    odd = {"net.stages.0.a.weight": (2, 2), "net.stages.1.a.weight": (2, 2), "extra": (3,)}
    # Alone in its file, the layer's number does not vary: it cannot be told from any other number.
    part = {"net.stages.1.a.weight": (2, 2)}
    base, target = understand(checkpoint(odd)), understand(checkpoint(part))
    paired = [names(row) for row in pair(base, target) if row.status == "compared"]
    assert paired == [("net.stages.1.a.weight", "net.stages.1.a.weight")]


FULL: list[dict[str, tuple[int, ...]]] = [
    llama_shapes({**LLAMA_1B, "num_hidden_layers": 2}),
    tiny_shapes("gemma2"),
    tiny_shapes("mixtral"),
    gpt2_shapes(layers=2, masks=True),
    {tensor.name: tensor.shape for tensor in invented().tensors},
    {"norm.weight": (1,), "model.norm.weight": (1,), "lm_head.weight": (1, 1), "": (2,)},
]
CONFIGS = [None, {"model_type": "llama", "tie_word_embeddings": True}, {"model_type": "gpt2"}]


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    shapes = draw(st.sampled_from(FULL))
    kept = draw(st.lists(st.sampled_from(sorted(shapes)), unique=True))
    return understand(
        checkpoint({name: shapes[name] for name in kept}, draw(st.sampled_from(CONFIGS)))
    )


@given(architectures(), architectures())
def test_no_tensor_is_lost_or_doubled(base: Architecture, target: Architecture) -> None:
    rows = pair(base, target)
    stored = [row for row in rows if row.status != "tied"]
    # A stored head that meets a tied one brings the other side's embedding into its row too.
    for side, architecture in (("base", base), ("target", target)):
        held = [p.tensor for p in architecture.parameters if p.role != "tied"]
        stands_in = [row for row in stored if row.reason.startswith(f"{side} stores no head")]
        ours = [getattr(row, side) for row in stored if row not in stands_in]
        assert Counter(tensor.name for tensor in ours if tensor) == Counter(t.name for t in held)
    assert len({row.place for row in rows}) == len(rows)
    assert statuses(pair(base, base)).keys() <= {"compared", "tied", "buffer"}


def test_places_of_rows_are_bases() -> None:
    rows = pair(understand(tiny("mixtral")), understand(tiny("qwen3_moe")))
    assert row_at(rows, "mlp.router", 0).place == Place(0, "mlp.router")
    assert names(row_at(rows, "mlp.router", 0))[1] == "model.layers.0.mlp.gate.weight"
