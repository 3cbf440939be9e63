"""The heatmap: each cell once and in its place, marks that tell the truth, a drawing that reads."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from modeldiff.architectures import Architecture
from modeldiff.architectures.architecture import GivenFlow
from modeldiff.changes import Change, ChangeTable, Pair, merge_statistics, pair
from modeldiff.drawings import (
    DARK,
    LIGHT,
    METRICS,
    Heatmap,
    HeatmapOptions,
    HeatmapSize,
    Palette,
    heatmap_svg,
)
from modeldiff.drawings.heatmap.options import GLANCE, PAGE, PHONE, SCREEN, TALL
from modeldiff.drawings.style.ink import colour_at, ink_on, luminance
from tests.support.architectures import ALL, llama_like, moe_like, strange
from tests.support.changes import continued, made_changes, made_statistics
from tests.support.heatmaps import (
    DrawnCell,
    drawn_cells,
    frame_of_readings,
    heatmap_of,
    in_cells,
)

MEDIAN, UNCHANGED = METRICS[0], METRICS[1]
SIZES = {"screen": SCREEN, "page": PAGE, "small": GLANCE, "tall": TALL, "phone": PHONE}


def picture_of(
    base: Architecture,
    target: Architecture | None = None,
    changes: Iterable[Change] | None = None,
    **options: Any,
) -> Heatmap:
    target = target or base
    made = made_changes(base, target, continued) if changes is None else changes
    table = ChangeTable.of_pairs(pair(base, target)).with_measured(made)
    return heatmap_of(table, base, target, MEDIAN, HeatmapOptions(**options))


def frame_of(
    base: Architecture,
    target: Architecture | None = None,
    changes: Iterable[Change] | None = None,
) -> pd.DataFrame:
    return frame_of_readings(picture_of(base, target, changes))


def cell(frame: pd.DataFrame, layer: int | None, column: str) -> dict[str, Any]:
    there = frame["layer"].isna() if layer is None else frame["layer"] == layer
    (row,) = frame[in_cells(frame) & there & (frame["column"] == column)].to_dict("records")
    return {str(name): value for name, value in row.items()}


def drawn(
    heatmap: Heatmap, size: HeatmapSize = PAGE
) -> dict[tuple[int | None, str, int | None, str], DrawnCell]:
    """The drawn cells by layer, column, expert and region; blocks have the region ``block``."""
    cells: dict[tuple[int | None, str, int | None, str], DrawnCell] = {}
    for at, one in drawn_cells(heatmap_svg(heatmap, size)).items():
        if at < len(heatmap.readings):
            of = heatmap.readings[at].cell
            cells[of.layer, of.column, of.expert, of.region] = one
        else:
            cells[at, "", None, "block"] = one
    return cells


def root(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def words(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in root(svg).iter() if e.tag.endswith("}text")]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ALL)
def test_every_cell_once_and_none_on_another(name: str, size: str) -> None:
    architecture = ALL[name]()
    heatmap = picture_of(architecture)
    places = {(p.place.layer, p.place.column) for p in architecture.parameters}
    svg = heatmap_svg(heatmap, SIZES[size])
    cells = drawn_cells(svg)
    inside = {
        at: one
        for at, one in cells.items()
        if heatmap.readings[at].cell.region not in ("layer", "column")
    }
    assert len(inside) == len(places)
    width, height = (float(root(svg).get(side) or 0) for side in ("width", "height"))
    for one in cells.values():
        assert one.x >= 0 and one.x + one.width <= width + 1
        assert one.y >= 0 and one.y + one.height <= height + 1
    for one, other in combinations(cells.values(), 2):
        beside = other.x >= one.x + one.width - 0.2 or one.x >= other.x + other.width - 0.2
        assert (
            beside or other.y >= one.y + one.height - 0.2 or one.y >= other.y + other.height - 0.2
        )


def test_data_runs_from_left_to_right() -> None:
    cells = drawn(picture_of(llama_like(4)))
    row = [
        cells[None, "embed_tokens", None, "above"],
        *(cells[layer, "mlp.up_proj", None, "grid"] for layer in range(4)),
        cells[None, "norm", None, "below"],
        cells[None, "lm_head", None, "below"],
        cells[None, "mlp.up_proj", None, "column"],
    ]
    places = [one.x for one in row]
    assert places == sorted(places)
    column = [cells[1, name, None, "grid"].y for name in llama_like(4).columns]
    assert column == sorted(column)
    embedding, head = row[0], row[-2]
    assert embedding.y <= column[0] + 1 and embedding.height > column[-1] - column[0]
    assert head.height == embedding.height


def test_on_a_phone_data_runs_down() -> None:
    cells = drawn(picture_of(llama_like(4)), PHONE)
    column = [
        cells[None, "embed_tokens", None, "above"],
        *(cells[layer, "mlp.up_proj", None, "grid"] for layer in range(4)),
        cells[None, "norm", None, "below"],
    ]
    places = [one.y for one in column]
    assert places == sorted(places)
    row = [cells[1, name, None, "grid"].x for name in llama_like(4).columns]
    assert row == sorted(row)


def test_columns_that_only_later_layers_have_keep_their_place() -> None:
    lines = picture_of(moe_like()).lines
    places = [line.column for line in lines.components]
    assert places.index("post_attention_layernorm") < places.index("mlp.router")


@pytest.mark.parametrize("size", [PAGE, TALL])
def test_the_most_changed_component_comes_first_if_asked(size: HeatmapSize) -> None:
    heatmap = picture_of(llama_like(4), by_change=True)
    margins = {
        heatmap.readings[at].value or 0.0: one
        for at, one in drawn_cells(heatmap_svg(heatmap, size)).items()
        if heatmap.readings[at].cell.region == "column"
    }
    inside = drawn(heatmap, size)
    along = [(one.y if size.across else one.x) for _, one in sorted(margins.items(), reverse=True)]
    assert along == sorted(along)
    first = heatmap.lines.components[0].column
    assert inside[0, first, None, "grid"]


@pytest.mark.parametrize("layers", [32, 80, 126])
def test_a_deep_model_is_whole_on_one_screen(layers: int) -> None:
    heatmap = picture_of(llama_like(layers))
    for size, most in ((SCREEN, (1240, 650)), (PAGE, (1080, 530)), (GLANCE, (736, 400))):
        svg = root(heatmap_svg(heatmap, size))
        assert float(svg.get("width") or 0) <= most[0]
        assert float(svg.get("height") or 0) <= most[1]


def test_numbers_stand_where_they_have_room() -> None:
    def numbers(layers: int, size: HeatmapSize) -> set[str]:
        cells = drawn(picture_of(llama_like(layers)), size)
        return {one.words for (_, _, _, region), one in cells.items() if region == "grid"}

    assert all(re.fullmatch(r"\d\d|\d\.\d", one) for one in numbers(32, PAGE))
    assert any(re.fullmatch(r"\d\d\.\d", one) for one in numbers(12, PAGE))
    assert numbers(126, SCREEN) == {""}
    assert numbers(32, GLANCE) == {""}
    outside = drawn(picture_of(llama_like(126)), SCREEN)[None, "embed_tokens", None, "above"]
    assert re.fullmatch(r"\d\d\.\d", outside.words), "tensors outside the layers always have room"


def test_experts_one_by_one_are_alone_in_the_picture() -> None:
    model = moe_like(layers=3, experts=5)
    changes = made_changes(model, model, lambda p: 40.0 if p.place.expert == 3 else 2.0)
    options = HeatmapOptions(experts="mlp.experts.up_proj")
    heatmap = heatmap_of(changes, model, model, MEDIAN, options)
    frame = frame_of_readings(heatmap)
    cells = frame[in_cells(frame)]
    assert set(cells["column"]) == {"mlp.experts.up_proj"}
    experts = cells.groupby("layer")["expert"].apply(list)
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in experts) and len(experts) >= 2
    assert set(cells.loc[cells["value"] > 20, "expert"]) == {3}
    margin = frame[frame["region"] == "column"]
    assert list(margin["expert"]) == [0, 1, 2, 3, 4]
    own = frame[frame["region"] == "layer"]
    assert "layer 1 · mlp.experts.up_proj, all experts" in set(own["place"])
    for size in (PAGE, TALL):
        said = words(heatmap_svg(heatmap, size))
        assert "experts of mlp.experts.up_proj" in said
        assert "whole layer" not in said and "4" in said


@pytest.mark.parametrize("size", [SCREEN, PHONE])
def test_thousands_of_experts_are_drawn_with_names_thinned_out(size: HeatmapSize) -> None:
    model = moe_like(layers=3, experts=400)
    changes = made_changes(model, model, continued)
    options = HeatmapOptions(experts="mlp.experts.up_proj")
    heatmap = heatmap_of(changes, model, model, MEDIAN, options)
    svg = heatmap_svg(heatmap, size)
    inside = [one for one in heatmap.readings if one.cell.region == "grid"]
    assert len(inside) >= 800
    assert len(drawn_cells(svg)) >= len(inside)
    said = words(svg)
    assert len(said) < 300 and {"0", "100"} <= set(said)


def test_what_differs_is_marked_and_not_coloured() -> None:
    base = llama_like(3, hidden=64)
    target = llama_like(3, hidden=96, qkv_bias=True)
    heatmap = picture_of(base, target)
    frame = frame_of_readings(heatmap)
    assert cell(frame, 0, "mlp.up_proj")["mark"] == "other shape"
    assert cell(frame, 0, "mlp.up_proj")["base_shape"].startswith("64 × 4096")
    assert cell(frame, 0, "mlp.up_proj")["target_shape"].startswith("96 × 4096")
    assert cell(frame, 1, "self_attn.q_proj.bias")["mark"] == "only in target"
    assert cell(frame, 0, "self_attn.q_proj")["mark"] == ""
    cells = drawn(heatmap)
    shape, bias = (cells[0, c, None, "grid"] for c in ("mlp.up_proj", "self_attn.q_proj.bias"))
    assert ("dashed" in shape.css, shape.words) == (True, "≠")
    assert ("dashed" in bias.css, bias.words) == (True, "+")
    assert "dashed" not in cells[0, "self_attn.q_proj", None, "grid"].css
    backward = drawn(picture_of(target, base))[1, "self_attn.q_proj.bias", None, "grid"]
    assert backward.words == "−"


@pytest.mark.parametrize("size", SIZES)
def test_layers_that_one_side_alone_has_are_one_block_with_words(size: str) -> None:
    heatmap = picture_of(llama_like(5), llama_like(8))
    cells = drawn(heatmap, SIZES[size])
    assert not [key for key in cells if key[0] in (5, 6, 7) and key[3] != "block"]
    ((_, block),) = (item for item in cells.items() if item[0][3] == "block")
    assert block.words.split() == ["only", "in", "target", "layers", "5–7"] or (
        block.words == "layers 5–7 only in target"
    )
    beside = cells[4, "mlp.up_proj", None, "grid"]
    assert block.x >= beside.x + beside.width or block.y >= beside.y + beside.height
    assert heatmap.marks == [], "the block says it, and no cell has the mark"


def test_what_is_not_measured_yet_is_marked_until_it_is() -> None:
    architecture = llama_like(2)
    changes = made_changes(architecture, architecture, continued)
    before = picture_of(architecture, changes=())
    half = picture_of(architecture, changes=changes[: len(changes) // 2])
    assert {one.mark for one in before.readings} == {"not measured yet"}
    marked = sum(one.mark == "not measured yet" for one in half.readings)
    assert 0 < marked < len(half.readings)
    assert "not measured yet" in half.alt
    assert {one.mark for one in picture_of(architecture, changes=changes).readings} == {""}
    # Told apart by paint alone from what is equal and from what is missing.
    waiting = drawn(before)[0, "mlp.up_proj", None, "grid"]
    assert "paper" in waiting.css and waiting.words == ""


def test_what_is_equal_what_hardly_moved_and_what_is_broken_have_signs() -> None:
    architecture = llama_like(2)
    broken = replace(made_statistics(3.0), nonfinite_target=1)
    special = {
        "self_attn.q_proj": made_statistics(0.0),
        "self_attn.k_proj": made_statistics(3.0, unchanged=0.7),
        "self_attn.v_proj": broken,
    }
    changes = [
        Change(c.pair, special.get(c.pair.place.component, c.statistics))
        for c in made_changes(architecture, architecture, continued)
    ]
    heatmap = picture_of(architecture, changes=changes)
    cells = drawn(heatmap)
    same, few, nan = (cells[0, f"self_attn.{n}_proj", None, "grid"] for n in "qkv")
    assert (same.css, same.words) == (("cell", "panel"), "=")
    assert (few.css, few.words) == (("cell", "h0"), "≈")
    assert nan.words == "!"
    assert heatmap.marks == ["exactly equal", "few moved", "not finite"]
    said = words(heatmap_svg(heatmap))
    assert {"exactly equal", "fewer than half its elements moved"} <= set(said)
    # Where the number is 0, the margin says how much moved.
    margin = cells[None, "self_attn.k_proj", None, "column"]
    assert margin.words in ("30 % moved", "≈")
    assert cells[None, "self_attn.q_proj", None, "column"].words == "="


def test_where_no_layers_number_moves_the_margin_has_shares() -> None:
    architecture = llama_like(3)
    changes = [
        Change(c.pair, made_statistics(3.0, unchanged=0.8))
        for c in made_changes(architecture, architecture, continued)
    ]
    heatmap = picture_of(architecture, changes=changes)
    assert "% moved" in words(heatmap_svg(heatmap))
    assert drawn(heatmap)[1, "", None, "layer"].words == "20"


def test_experts_are_merged_and_not_averaged() -> None:
    architecture = moe_like(experts=3)
    medians = {0: 1.0, 1: 1.0, 2: 100.0}
    changes = made_changes(architecture, architecture, lambda p: medians[p.place.expert or 0])
    frame = frame_of(architecture, changes=changes)
    merged = merge_statistics([made_statistics(median) for median in medians.values()])
    of_experts = cell(frame, 1, "mlp.experts.up_proj")
    assert of_experts["value"] == merged.median_pct
    assert of_experts["value"] < 10
    assert "3 experts merged" in of_experts["note"]
    some = tuple(c for c in changes if c.pair.place.expert != 2)
    few = cell(frame_of(architecture, changes=some), 1, of_experts["column"])
    assert "2 of 3 experts" in few["note"]


def test_a_tied_head_says_so_and_has_what_was_measured_of_the_embedding() -> None:
    heatmap = picture_of(llama_like(2, tied=True))
    frame = frame_of_readings(heatmap)
    head, embedding = cell(frame, None, "lm_head"), cell(frame, None, "embed_tokens")
    assert head["mark"] == "tied"
    assert head["value"] == embedding["value"]
    box = drawn(heatmap)[None, "lm_head", None, "below"]
    assert ("panel" in box.css, box.words) == (True, "tied to embed")


def test_infinity_is_a_mark_of_its_own_and_leaves_the_scale_alone() -> None:
    architecture = llama_like(2)

    def mostly_zero(pair: Pair) -> float:
        return math.inf if pair.place.component == "mlp.down_proj" else 2.0

    heatmap = picture_of(
        architecture, changes=made_changes(architecture, architecture, mostly_zero)
    )
    infinite = cell(frame_of_readings(heatmap), 0, "mlp.down_proj")
    assert infinite["mark"] == "infinite" and infinite["shown"] == "∞"
    assert math.isnan(infinite["value"])
    heats = zip(heatmap.readings, heatmap.scales.heat(heatmap.readings), strict=True)
    assert max(h or 0 for one, h in heats if one.cell.column == "mlp.up_proj") > 0.3
    assert drawn(heatmap)[0, "mlp.down_proj", None, "grid"].words == "∞"


def test_what_could_not_be_read_gives_its_reason() -> None:
    architecture = llama_like(1)
    changes = ChangeTable(
        Change(replace(c.pair, status="unreadable", reason="cut off <b>"))
        if c.pair.place.component == "norm"
        else c
        for c in made_changes(architecture, architecture, continued)
    )
    unreadable = cell(frame_of(architecture, changes=changes), None, "norm")
    assert unreadable["mark"] == "unreadable" and unreadable["note"] == "cut off <b>"


def test_less_unchanged_is_more_heat_and_is_named_the_most_changed() -> None:
    architecture = llama_like(2)
    changes = ChangeTable(
        Change(c.pair, made_statistics(1.0, unchanged=0.1 if c.pair.place.layer == 1 else 0.9))
        for c in made_changes(architecture, architecture, continued)
    )
    heatmap = heatmap_of(changes, architecture, architecture, UNCHANGED)
    heats = zip(heatmap.readings, heatmap.scales.heat(heatmap.readings), strict=True)
    for one, heat in heats:
        if heat is not None:
            assert round(heat, 1) == (0.9 if one.cell.layer == 1 else 0.1)
    assert "most changed layer 1" in heatmap.alt
    # Heat falls from left to right.
    assert "url(#heatmap-heat-back)" in heatmap_svg(heatmap)


def test_the_sentence_for_the_picture_names_its_extremes() -> None:
    text = picture_of(llama_like(8)).alt
    assert "8 layers × 9 columns" in text
    assert re.search(r"most changed layer 0 · self_attn\.[qk]_proj \(\d", text)
    assert "norm" in text.partition("least")[2]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("name", ["llama", "gpt2", "strange"])
def test_a_file_says_what_each_cell_is(name: str, palette: Palette) -> None:
    heatmap = picture_of(ALL[name]())
    svg = heatmap_svg(heatmap, SCREEN, palette=palette)
    labels = sorted(one.label for one in drawn_cells(svg).values())
    assert labels == sorted(one.description for one in heatmap.readings)
    assert "var(" not in svg and "light-dark" not in svg


def test_a_screen_reader_goes_through_rows_of_cells() -> None:
    heatmap = picture_of(llama_like(3))
    grid = root(heatmap_svg(heatmap, palette=LIGHT))
    assert grid.get("role") == "grid" and grid.get("aria-label") == heatmap.alt
    rows = [e for e in grid.iter() if e.get("role") == "row"]
    query = next(
        [c.get("aria-label") or "" for c in row]
        for row in rows
        if "q_proj" in (row[0].get("aria-label") or "")
    )
    assert [label.partition(" ·")[0] for label in query[:3]] == ["layer 0", "layer 1", "layer 2"]
    assert query[3].startswith("self_attn.q_proj over all layers")
    for cell_ in (c for row in rows for c in row):
        assert cell_.get("role") == "gridcell"


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_what_is_written_on_a_cell_reads(palette: Palette) -> None:
    def contrast(one: str, other: str) -> float:
        high, low = sorted((luminance(one), luminance(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for ramp in (palette.ramp, palette.second):
        for step in range(257):
            colour = colour_at(ramp, step / 256)
            for preferred in ("", "#000000", "#ffffff"):
                assert contrast(colour, ink_on(colour, preferred)) >= 4.5
    for ground in (palette.surface, palette.panel):
        assert contrast(palette.muted, ground) >= 4.5 and contrast(palette.text, ground) >= 4.5


def test_only_marks_that_occur_are_in_the_legend() -> None:
    assert picture_of(llama_like(2)).marks == []
    base, target = llama_like(2), llama_like(2, qkv_bias=True)
    assert picture_of(base, target).marks == ["only in target"]
    assert "only in target" in words(heatmap_svg(picture_of(base, target)))


def test_a_chosen_cell_is_outlined_in_a_file() -> None:
    heatmap = picture_of(llama_like(2))
    at = heatmap.position(1, "mlp.up_proj")
    svg = heatmap_svg(heatmap, palette=LIGHT, selected=at)
    (ring,) = (e for e in root(svg).iter() if e.get("class") == "ring")
    assert at is not None
    box = drawn_cells(svg)[at]
    assert float(ring.get("x") or 0) == pytest.approx(box.x, abs=2)
    assert float(ring.get("y") or 0) == pytest.approx(box.y, abs=2)
    assert heatmap.position(9, "mlp.up_proj") is None


def test_hostile_names_stay_text() -> None:
    heatmap = picture_of(strange())
    for size in SIZES.values():
        svg = heatmap_svg(heatmap, size, palette=LIGHT)
        tags = {element.tag.rpartition("}")[2] for element in root(svg).iter()}
        assert not tags & {"script", "b", "i"}
    by_component = picture_of(strange(), scale="component")
    assert root(heatmap_svg(by_component))


def test_nothing_to_compare_is_an_empty_picture() -> None:
    empty = replace(strange(0), parameters=(), flow=GivenFlow((), (), (), (), ()))
    heatmap = picture_of(empty, changes=())
    assert heatmap.alt == "Median relative change: there is nothing to compare."
    for size in SIZES.values():
        assert not drawn_cells(heatmap_svg(heatmap, size))


def test_rows_are_headed_by_names_that_tell_them_apart() -> None:
    names = [line.name for line in picture_of(moe_like()).lines.components]
    assert len(set(names)) == len(names)
    assert {"q_proj", "experts.up_proj", "shared_expert.up_proj", "router.bias"} <= set(names)
    shown = words(heatmap_svg(picture_of(llama_like(2)), PHONE))
    assert {"q", "gate", "down", "norm"} <= set(shown)


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_files_have_the_colours_of_the_app_and_read_without_colour_vision(
    theme: str, palette: Palette
) -> None:
    config = tomllib.loads(
        (Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    )
    assert tuple(config["theme"][theme]["chartSequentialColors"]) == palette.ramp
    for ramp in (palette.ramp, palette.second):
        steps = [luminance(colour) for colour in ramp]
        assert steps == sorted(steps, reverse=theme == "light")
