"""Rows of boxes laid out upward: nothing lies on another, and every line finds its way."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.architectures.architecture import Node
from modeldiff.drawings.comparison.side_by_side import brief_cards
from modeldiff.drawings.diagram.boxes import Card, make_card
from modeldiff.drawings.diagram.layout.edge_routing import arrange
from modeldiff.drawings.diagram.layout.elements import Box, Layout
from modeldiff.drawings.diagram.layout.layout import lay_out
from modeldiff.drawings.style.text_metrics import shorten, text_width
from tests.support.architectures import ALL, llama_like, moe_like
from tests.support.layouts import assert_apart, assert_goes_round, assert_layout_is_clear

LAYERS = (None, 0, 1)


def layout_of(name: str, layer: int | None) -> Layout:
    architecture = ALL[name]()
    return lay_out(architecture, layer, brief_cards(architecture))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ALL)
def test_nothing_lies_on_another(name: str, layer: int | None) -> None:
    layout = layout_of(name, layer)
    assert_layout_is_clear(layout)
    for x, _, text in layout.ends:
        half = text_width(text, 13, bold=True) / 2
        assert half <= x <= layout.width - half, text


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ALL)
def test_no_text_is_wider_than_its_box_or_runs_into_another(name: str, layer: int | None) -> None:
    for box in layout_of(name, layer).boxes:
        texts = box.card.texts(box.width)
        for text in texts:
            assert text.left >= 0 and text.left + text.width <= box.width, text
            assert text.y <= box.height
        for one, other in combinations(texts, 2):
            assert abs(one.y - other.y) >= 8, (one, other)


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


def test_a_frame_says_which_of_the_layers_it_stands_for() -> None:
    def among(layer: int | None) -> list[tuple[bool, ...]]:
        architecture = moe_like()
        panels = lay_out(architecture, layer, brief_cards(architecture)).panels
        return sorted(tuple(p.among) for p in panels if p.level == "layer")

    assert among(None) == [(False, True, True, True), (True, False, False, False)]
    assert among(2) == [(False, False, True, False)]
    alike = llama_like(4)
    panels = lay_out(alike, None, brief_cards(alike)).panels
    assert not any(panel.among for panel in panels)


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
            row.append(make_card(node, label, (), alone=False))
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
