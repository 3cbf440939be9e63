"""The change table: its one order, its indexes beside plain walks, and what tied rows say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.architectures import Architecture, Place, understand
from modeldiff.architectures.place import column_of
from modeldiff.changes import Change, ChangeTable, merge_statistics, pair
from modeldiff.changes.table.arrow_columns import changes_of
from modeldiff.findings.selection import chosen_cell, rows_of_cell, rows_of_component
from tests.support.architectures import gpt2_like, llama_like, moe_like
from tests.support.changes import continued, made_changes, made_statistics
from tests.support.named_shapes import checkpoint, tiny
from tests.support.results import CHANGES

BART_LAYER = ("self_attn.q_proj", "self_attn_layer_norm", "fc1", "fc2", "final_layer_norm")


def bart() -> Architecture:
    """BART's names, in the order of a file: the decoder's before the encoder's."""
    shapes: dict[str, tuple[int, ...]] = {}
    for tower in ("decoder", "encoder"):
        for layer in range(2):
            for name in BART_LAYER:
                shapes[f"model.{tower}.layers.{layer}.{name}.weight"] = (8, 8)
        shapes[f"model.{tower}.layernorm_embedding.weight"] = (8,)
        shapes[f"model.{tower}.layer_norm.weight"] = (8,)
    shapes["model.shared.weight"] = (16, 8)
    return understand(checkpoint(shapes, {"model_type": "bart"}))


def table_of(base: Architecture, target: Architecture | None = None) -> ChangeTable:
    return ChangeTable.of_pairs(pair(base, target or base))


def stages(table: ChangeTable) -> list[str]:
    """What the rows of ``ordered`` belong to, by their stored names alone, repeats left out."""
    found: list[str] = []
    for row in table.ordered():
        tensor = row.pair.base or row.pair.target
        assert tensor is not None
        words = tensor.name.removeprefix("model.").split(".")
        tower = words[0] if words[0] in ("encoder", "decoder") else ""
        layer = next((word for word in words if word.isdigit()), "")
        if row.pair.status == "tied":
            stage = "head"
        elif layer and ("layers" in words or "block" in words):
            stage = f"{tower} {layer}".strip()
        elif "layernorm_embedding" not in words and any("norm" in word for word in words[:2]):
            stage = f"{tower} norm".strip()
        else:
            stage = f"{tower} before".strip()
        if found[-1:] != [stage]:
            found.append(stage)
    return found


WHOLE_TOWERS = ["encoder 0", "encoder 1", "encoder norm"]
DECODER = ["decoder 0", "decoder 1", "decoder norm"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("t5", ["before", *WHOLE_TOWERS, *DECODER, "head"]),
        ("whisper", ["encoder before", *WHOLE_TOWERS, "decoder before", *DECODER, "head"]),
        ("bart", ["before", "encoder before", *WHOLE_TOWERS, "decoder before", *DECODER, "head"]),
        ("qwen3_moe", ["before", "0", "1", "norm", "before"]),
    ],
)
def test_data_passes_each_tower_whole_and_the_final_norm_comes_last(
    name: str, wanted: list[str]
) -> None:
    table = table_of(bart() if name == "bart" else understand(tiny(name)))
    assert stages(table) == wanted
    # Columns tell the same story.
    columns = [row.pair.place.column for row in table.ordered()]
    assert table.columns == tuple(dict.fromkeys(columns))


def test_an_extra_layer_that_goes_on_where_the_model_ends_comes_after_it() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    shapes |= {f"model.layers.{n}.input_layernorm.weight": (8,) for n in range(3)}
    shapes |= {"model.norm.weight": (8,), "model.embed_tokens.weight": (9, 8)}
    table = table_of(
        understand(checkpoint(shapes, {"model_type": "deepseek_v3", "num_hidden_layers": 2}))
    )
    places = [row.pair.place for row in table.ordered()]
    assert [(p.tower, p.layer, p.component) for p in places] == [
        ("", None, "embed_tokens"),
        ("", 0, "input_layernorm"),
        ("", 1, "input_layernorm"),
        ("", None, "norm"),
        ("mtp", 0, "input_layernorm"),
    ]


def same(some: Iterable[Change], others: Iterable[Change]) -> None:
    """The very same rows, in any order."""
    assert sorted(map(id, some)) == sorted(map(id, others))


@pytest.mark.parametrize("target", [moe_like(), llama_like(3), gpt2_like()])
def test_what_an_index_says_a_walk_over_the_rows_finds_too(target: Architecture) -> None:
    table = made_changes(moe_like(), target, continued)
    rows = list(table)
    for place in (row.pair.place for row in rows):
        layer, column = place.layer, place.column
        places = [(row, row.pair.place) for row in rows]
        same(
            table.cell(layer, column),
            [r for r, p in places if (p.layer, p.column) == (layer, column)],
        )
        same(table.column(column), [r for r, p in places if p.column == column])
        if layer is not None:
            same(table.layer(layer), [r for r, p in places if p.layer == layer])
            assert layer in table.layers_of(column)
        row = table.at(place)
        assert row is not None and row.pair.place == place
    assert table.cell(99, "mlp.up_proj") == table.layer(99) == table.column("no such") == ()
    assert table.at(Place(99, "mlp.up_proj")) is None
    same(table.ordered(), rows)


