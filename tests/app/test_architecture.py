"""The Architecture page: layer table, parameters by part, and a line of models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from modeldiff.ui.architecture.lineage_view import MOST_STEPS, STORY, read, written
from tests.app.conftest import OpenPage, words
from tests.support.small_models import write_llama

LLAMAS = {"base": "catalog:llama-3-8b", "target": "catalog:llama-3.2-1b"}


def layer_rows(app: AppTest) -> list[list[str]]:
    """The rows of the layer table: the table whose last columns are not facts."""
    [table] = [t.value for t in app.table if "Difference" in t.value.columns]
    rows: list[list[str]] = table.values.tolist()
    return rows


def test_last_layers_stand_beside_each_other(open_page: OpenPage) -> None:
    rows = layer_rows(open_page("architecture", **LLAMAS))
    assert rows[0][0].startswith("**Layer 31**") and "layers 0–30 alike" in rows[0][0]
    assert rows[0][1].startswith("**Layer 15**")
    assert rows[1] == [
        "`model.layers.31.input_layernorm.weight` **\\[4096\\]**",
        "`model.layers.15.input_layernorm.weight` **\\[2048\\]**",
        ":blue[**≠ shape**]",
    ]
    assert "the embedding as head" in rows[-1][1]


def test_a_link_opens_a_layer_or_the_folded_whole(open_page: OpenPage) -> None:
    app = open_page("architecture", **LLAMAS, layer="20")
    assert layer_rows(app)[0][:2] == [
        "**Layer 20** :gray[· layers 0–19 and 21–31 alike]",
        ":gray[–]",
    ]
    app.selectbox(key="layer_rows").select("folded").run()
    assert app.query_params["rows"] == "folded"
    headings = [row[0] for row in layer_rows(app) if row[0].startswith("**")]
    assert headings == [
        "**Before the layers**",
        "**Layers 0–15** :gray[· 16 alike]",
        "**Layers 16–31** :gray[built as layers 0–15]",
        "**After the layers**",
    ]
    app.text_input(key="layer_search").set_value("model.layers.3.mlp.up_proj.weight").run()
    assert [row[0].split("`")[1] for row in layer_rows(app) if "`" in row[0]] == [
        "model.layers.*.mlp.up_proj.weight"
    ]
    app.text_input(key="layer_search").set_value("nothing of this name").run()
    assert "No tensor's name or place contains this." in words(app)


def test_what_was_measured_of_a_layer_stands_in_its_rows(
    open_page: OpenPage, measure: Callable[[str, str], None], tmp_path: Path
) -> None:
    base = str(write_llama(tmp_path / "base"))
    target = str(write_llama(tmp_path / "target", noise=0.05))
    measure(base, target)
    rows = layer_rows(open_page("architecture", base=base, target=target))
    up = next(row for row in rows if "up_proj" in row[0])
    assert 2 < float(up[3].removesuffix(" %")) < 5


def test_the_page_begins_with_what_tells_most(open_page: OpenPage) -> None:
    app = open_page("architecture", base="catalog:gpt2-124m", target="catalog:llama-3-8b")
    cards = [m.value for m in app.markdown if m.value.startswith(":small[:gray[")]
    assert len(cards) == 6
    assert "Attention" in cards[0] and "GQA" in cards[0] and "KV cache" in cards[0]
    assert "Steps that differ" in words(app)
    alike = words(open_page("architecture", **{**LLAMAS, "target": "catalog:llama-3.1-8b"}))
    assert "Every parameter has the same place and the same shape in both" in alike
    same = words(open_page("architecture", **{**LLAMAS, "target": "catalog:llama-3-8b"}))
    assert "All facts are the same" in same and "Both are built the same" in same


def test_the_title_counts_the_facts_as_the_other_pages_do(open_page: OpenPage) -> None:
    pair = {**LLAMAS, "target": "catalog:llama-3.1-8b"}
    assert "3 of 34 facts differ" in words(open_page("compare", **pair))
    title = "3 of 34 facts differ, and 1 entry of the configs"
    assert title in words(open_page("architecture", **pair))


def test_a_chosen_box_is_explained_for_both_sides(open_page: OpenPage) -> None:
    app = open_page("architecture", base="catalog:mixtral-8x7b", target="catalog:llama-3-8b")
    app.session_state["chosen_block"] = "mlp.experts.gate_proj"
    app.run()
    said = words(app)
    assert "one per expert" in said, "base's expert"
    assert "Computes for each of the MLP" in said, "target's one MLP, across from it"
    app.session_state["chosen_block"] = "no <b>such</b> box"
    app.run()
    assert not app.exception


def test_a_step_of_the_line_becomes_the_pair(open_page: OpenPage) -> None:
    app = open_page("evolution")
    links = [parse_qs(link.proto.query_string) for link in app.page_link]
    assert {"base": ["catalog:llama-2-7b"], "target": ["catalog:llama-3-8b"]} in links


def test_facts_say_where_they_come_from(open_page: OpenPage) -> None:
    app = open_page("architecture", **LLAMAS)
    app.toggle(key="facts_sources").set_value(True).run()
    facts = app.table[0].value
    context = facts[facts["Fact"].str.contains("Context")]["Base"].item()
    assert "max\\_position\\_embeddings" in context
    app.toggle(key="facts_different").set_value(True).run()
    for fact in app.table[0].value["Fact"].tolist():
        # What a difference means stands below its label, and does not begin with it once more.
        marked, _, meaning = fact.partition("\n\n")
        assert "≠" in marked
        assert meaning.split(": ")[0] not in marked


def test_the_storys_line_and_another(open_page: OpenPage) -> None:
    app = open_page("evolution")
    assert app.multiselect(key="evolution_steps").value == list(STORY)
    said = words(app)
    assert "**Positions** learned → **RoPE**" in said
    app.multiselect(key="evolution_steps").set_value(["catalog:qwen2-7b", "catalog:qwen3-8b"]).run()
    assert app.query_params["steps"] == "catalog:qwen2-7b,catalog:qwen3-8b"
    assert "**Q and K norms** none → **one per head**" in words(app)


def test_a_broken_step_is_a_message_among_the_others(open_page: OpenPage) -> None:
    steps = "catalog:llama-3-8b,catalog:<b>no</b>,catalog:llama-3.1-8b"
    app = open_page("evolution", steps=steps)
    [error] = app.error
    assert "This step cannot be opened." in error.value
    assert "**RoPE scaling** none →" in words(app), "compared with the one that could be"


@pytest.mark.parametrize("line", [["/a,b", "c%2Cd"], ["catalog:x"]])
def test_a_line_survives_its_way_through_the_address(line: list[str]) -> None:
    assert read(written(line)) == line


def test_a_hostile_line_is_cut() -> None:
    assert read("") == list(STORY)
    assert len(read(",".join(map(str, range(100_000))))) == MOST_STEPS
