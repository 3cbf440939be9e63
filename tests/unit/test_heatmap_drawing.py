"""The heatmap: each cell once and in its place, marks that tell the truth, a chart that works."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
import vl_convert

from modeldiff.architectures import Architecture
from modeldiff.changes import Change, ChangeTable, Pair, merge_statistics, pair
from modeldiff.drawings import (
    DARK,
    LIGHT,
    METRICS,
    Palette,
    heatmap_alt,
    heatmap_chart,
    heatmap_spec,
)
from modeldiff.drawings.charts.vega_spec import DATA
from modeldiff.drawings.heatmap.colour_scales import choose_colour_scales
from modeldiff.drawings.heatmap.frame import in_picture
from modeldiff.drawings.heatmap.geometry import Grid, place_cells
from modeldiff.drawings.heatmap.options import HeatmapOptions
from modeldiff.drawings.output.rendering import chart_to_svg, svg_to_png
from tests.support.architectures import ALL, llama_like, moe_like, strange
from tests.support.changes import continued, made_changes, made_statistics
from tests.support.heatmaps import heatmap_frame

MEDIAN, UNCHANGED = METRICS[0], METRICS[1]


def frame_of(
    base: Architecture,
    target: Architecture | None = None,
    changes: Iterable[Change] | None = None,
) -> pd.DataFrame:
    target = target or base
    made = made_changes(base, target, continued) if changes is None else changes
    table = ChangeTable.of_pairs(pair(base, target)).with_measured(made)
    return heatmap_frame(table, base, target, MEDIAN)


def placed(frame: pd.DataFrame, **options: Any) -> Grid:
    return place_cells(frame, MEDIAN, HeatmapOptions(**options), top=78)


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def cell(frame: pd.DataFrame, layer: int | None, column: str) -> dict[str, Any]:
    there = frame["layer"].isna() if layer is None else frame["layer"] == layer
    (row,) = rows(frame[in_picture(frame) & there & (frame["column"] == column)])
    return row


def rendered(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def labelled(svg: str) -> list[str]:
    """What a screen reader hears of the cells."""
    found = (one.get("aria-label") or "" for one in rendered(svg).iter())
    return [label for label in found if ": median relative change" in label]


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_every_cell_once_and_none_on_another(name: str, across: bool) -> None:
    architecture = ALL[name]()
    frame = frame_of(architecture)
    places = {(p.place.layer, p.place.column) for p in architecture.parameters}
    assert in_picture(frame).sum() == len(places)
    grid = placed(frame, across=across)
    boxes = [(box["x"], box["x2"], box["y"], box["y2"]) for box in rows(grid.cells)]
    for x, x2, y, y2 in boxes:
        assert 0 <= x < x2 <= grid.width + 1e-9
        assert 0 <= y < y2 <= grid.height + 1e-9
    for (x, x2, y, y2), (u, u2, v, v2) in combinations(boxes, 2):
        beside = u >= x2 - 1e-9 or x >= u2 - 1e-9
        assert beside or v >= y2 - 1e-9 or y >= v2 - 1e-9


def test_cells_stand_in_the_order_of_the_data() -> None:
    architecture = llama_like(4)
    frame = frame_of(architecture)
    at = frame.join(placed(frame).cells)
    first = at[in_picture(at) & (at["layer"] == 0)].sort_values("x")
    assert tuple(first["column"]) == architecture.columns
    tops = [
        cell(at, None, "embed_tokens")["y"],
        *(cell(at, layer, "mlp.up_proj")["y"] for layer in range(4)),
        cell(at, None, "norm")["y"],
    ]
    assert tops == sorted(tops)
    assert set(first["group"]) == {"Self-attention", "MLP"}


def test_columns_that_only_later_layers_have_keep_their_place() -> None:
    frame = frame_of(moe_like())
    at = frame.join(placed(frame).cells)
    order = at[at["region"] == "grid"].drop_duplicates("column").sort_values("x")["column"]
    places = list(order)
    assert places.index("post_attention_layernorm") < places.index("mlp.router")


def test_layers_across_are_the_same_cells_turned() -> None:
    frame = frame_of(llama_like(4))
    at = frame.join(placed(frame, across=True).cells)
    query = at[at["column"] == "self_attn.q_proj"].sort_values("layer", na_position="last")
    assert list(query["x"]) == sorted(query["x"])
    assert query["y"].nunique() == 1
    layer = at[in_picture(at) & (at["layer"] == 2)].sort_values("y")
    assert tuple(layer["column"]) == llama_like(4).columns
    svg = vl_convert.vegalite_to_svg(
        heatmap_chart(frame, MEDIAN, options=HeatmapOptions(across=True))
        .properties(width=900)
        .to_dict()
    )
    assert "whole layer" in svg and "post_attn_norm" in svg


@pytest.mark.parametrize("across", [False, True])
def test_the_most_changed_component_comes_first_if_asked(across: bool) -> None:
    frame = frame_of(llama_like(4))
    at = frame.join(placed(frame, by_change=True, across=across).cells)
    margin = at[at["region"] == "column"].sort_values("y" if across else "x")
    assert list(margin["value"]) == sorted(margin["value"], reverse=True)


def test_experts_one_by_one_are_alone_in_the_picture() -> None:
    model = moe_like(layers=3, experts=5)
    changes = made_changes(model, model, lambda p: 40.0 if p.place.expert == 3 else 2.0)
    frame = heatmap_frame(changes, model, model, MEDIAN, experts="mlp.experts.up_proj")
    cells = frame[in_picture(frame)]
    assert set(cells["column"]) == {"mlp.experts.up_proj"}
    experts = cells.groupby("layer")["expert"].apply(list)
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in experts) and len(experts) >= 2
    assert set(cells.loc[cells["value"] > 20, "expert"]) == {3}
    margin = frame[frame["region"] == "column"]
    assert list(margin["expert"]) == [0, 1, 2, 3, 4]
    own = frame[frame["region"] == "layer"]
    assert "layer 1 · mlp.experts.up_proj, all experts" in set(own["place"])
    for across in (False, True):
        options = HeatmapOptions(across=across, experts="mlp.experts.up_proj")
        chart = heatmap_chart(frame, MEDIAN, options=options)
        svg = vl_convert.vegalite_to_svg(chart.properties(width=900).to_dict())
        assert "expert of mlp.experts.up_proj" in svg and "whole" not in svg


def test_numbers_beside_narrow_rows_are_thinned_out() -> None:
    model = moe_like(layers=3, experts=96)
    changes = made_changes(model, model, continued)
    frame = heatmap_frame(changes, model, model, MEDIAN, experts="mlp.experts.up_proj")
    chart = heatmap_chart(
        frame, MEDIAN, options=HeatmapOptions(across=True, experts="mlp.experts.up_proj")
    )
    axis = chart.to_dict()["layer"][0]["encoding"]["y"]["axis"]
    values = sorted(axis["values"])
    assert len(values) > 10
    assert all(below - above >= 14 for above, below in pairwise(values))


def test_what_differs_is_marked_and_not_coloured() -> None:
    base = llama_like(3, hidden=64)
    target = llama_like(4, hidden=96, qkv_bias=True)
    frame = frame_of(base, target)
    assert cell(frame, 0, "mlp.up_proj")["mark"] == "other shape"
    assert cell(frame, 0, "mlp.up_proj")["base_shape"].startswith("64 × 4096")
    assert cell(frame, 0, "mlp.up_proj")["target_shape"].startswith("96 × 4096")
    assert cell(frame, 1, "self_attn.q_proj.bias")["mark"] == "only in target"
    assert cell(frame, 3, "self_attn.q_proj")["mark"] == "only in target"
    assert math.isnan(cell(frame, 3, "self_attn.q_proj")["value"])
    assert cell(frame, 0, "self_attn.q_proj")["mark"] == ""
    backward = frame_of(target, base)
    assert cell(backward, 3, "self_attn.q_proj")["mark"] == "only in base"


def test_what_is_not_measured_yet_is_marked_until_it_is() -> None:
    architecture = llama_like(2)
    changes = made_changes(architecture, architecture, continued)
    before = frame_of(architecture, changes=())
    half = frame_of(architecture, changes=changes[: len(changes) // 2])
    assert set(before["mark"]) == {"not measured yet"}
    assert 0 < (half["mark"] == "not measured yet").sum() < in_picture(half).sum()
    assert "not measured yet" in heatmap_alt(half, MEDIAN)
    assert set(frame_of(architecture, changes=changes)["mark"]) == {""}


def test_experts_are_merged_and_not_averaged() -> None:
    architecture = moe_like(experts=3)
    medians = {0: 1.0, 1: 1.0, 2: 100.0}
    changes = made_changes(architecture, architecture, lambda p: medians[p.place.expert or 0])
    frame = frame_of(architecture, changes=changes)
    merged = merge_statistics([made_statistics(median) for median in medians.values()])
    found = cell(frame, 1, "mlp.experts.up_proj")
    assert found["value"] == merged.median_pct
    assert found["value"] < 10
    assert "3 experts merged" in found["note"]
    some = tuple(c for c in changes if c.pair.place.expert != 2)
    assert (
        "2 of 3 experts" in cell(frame_of(architecture, changes=some), 1, found["column"])["note"]
    )


def test_a_tied_head_shows_what_was_measured_of_the_embedding() -> None:
    frame = frame_of(llama_like(2, tied=True))
    head, embedding = cell(frame, None, "lm_head"), cell(frame, None, "embed_tokens")
    assert head["mark"] == "tied"
    assert head["value"] == embedding["value"]


def test_infinity_is_a_mark_of_its_own_and_leaves_the_scale_alone() -> None:
    architecture = llama_like(2)

    def mostly_zero(pair: Pair) -> float:
        return math.inf if pair.place.component == "mlp.down_proj" else 2.0

    frame = frame_of(architecture, changes=made_changes(architecture, architecture, mostly_zero))
    found = cell(frame, 0, "mlp.down_proj")
    assert found["mark"] == "infinite" and found["shown"] == "∞" and math.isnan(found["value"])
    chart = heatmap_chart(frame, MEDIAN).to_dict()
    (cells,) = (
        data for data in chart["datasets"].values() if "heat" in data[0] and "place" in data[0]
    )
    assert max(one["heat"] or 0 for one in cells if one["column"] == "mlp.up_proj") > 0.3


def test_what_could_not_be_read_gives_its_reason() -> None:
    architecture = llama_like(1)
    changes = ChangeTable(
        Change(replace(c.pair, status="unreadable", reason="cut off <b>"))
        if c.pair.place.component == "norm"
        else c
        for c in made_changes(architecture, architecture, continued)
    )
    found = cell(frame_of(architecture, changes=changes), None, "norm")
    assert found["mark"] == "unreadable" and found["note"] == "cut off <b>"


def test_less_unchanged_is_more_heat_and_is_named_the_most_changed() -> None:
    architecture = llama_like(2)
    changes = ChangeTable(
        Change(c.pair, made_statistics(1.0, unchanged=0.1 if c.pair.place.layer == 1 else 0.9))
        for c in made_changes(architecture, architecture, continued)
    )
    frame = heatmap_frame(changes, architecture, architecture, UNCHANGED)
    heat = choose_colour_scales(frame, UNCHANGED, HeatmapOptions()).heat(frame)
    assert [round(one, 1) for one in heat if one == one] == [
        0.9 if layer == 1 else 0.1 for layer in frame.loc[in_picture(frame), "layer"].fillna(0)
    ]
    assert "most changed layer 1" in heatmap_alt(frame, UNCHANGED)


def test_the_sentence_for_the_picture_names_its_extremes() -> None:
    text = heatmap_alt(frame_of(llama_like(8)), MEDIAN)
    assert "8 layers × 9 columns" in text
    assert re.search(r"most changed layer 0 · self_attn\.[qk]_proj \(\d", text)
    assert "norm" in text.partition("least")[2]


@pytest.mark.parametrize("palette", [None, LIGHT, DARK])
@pytest.mark.parametrize("name", ["llama", "gpt2", "strange"])
def test_the_chart_draws_every_cell_with_its_description(
    name: str, palette: Palette | None
) -> None:
    frame = frame_of(ALL[name]())
    chart = heatmap_chart(frame, MEDIAN, palette=palette)
    svg = vl_convert.vegalite_to_svg(chart.properties(width=900).to_dict())
    assert sorted(labelled(svg)) == sorted(frame["description"])


def test_cells_without_a_value_are_drawn_too() -> None:
    frame = frame_of(llama_like(2), changes=())
    svg = vl_convert.vegalite_to_svg(heatmap_chart(frame, MEDIAN).properties(width=900).to_dict())
    assert len(labelled(svg)) == len(frame)
    assert "not measured yet" in svg


def test_only_marks_that_occur_are_in_the_legend() -> None:
    def signs(frame: pd.DataFrame) -> list[str]:
        for layer in heatmap_chart(frame, MEDIAN).to_dict()["layer"]:
            if "shape" in layer["encoding"]:
                return list(layer["encoding"]["shape"]["scale"]["domain"])
        return []

    assert signs(frame_of(llama_like(2))) == []
    assert signs(frame_of(llama_like(2), llama_like(3))) == ["only in target"]


def test_choosing_another_cell_changes_the_data_and_not_the_drawing() -> None:
    frame = frame_of(llama_like(2))

    def drawing(selected: tuple[int | None, str] | None) -> tuple[str, list[tuple[object, str]]]:
        spec = heatmap_chart(frame, MEDIAN, selected=selected).to_dict()
        name = spec.pop("data")["name"]
        cells = spec["datasets"].pop(name)
        chosen = [(one["layer"], one["column"]) for one in cells if one["selected"]]
        return re.sub(r"view_\w+", "view", json.dumps(spec)), chosen

    none, first, outside = drawing(None), drawing((1, "mlp.up_proj")), drawing((None, "norm"))
    assert none[0] == first[0] == outside[0]
    assert none[1] == []
    assert first[1] == [(1, "mlp.up_proj")]
    assert outside[1] == [(None, "norm")]
    page = heatmap_spec(heatmap_chart(frame, MEDIAN))
    one, other = page.with_selected((1, "mlp.up_proj")), page.with_selected((None, "norm"))
    assert one["data"] == {"name": DATA}
    cells = one["datasets"].pop(DATA)
    assert list(cells.loc[cells["selected"], "place"]) == ["layer 1 · mlp.up_proj"]
    del other["datasets"][DATA]
    assert one == other


def test_the_selection_has_the_name_and_fields_that_pages_rely_on() -> None:
    (param,) = heatmap_chart(frame_of(llama_like(1)), MEDIAN).to_dict()["params"]
    assert param["name"] == "cell"
    assert param["select"]["fields"] == ["layer", "column", "expert"]


def test_numbers_give_way_where_there_are_too_many_rows() -> None:
    def has_numbers(layers: int) -> bool:
        spec = heatmap_chart(frame_of(llama_like(layers)), MEDIAN).to_dict()
        return any(
            layer["encoding"].get("text", {}).get("field") == "shown"
            and "'grid'" in json.dumps(layer["transform"])
            for layer in spec["layer"]
        )

    assert has_numbers(32) and not has_numbers(126)


def test_hostile_names_stay_text() -> None:
    frame = frame_of(strange())
    svg = chart_to_svg(
        heatmap_chart(frame, MEDIAN, palette=LIGHT), title="a <b> & c", caption=("'\"<i>",)
    )
    turned = heatmap_chart(frame, MEDIAN, options=HeatmapOptions(across=True, scale="component"))
    assert "alert" in vl_convert.vegalite_to_svg(turned.properties(width=900).to_dict())
    tags = {element.tag.rpartition("}")[2] for element in rendered(svg).iter()}
    assert not tags & {"script", "b", "i"}
    assert "alert" in "".join(rendered(svg).itertext())
    assert svg_to_png(svg, scale=1).startswith(b"\x89PNG")


def test_nothing_to_compare_is_an_empty_picture() -> None:
    empty = replace(strange(0), parameters=(), outside=(), columns=())
    frame = frame_of(empty, changes=())
    assert heatmap_alt(frame, MEDIAN) == "Median relative change: there is nothing to compare."
    assert vl_convert.vegalite_to_svg(
        heatmap_chart(frame, MEDIAN, selected=(1, "x")).properties(width=300).to_dict()
    )


def test_columns_are_headed_by_names_that_tell_them_apart() -> None:
    spec = heatmap_chart(frame_of(moe_like()), MEDIAN).to_dict()
    heads = next(
        [value["wide"].replace("\n", "") for value in data]
        for data in spec["datasets"].values()
        if "wide" in data[0]
    )
    assert len(set(heads)) == len(heads)
    assert {"q_proj", "experts.up_proj", "shared_expert.up_proj", "router.bias"} <= set(heads)


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_files_have_the_colours_of_the_app_and_read_without_colour_vision(
    theme: str, palette: Palette
) -> None:
    config = tomllib.loads(
        (Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    )
    assert tuple(config["theme"][theme]["chartSequentialColors"]) == palette.ramp

    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        return float(0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2)

    steps = [lightness(colour) for colour in palette.ramp]
    assert steps == sorted(steps, reverse=theme == "light")