@given(st.lists(CHANGES, max_size=12))
def test_any_rows_at_all_make_a_table(rows: list[Change]) -> None:
    table = ChangeTable(rows)
    assert list(table) == rows and table[1:] == tuple(rows[1:]) and len(table) == len(rows)
    same(table.ordered(), rows)
    assert sum(len(table.cell(*cell)) for cell in table.cells) == len(rows)
    assert sum(len(table.column(column)) for column in table.columns) == len(rows)
    assert sum(table.statuses.values()) == len(rows)
    for row in rows:
        assert table.stored(row) in rows
    assert tuple(changes_of(table.to_arrow())) == tuple(rows)


def test_statistics_of_a_group_are_merged_once_and_from_the_rows_themselves() -> None:
    table = made_changes(moe_like(), moe_like(), continued)
    of_cell, of_column = table.merged("cell"), table.merged("column")
    groups = [(table.cell(*cell), of_cell[cell], of_cell[cell]) for cell in of_cell]
    groups += [(table.column(c), of_column[c], of_column[c]) for c in of_column]
    for rows, statistics, again in groups:
        known = [row.statistics for row in rows if row.statistics is not None]
        assert statistics == (known[0] if len(known) == 1 else merge_statistics(known))
        assert statistics is again
    assert table.merged("layer")[1] is table.merged("layer")[1] is not None
    assert table.whole == merge_statistics(r.statistics for r in table if r.statistics)


class TestTied:
    def test_a_tied_head_has_the_numbers_of_where_it_is_stored(self) -> None:
        model = understand(tiny("t5"))
        table = made_changes(model, model, continued)
        head = table.at(Place(None, "lm_head"))
        stored = table.at(Place(None, "embed_tokens"))
        assert head is not None and head.pair.status == "tied" and head.statistics is None
        assert table.stored(head) is stored
        assert stored is not None and table.statistics([head]) is stored.statistics
        assert table.merged("cell")[None, "lm_head"] is stored.statistics
        # Used twice, it counts once.
        known = [row.statistics for row in table if row.statistics is not None]
        assert table.whole == merge_statistics(known)

    def test_an_embedding_that_stands_in_for_a_head_is_not_taken_for_the_embedding(self) -> None:
        tied = gpt2_like()
        head = next(p for p in tied.parameters if p.place == Place(None, "lm_head"))
        own = replace(head, tensor=replace(head.tensor, name="lm_head.weight"), role="parameter")
        target = replace(tied, parameters=tuple(own if p is head else p for p in tied.parameters))
        table = made_changes(tied, target, lambda p: 50.0 if "head" in p.place.component else 2.0)
        row = table.at(Place(None, "lm_head"))
        assert row is not None and row.pair.status == "compared"
        again = Change(replace(row.pair, place=Place(None, "again"), status="tied"))
        stored = table.stored(again)
        assert stored.pair.place.component == "embed_tokens"


class TestMeasured:
    def test_rows_take_the_place_of_their_pairs_and_the_rest_waits(self) -> None:
        empty = table_of(llama_like(2))
        full = made_changes(llama_like(2), llama_like(2), continued)
        half = empty.with_measured(full[: len(full) // 2])
        assert [row.statistics for row in half] == [
            row.statistics if at < len(full) // 2 else None for at, row in enumerate(full)
        ]
        assert sum(row.waiting for row in half) == len(full) - len(full) // 2
        assert half.with_measured(full) == full
        assert empty.merged("cell")[0, "mlp.up_proj"] is None

    def test_a_pair_that_turns_out_unreadable_is_the_same_pair(self) -> None:
        empty = table_of(llama_like(2))
        broken = Change(replace(empty[3].pair, status="unreadable", reason="torn"))
        table = empty.with_measured([broken])
        assert table[3] is broken and len(table) == len(empty)
        assert not table[3].waiting and table.statuses["unreadable"] == 1
        assert table.at(broken.pair.place) is broken


def test_a_click_walks_over_its_own_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,304 rows of experts: what a click asks for looks at the places of its cell, not at all."""
    shapes = {
        f"model.layers.{layer}.mlp.experts.{expert}.{name}_proj.weight": (4, 4)
        for layer in range(12)
        for expert in range(64)
        for name in ("gate", "up", "down")
    }
    model = understand(checkpoint(shapes, {"model_type": "qwen3_moe", "num_experts": 64}))
    statistics = made_statistics(3.0)
    table = ChangeTable(Change(each, replace(statistics)) for each in pair(model, model))

    def click(layer: int, expert: int | None) -> None:
        chosen = chosen_cell(table, layer, "mlp.experts.up_proj", expert)
        assert chosen is not None
        place = rows_of_cell(table, chosen)
        assert len(place.rows) == (64 if expert is None else 1)
        assert len(place.over_layers()) == 12
        assert table.experts["mlp.experts.up_proj"] == 12 * 64
        assert len(table.cells) == 36 and len(table.layers_of(chosen.column)) == 12
        assert len(rows_of_component(table, "mlp.experts.up_proj", layer)) == 1

    click(0, None)
    asked: list[Place] = []

    def counted(place: Place) -> str:
        asked.append(place)
        return column_of(place.node, place.parameter)

    monkeypatch.setattr(Place, "column", property(counted))
    click(7, None)
    click(8, 5)
    assert len(asked) < 100
