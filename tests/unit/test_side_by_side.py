"""Two models side by side: a place at one height, every difference marked, nothing overlapping."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.architectures import Architecture, compare_facts, understand
from modeldiff.architectures.facts.diagram_anchors import differing_nodes, written_at
from modeldiff.architectures.facts.lineage import news
from modeldiff.checkpoints import open_checkpoint
from modeldiff.drawings import CSS_PALETTE, DARK, LIGHT, Palette
from modeldiff.drawings.comparison.sequence_alignment import align
from modeldiff.drawings.comparison.side_by_side import SideBySide, side_by_side, similarity_text
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.diagram.layout.elements import Box
from tests.support.architectures import ALL, gpt2_like, llama_like, moe_like, strange
from tests.support.layouts import assert_layout_is_clear
from tests.support.named_shapes import tiny, tiny_names

CATALOG = (
    ("gpt2-124m", "llama-3-8b"),
    ("gemma-2-9b", "olmo-2-7b"),
    ("mixtral-8x7b", "mistral-7b-v0.1"),
    ("deepseek-v3", "qwen3-30b-a3b"),
    ("llama-3-8b", "llama-3.1-8b"),
    ("gemma-3-4b", "gpt-oss-20b"),
)
MADE: tuple[Callable[[], Architecture], ...] = (
    llama_like,
    lambda: llama_like(28, width=3584, kv=512, hidden=18944, qkv_bias=True),
    gpt2_like,
    moe_like,
    strange,
)


@cache
def published(name: str) -> Architecture:
    return understand(open_checkpoint(f"catalog:{name}"))


def drawing_of(base: Architecture, target: Architecture) -> SideBySide:
    return side_by_side(base, target, compare_facts(base, target))


@cache
def drawn(number: int) -> SideBySide:
    """Catalog pairs first, then every pair of those made by hand."""
    if number < len(CATALOG):
        return drawing_of(*(published(name) for name in CATALOG[number]))
    pairs = [(one, other) for one in MADE for other in MADE]
    base, target = pairs[number - len(CATALOG)]
    return drawing_of(base(), target())


EVERY = range(len(CATALOG) + len(MADE) ** 2)


def boxes_by_place(drawing: SideBySide, side: int) -> dict[tuple[int, str], Box]:
    return {
        (slot.frame, box.card.node.id): box for slot in drawing.slots for box in slot.boxes[side]
    }


def at_its_height(drawing: SideBySide, side: int, number: int, id: str) -> Box:
    top, bottom = drawing.placed[number]
    (found,) = (
        box
        for box in drawing.sides[side].boxes
        if box.card.node.id == id and top - 0.1 <= box.y and box.y + box.height <= bottom + 0.1
    )
    return found


@pytest.mark.parametrize("number", EVERY)
def test_one_place_stands_at_one_height(number: int) -> None:
    drawing = drawn(number)
    for at, slot in enumerate(drawing.slots):
        middle = sum(drawing.placed[at]) / 2
        for side, boxes in enumerate(slot.boxes):
            spans = [at_its_height(drawing, side, at, box.card.node.id) for box in boxes]
            if spans:
                top = min(box.y for box in spans)
                bottom = max(box.y + box.height for box in spans)
                assert (top + bottom) / 2 == pytest.approx(middle, abs=0.1)
    apart = [
        id
        for id in ("input_layernorm", "self_attn.q_proj", "self_attn.attention", "mlp.down_proj")
        for slots in [[slot for slot in drawing.slots if id in slot.ids]]
        if any(not all(s.boxes) for s in slots)
        and any(all(s.boxes) for s in slots)
        and len({s.frame for s in slots}) == 1
    ]
    assert apart == []


@pytest.mark.parametrize("number", EVERY)
def test_nothing_lies_on_another_and_every_box_is_there(number: int) -> None:
    check_apart(drawn(number))


@pytest.mark.parametrize("name", tiny_names())
def test_every_family_is_drawn_beside_llama(name: str) -> None:
    check_apart(drawing_of(understand(tiny(name)), published("llama-3-8b")))


def check_apart(drawing: SideBySide) -> None:
    layout = drawing.layout
    assert len(layout.boxes) == sum(len(boxes) for slot in drawing.slots for boxes in slot.boxes)
    assert_layout_is_clear(layout)
    for (top, bottom), (following, _) in pairwise(drawing.placed):
        assert top <= bottom <= following + 0.1


@pytest.mark.parametrize("names", CATALOG)
def test_every_difference_that_has_a_place_is_named_and_marked(names: tuple[str, str]) -> None:
    base, target = (published(name) for name in names)
    pairs = compare_facts(base, target)
    drawing = side_by_side(base, target, pairs)
    noted = {note.label for notes in drawing.differences.notes.values() for note in notes}
    marked = {id for _, _, id in drawing.differences.boxes}
    drawn_ids = {box.card.node.id for box in drawing.layout.boxes}
    for pair in news(pairs):
        here = drawn_ids & set(written_at(pair.key))
        if here:
            assert pair.label in noted, pair.key
        bare = {
            box.card.node.id
            for gap in drawing.gaps
            if gap.panel is not None
            for slot in drawing.slots[gap.first : gap.last + 1]
            for boxes in slot.boxes
            for box in boxes
        }
        assert (differing_nodes(pair) & drawn_ids) - bare <= marked, pair.key
    for side in (0, 1):
        ours, theirs = boxes_by_place(drawing, side), boxes_by_place(drawing, 1 - side)
        for (frame, id), box in ours.items():
            other = theirs.get((frame, id))
            if other is not None and other.card.node.shape != box.card.node.shape:
                assert id in marked


def test_the_differences_people_know() -> None:
    said = {
        number: " | ".join(
            f"{note.label} {note.words}"
            for notes in drawn(number).differences.notes.values()
            for note in notes
        )
        for number in range(len(CATALOG))
    }
    assert "Norm LayerNorm → RMSNorm" in said[0]
    assert "Attention MHA → GQA: groups of query heads share one KV head" in said[0]
    assert "Positions learned → RoPE" in said[0]
    assert "Q and K norms none → over all heads together" in said[1]
    assert "Experts 8 → none" in said[2]
    assert "RoPE scaling none →" in said[4] and "Context 8,192 → 131,072 tokens" in said[4]


def test_what_stands_at_another_height_is_said_to_be_there() -> None:
    drawing = drawing_of(understand(tiny("falcon")), published("llama-3-8b"))
    svg = side_by_side_svg(drawing, ("a", "b"), palette=LIGHT)
    assert "in “Attention and MLP”" in svg and ">no MLP<" not in svg
    found = {id: mark for (_, _, id), mark in drawing.differences.boxes.items()}
    assert found["mlp.gate_proj"] == "only" and found["mlp.activation"] == "built"


def test_what_one_side_lacks_is_a_named_gap() -> None:
    drawing = drawn(CATALOG.index(("gpt2-124m", "llama-3-8b")))
    svg = side_by_side_svg(drawing, ("a", "b"), palette=LIGHT)
    assert ">no RoPE<" in svg
    [gap] = [gap for gap in drawing.gaps if "self_attn.rope" in drawing.slots[gap.first].ids]
    assert gap.side == 0
    layers = drawn(CATALOG.index(("deepseek-v3", "qwen3-30b-a3b")))
    [whole] = [gap for gap in layers.gaps if gap.panel is not None]
    assert whole.side == 1 and whole.panel is not None and whole.panel.title.startswith("3 × ")
    assert ">no such layers<" in side_by_side_svg(layers, ("a", "b"), palette=LIGHT)


@pytest.mark.parametrize("name", ALL)
def test_equal_models_have_no_marks(name: str) -> None:
    drawing = drawing_of(ALL[name](), ALL[name]())
    assert drawing.differences.boxes == {} and drawing.differences.notes == {}
    assert drawing.gaps == ()
    assert "the same" in similarity_text(drawing)
    assert 'class="flag"' not in side_by_side_svg(drawing, ("a", "b"), palette=LIGHT)


def test_alike_in_all_but_settings_is_said() -> None:
    words = similarity_text(drawn(CATALOG.index(("llama-3-8b", "llama-3.1-8b"))))
    assert words.startswith("Every parameter has the same place and the same shape")
    assert "RoPE scaling" in words and "Context" in words
    assert "Steps that differ" in similarity_text(drawn(0))
    assert "One side alone has 1 kind of layers" in similarity_text(
        drawn(CATALOG.index(("deepseek-v3", "qwen3-30b-a3b")))
    )
    deeper = drawing_of(llama_like(4), llama_like(6))
    assert similarity_text(deeper).startswith("Each step is built the same")


def test_a_bias_is_built_otherwise_and_a_width_only_numbers() -> None:
    base = llama_like(4)
    drawing = drawing_of(base, llama_like(4, hidden=18944, qkv_bias=True))
    found = {id: mark for (_, _, id), mark in drawing.differences.boxes.items()}
    assert found["self_attn.q_proj"] == "built" and found["mlp.up_proj"] == "number"
    assert "self_attn.o_proj" not in found and "lm_head" not in found


@pytest.mark.parametrize("palette", [CSS_PALETTE, LIGHT, DARK])
@pytest.mark.parametrize("number", EVERY)
def test_it_is_valid_xml_whatever_the_names(number: int, palette: Palette) -> None:
    evil = "<script>alert('1')</script>&\x00\ud800]]>" + "x" * 300
    svg = side_by_side_svg(drawn(number), (evil, '"><b>'), palette=palette)
    root = ElementTree.fromstring(svg)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "b", "foreignObject", "a"}
    assert "<script" not in svg
    if palette is not CSS_PALETTE:
        assert "var(" not in svg


@given(st.lists(st.text("abcdef", max_size=7), min_size=1, max_size=4))
def test_alignment_keeps_order_and_loses_nothing(words: list[str]) -> None:
    places = align(words, lambda one, other: float(one == other))
    for side, word in enumerate(words):
        kept = [place[side] for place in places if place[side] is not None]
        assert kept == list(range(len(word)))
    for place in places:
        assert len({words[side][at] for side, at in enumerate(place) if at is not None}) == 1
