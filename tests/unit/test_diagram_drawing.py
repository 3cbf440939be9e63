"""The diagram: a layout in which nothing lies on another, and boxes that say what is true."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.architectures.architecture import GivenFlow, Node
from modeldiff.changes import ChangeTable, Pair
from modeldiff.drawings import CSS_PALETTE, DARK, LIGHT, METRICS, Palette, diagram_svg
from modeldiff.drawings.diagram.box_values import BoxValues
from modeldiff.drawings.diagram.boxes import Card, make_card
from modeldiff.drawings.diagram.diagram import card_maker
from modeldiff.drawings.diagram.layout.edge_routing import arrange
from modeldiff.drawings.diagram.layout.elements import Box, Layout
from modeldiff.drawings.diagram.layout.layout import lay_out
from modeldiff.drawings.output.rendering import svg_to_pdf, svg_to_png
from modeldiff.drawings.style.text_metrics import shorten, text_width
from tests.support.architectures import ALL, gpt2_like, llama_like, moe_like, strange
from tests.support.changes import continued, made_changes
from tests.support.layouts import assert_apart, assert_goes_round, assert_layout_is_clear

MEDIAN = METRICS[0]
SVG = "{http://www.w3.org/2000/svg}"
LAYERS = (None, 0, 1)


def layout_of(name: str, layer: int | None, measured: bool = True) -> Layout:
    architecture = ALL[name]()
    changes = made_changes(architecture, architecture, continued) if measured else ChangeTable()
    cards = card_maker(architecture, BoxValues(architecture, changes, MEDIAN))
    return lay_out(architecture, layer, cards)


def nodes(svg: str) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(svg).iter() if e.get("data-node") is not None]


def node(svg: str, name: str) -> ElementTree.Element:
    (found,) = (one for one in nodes(svg) if one.get("data-node") == name)
    return found


def words(element: ElementTree.Element) -> str:
    return " | ".join("".join(text.itertext()) for text in element.iter(f"{SVG}text"))


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ALL)
def test_nothing_lies_on_another(name: str, layer: int | None, measured: bool) -> None:
    layout = layout_of(name, layer, measured)
    assert_layout_is_clear(layout)
    for x, _, text in layout.ends:
        half = text_width(text, 13, bold=True) / 2
        assert half <= x <= layout.width - half, text


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ALL)
def test_no_text_is_wider_than_its_box_or_runs_into_another(name: str, layer: int | None) -> None:
    for box in layout_of(name, layer).boxes:
        texts = box.card.texts(box.width)
        gauges = box.card.gauges(box.width)
        numbers = [text.text for text in texts if text.role == "number"]
        assert all(number in box.card.numbers for number in numbers), "a number was cut"
        for text in texts:
            assert text.left >= 0 and text.left + text.width <= box.width, text
            assert text.y <= box.height
        for one, other in combinations(texts, 2):
            if abs(one.y - other.y) < 8:
                left, right = sorted((one, other), key=lambda text: text.left)
                assert left.left + left.width < right.left, (left, right)
        for gauge in gauges:
            assert gauge.x > 0 and gauge.x + gauge.width < box.width and gauge.width > 20
            assert gauge.y + gauge.height < box.height
            for text in texts:
                below = text.y + 2 < gauge.y or text.y - text.size > gauge.y + gauge.height
                beside = text.left + text.width < gauge.x or text.left > gauge.x + gauge.width
                assert below or beside, (text, gauge)


@pytest.mark.parametrize("name", ALL)
def test_every_component_of_a_layer_is_drawn_exactly_once(name: str) -> None:
    architecture = ALL[name]()
    for layer in range(min(architecture.layer_count, 3)):
        svg = diagram_svg(architecture, layer=layer, metric=MEDIAN, palette=LIGHT)
        drawn = Counter(one.get("data-node") for one in nodes(svg))
        places = [p.place for p in architecture.parameters if p.place.layer in (layer, None)]
        wanted = {f"{p.tower}.{p.component}" if p.tower else p.component for p in places}
        assert drawn == Counter(wanted)


def test_a_norm_of_the_sum_is_passed_by_the_stream_itself() -> None:
    layout = layout_of("post-norm", 0)
    stream = [route for route in layout.routes if route.kind == "stream"]
    boxes = {box.card.node.id: box for box in layout.boxes}
    for norm, sum_at in zip(
        (boxes["input_layernorm"], boxes["post_attention_layernorm"]), layout.sums, strict=True
    ):
        assert norm.y + norm.height < sum_at[1], "the norm is above the sum"
        [into] = [r for r in stream if r.points[-1][1] == pytest.approx(norm.y + norm.height)]
        [out] = [r for r in stream if r.points[0][1] == pytest.approx(norm.y)]
        assert into.points[-1][0] == out.points[0][0] == pytest.approx(norm.x + norm.width / 2)
    assert len(stream) == 3
    branches = [route for route in layout.routes if route.kind == "branch"]
    assert not any(
        route.points[-1][1] == pytest.approx(boxes[name].y + boxes[name].height)
        for route in branches
        for name in ("input_layernorm", "post_attention_layernorm")
    )


def test_all_layers_together_draw_every_kind() -> None:
    architecture = moe_like()
    svg = diagram_svg(architecture, layer=None, metric=MEDIAN, palette=LIGHT)
    drawn = Counter(one.get("data-node") for one in nodes(svg))
    assert drawn["self_attn.q_proj"] == 2
    assert drawn["mlp.up_proj"] == drawn["mlp.experts.up_proj"] == 1
    assert "Layer 0" in svg and "Layers 1–3" in svg


def test_a_frame_marks_which_of_the_layers_it_stands_for() -> None:
    def marks(layer: int | None) -> list[tuple[int, int]]:
        svg = diagram_svg(moe_like(), layer=layer, metric=MEDIAN, palette=LIGHT)
        paths = ElementTree.fromstring(svg).iter(f"{SVG}path")
        counts = [(p.get("class"), str(p.get("d")).count("M")) for p in paths]
        own = [count for css, count in counts if css == "own"]
        return list(zip(own, [count for css, count in counts if css == "others"], strict=True))

    assert marks(None) == [(1, 3), (3, 1)]
    assert marks(2) == [(1, 3)]
    alike = diagram_svg(llama_like(4), layer=None, metric=MEDIAN, palette=LIGHT)
    assert 'class="own"' not in alike


@pytest.mark.parametrize("palette", [CSS_PALETTE, LIGHT, DARK])
@pytest.mark.parametrize("name", ALL)
def test_the_drawing_is_valid_xml_whatever_the_names(name: str, palette: Palette) -> None:
    architecture = ALL[name]()
    svg = diagram_svg(
        architecture,
        layer=1,
        changes=made_changes(architecture, architecture, continued),
        metric=MEDIAN,
        palette=palette,
        title="a <b> \x00 & \ud800",
        caption=("'\"<i>",),
    )
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
    assert tags <= {
        "svg",
        "style",
        "defs",
        "desc",
        "marker",
        "path",
        "rect",
        "circle",
        "g",
        "text",
        "title",
        "tspan",
    }


def test_hostile_names_reach_the_page_as_text_only() -> None:
    architecture = strange()
    svg = diagram_svg(architecture, layer=0, metric=MEDIAN, palette=CSS_PALETTE)
    evil = next(c for c in architecture.columns if "script" in c)
    assert evil in {one.get("data-node") for one in nodes(svg)}
    assert "<script" not in svg


def test_bars_are_as_long_as_the_change() -> None:
    architecture = llama_like(2)
    medians = {"self_attn.q_proj": 40.0, "self_attn.k_proj": 20.0, "self_attn.v_proj": 0.0}
    changes = made_changes(
        architecture, architecture, lambda p: medians.get(p.place.component, 1.0)
    )
    svg = diagram_svg(architecture, layer=1, changes=changes, metric=MEDIAN, palette=LIGHT)

    def bar(name: str) -> float:
        widths = {
            one.get("class"): float(one.get("width", 0))
            for one in node(svg, name).iter(f"{SVG}rect")
        }
        return widths.get("bar", 0.0) / widths["track"]

    assert bar("self_attn.q_proj") == pytest.approx(1, abs=0.01)
    assert bar("self_attn.k_proj") == pytest.approx(0.5, abs=0.01)
    assert bar("self_attn.v_proj") == 0
    assert "40.0 %" in words(node(svg, "self_attn.q_proj"))
    assert "median relative change 20.0 %" in str(node(svg, "self_attn.k_proj").get("aria-label"))


def test_weight_and_bias_each_have_their_own_number() -> None:
    architecture = gpt2_like(2)
    changes = made_changes(
        architecture, architecture, lambda p: 3.0 if p.place.parameter == "bias" else 30.0
    )
    svg = diagram_svg(architecture, layer=0, changes=changes, metric=MEDIAN, palette=LIGHT)
    text = words(node(svg, "self_attn.qkv_proj"))
    assert "weight | 30.0 %" in text and "bias | 3.00 %" in text


def test_over_all_layers_a_strip_has_a_column_for_each() -> None:
    architecture = llama_like(5)
    changes = made_changes(
        architecture, architecture, lambda p: 0.0 if p.place.layer == 2 else 10.0
    )
    svg = diagram_svg(architecture, layer=None, changes=changes, metric=MEDIAN, palette=LIGHT)
    (strip,) = (p for p in node(svg, "mlp.up_proj").iter(f"{SVG}path") if p.get("class") == "bar")
    columns = re.findall(r"M([\d.]+),", str(strip.get("d")))
    gaps = [float(b) - float(a) for a, b in pairwise(columns)]
    assert len(columns) == 4, "the layer without change has no column"
    assert gaps[1] == pytest.approx(2 * gaps[0], abs=0.2)


def test_what_differs_is_said_in_words() -> None:
    base = llama_like(3, hidden=64)
    target = llama_like(2, hidden=96, qkv_bias=True)
    changes = made_changes(base, target, continued)
    svg = diagram_svg(base, layer=1, changes=changes, metric=MEDIAN, palette=LIGHT)
    assert "target has 4096 → 96" in words(node(svg, "mlp.up_proj"))
    assert "only the other side has it: self_attn.q_proj.bias" in svg
    alone = diagram_svg(base, layer=2, changes=changes, metric=MEDIAN, palette=LIGHT)
    assert "only in base" in words(node(alone, "self_attn.q_proj"))
    other = diagram_svg(target, layer=1, changes=changes, metric=MEDIAN, palette=LIGHT)
    assert "base has 4096 → 64" in words(node(other, "mlp.up_proj"))
    assert "only in target" in words(node(other, "self_attn.q_proj"))


def test_a_tied_head_shows_the_embeddings_change() -> None:
    architecture = llama_like(2, tied=True)
    changes = made_changes(architecture, architecture, lambda p: 12.0)
    svg = diagram_svg(architecture, layer=0, changes=changes, metric=MEDIAN, palette=LIGHT)
    assert "12.0 % · tied" in words(node(svg, "lm_head"))


def test_infinity_fills_the_bar_and_leaves_the_scale_alone() -> None:
    architecture = llama_like(1)

    def mostly_zero(pair: Pair) -> float:
        return math.inf if pair.place.component == "norm" else 4.0

    changes = made_changes(architecture, architecture, mostly_zero)
    svg = diagram_svg(architecture, layer=0, changes=changes, metric=MEDIAN, palette=LIGHT)
    assert "∞" in words(node(svg, "norm"))
    assert "4.00 %" in words(node(svg, "mlp.up_proj"))


def test_the_picture_stays_in_place_while_it_fills_in() -> None:
    architecture = llama_like(2)
    changes = made_changes(architecture, architecture, lambda p: 12.5)
    cards = [
        card_maker(architecture, BoxValues(architecture, ChangeTable(some), MEDIAN))
        for some in (changes[:1], changes)
    ]
    early, late = (lay_out(architecture, 0, maker) for maker in cards)
    assert early.height == late.height
    assert "not measured yet" in {box.card.numbers[0] for box in early.boxes if box.card.numbers}


def test_before_a_diff_there_are_shapes_and_no_bars() -> None:
    svg = diagram_svg(llama_like(1), layer=0, metric=MEDIAN, palette=LIGHT)
    assert 'class="bar"' not in svg and 'class="track"' not in svg
    assert "4096 → 14336" in words(node(svg, "mlp.up_proj"))


@pytest.mark.parametrize("selected", ["self_attn.q_proj", "self_attn.q_proj.bias"])
def test_the_chosen_component_is_pressed(selected: str) -> None:
    architecture = llama_like(2, qkv_bias=True)
    svg = diagram_svg(architecture, layer=1, metric=MEDIAN, palette=LIGHT, selected=selected)
    pressed = [one.get("data-node") for one in nodes(svg) if one.get("aria-pressed") == "true"]
    assert pressed == ["self_attn.q_proj"]


def test_every_box_can_be_reached_and_is_named() -> None:
    svg = diagram_svg(llama_like(2), layer=1, metric=MEDIAN, palette=CSS_PALETTE)
    for one in nodes(svg):
        assert one.get("role") == "button" and one.get("tabindex") == "0"
        assert one.get("aria-label")
    assert "model.layers.1.mlp.up_proj.weight" in "".join(node(svg, "mlp.up_proj").itertext())


def test_bigger_matrices_are_bigger_boxes() -> None:
    widths = {box.card.node.id: box.width for box in layout_of("llama", 0).boxes}
    assert widths["self_attn.k_proj"] < widths["self_attn.q_proj"] < widths["mlp.up_proj"]


def test_experts_are_one_box_with_their_merged_change() -> None:
    architecture = moe_like(experts=3)
    medians = {0: 1.0, 1: 1.0, 2: 100.0}
    changes = made_changes(architecture, architecture, lambda p: medians[p.place.expert or 0])
    svg = diagram_svg(architecture, layer=1, changes=changes, metric=MEDIAN, palette=LIGHT)
    box = node(svg, "mlp.experts.up_proj")
    assert float(re.findall(r"([\d.]+) %", words(box))[0]) < 10
    assert "shared up_proj" in words(node(svg, "mlp.shared_expert.up_proj"))


def test_files_are_what_they_say() -> None:
    architecture = llama_like(1)
    changes = made_changes(architecture, architecture, continued)
    svg = diagram_svg(architecture, layer=0, changes=changes, metric=MEDIAN, palette=DARK)
    assert "var(" not in svg
    assert svg_to_png(svg).startswith(b"\x89PNG") and svg_to_pdf(svg).startswith(b"%PDF")


@st.composite
def row_graphs(draw: st.DrawFn) -> list[list[Card]]:
    """Rows of nodes that read any nodes of lower rows."""
    rows: list[list[Card]] = []
    earlier: list[str] = []
    for number in range(draw(st.integers(1, 6))):
        row = []
        for place in range(draw(st.integers(1, 4))):
            inputs = draw(st.lists(st.sampled_from(earlier), max_size=3)) if earlier else []
            label = draw(st.sampled_from(["×", "Scan", "an operation with a long name"]))
            node = Node(f"{number}.{place}", label, "operation", tuple(inputs))
            row.append(make_card(node, label, (), (), largest=0, alone=False))
        rows.append(row)
        earlier += [card.node.id for card in row]
    return rows


@settings(max_examples=150)
@given(row_graphs())
def test_any_graph_is_laid_out_without_overlaps(rows: list[list[Card]]) -> None:
    block = arrange(rows, 700)
    spots = block.spots
    assert len(spots) == sum(map(len, rows))
    boxes = [Box(s.card, s.x - s.width / 2, s.u, s.width, s.height) for s in spots]
    assert_apart(boxes)
    wanted = sum(len(set(card.node.inputs)) or 1 for row in rows for card in row)
    assert len(block.lines) + len(block.entries) == wanted
    assert_goes_round((*block.lines, *block.entries, *block.exits), boxes)


@given(st.text(max_size=400), st.floats(20, 300))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, room: float) -> None:
    short = shorten(text, room, 12)
    assert text_width(short, 12) <= room
    if short != text and len(short) > 2:
        assert text.startswith(short[0]) and text.endswith(short[-1])


def test_an_architecture_without_layers_or_tail_is_still_drawn() -> None:
    bare = replace(strange().with_kinds(()), layer_count=0)
    svg = diagram_svg(bare, layer=None, metric=MEDIAN, palette=LIGHT)
    assert [one.get("data-node") for one in nodes(svg)] == ["tok_table"]
    nothing = replace(bare, parameters=(), flow=GivenFlow((), (), (), (), ()))
    assert ElementTree.fromstring(diagram_svg(nothing, layer=5, metric=MEDIAN, palette=LIGHT))
