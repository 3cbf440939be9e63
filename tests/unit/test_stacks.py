"""A line of models as stacks: one place at one height, each marked against the one before it."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from modeldiff.architectures import Architecture, understand
from modeldiff.architectures.facts.lineage import LineageStep, read_lineage
from modeldiff.checkpoints import open_checkpoint
from modeldiff.drawings import CSS_PALETTE, DARK, LIGHT, Palette
from modeldiff.drawings.comparison.lineage import Chip, StackLine, stack_lines
from modeldiff.drawings.comparison.lineage_svg import stack_svg, stacks_svg
from modeldiff.drawings.style.text_metrics import text_width
from tests.support.architectures import ALL, strange

STORY = ("gpt2-124m", "llama-2-7b", "llama-3-8b", "llama-3.1-8b", "llama-3.2-3b")
EXPERTS = ("mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b")
SVG = "{http://www.w3.org/2000/svg}"


@cache
def steps_of(names: tuple[str, ...]) -> tuple[LineageStep, ...]:
    return steps(*(understand(open_checkpoint(f"catalog:{name}")) for name in names))


def steps(*architectures: Architecture) -> tuple[LineageStep, ...]:
    return tuple(step for step in read_lineage(architectures) if step is not None)


def chips(line: StackLine, number: int) -> dict[str, Chip]:
    return {chip.label: chip for chip in line.chips[number] or ()}


def marks(names: tuple[str, ...], number: int) -> dict[str, str | None]:
    """What each chip of a stack is marked as, those that are gone as ``gone``."""
    return {
        chip.label: "gone" if chip.gone else chip.mark
        for line in stack_lines(steps_of(names))
        for chip in line.chips[number] or ()
    }


def test_each_step_of_the_story_is_marked_by_what_it_changed() -> None:
    first, llama_2, llama_3, llama_31, llama_32 = (marks(STORY, n) for n in range(5))
    assert set(first.values()) == {None}
    assert llama_2["RoPE"] == "only" and llama_2["gate"] == "only"
    assert llama_2["positions"] == "gone"
    assert llama_2["RMSNorm"] == "built" and llama_2["q"] == "built"
    assert llama_3["Attention"] == "built" and llama_3["k"] == "number" and llama_3["q"] is None
    assert {label for label, mark in llama_31.items() if mark} == {"RoPE"}
    assert llama_32["head"] == "built" and llama_32["up"] == "number"


def test_one_place_is_one_line_in_all_stacks() -> None:
    lines = stack_lines(steps_of(STORY))
    for label in ("q", "Attention", "o", "down", "head"):
        [line] = [line for line in lines if any(label in chips(line, n) for n in range(5))]
        assert all(label in chips(line, n) for n in range(5))
    kinds = [line.kind for line in lines]
    assert kinds.count("frame") == kinds.count("end of frame") == kinds.count("input") == 1
    assert kinds[0] == "input"


def test_layers_of_another_kind_are_a_frame_of_their_own() -> None:
    lines = stack_lines(steps_of(EXPERTS))
    titles = [line.titles for line in lines if line.kind == "end of frame"]
    assert titles == [
        ("", "3 layers: dense MLP", ""),
        ("32 layers", "58 layers: mixture of experts", "48 layers"),
    ]
    assert marks(EXPERTS, 2)["shared gate, shared up"] == "gone"


def test_equal_models_have_no_marks() -> None:
    for make in ALL.values():
        lines = stack_lines(steps(make(), make()))
        for line in lines:
            assert not any(line.changed)
            assert all(chip.mark is None for chip in line.chips[1] or ())


@pytest.mark.parametrize("names", [STORY, EXPERTS])
def test_chips_keep_apart_and_hold_their_words(names: tuple[str, ...]) -> None:
    lines = stack_lines(steps_of(names))
    heights = set()
    for number in range(len(names)):
        root = ElementTree.fromstring(stack_svg(lines, number, name="x", palette=LIGHT))
        heights.add(root.get("height"))
        boxes = []
        for group in root.iter(f"{SVG}g"):
            box = group.find(f"{SVG}rect")
            text = group.find(f"{SVG}text")
            if box is None or text is None:
                continue
            x, y, width = (float(str(box.get(name))) for name in ("x", "y", "width"))
            value = "".join(span.text or "" for span in text.iter(f"{SVG}tspan"))
            room = text_width(text.text or "", 12, bold=True) + text_width(value, 11)
            assert room <= width, text.text
            assert x + width <= float(str(root.get("width")))
            boxes.append((y, x, width))
        for (y, x, width), (other_y, other_x, _) in pairwise(sorted(boxes)):
            assert other_y - y >= 27 or (other_y == y and other_x > x + width)
    assert len(heights) == 1, "all stacks are equally high"


@pytest.mark.parametrize("palette", [CSS_PALETTE, LIGHT, DARK])
def test_hostile_names_are_text(palette: Palette) -> None:
    line = steps(*(make() for make in ALL.values()), strange())
    lines = stack_lines(line)
    evil = "<script>alert(1)</script>&\x00\ud800"
    whole = stacks_svg(
        lines, line, [evil] * len(line), palette=palette, title=evil, caption=(evil,)
    )
    one = stack_svg(lines, len(line) - 1, name=evil, palette=palette)
    for svg in (whole, one):
        ElementTree.fromstring(svg)
        assert "<script" not in svg
        assert (palette is CSS_PALETTE) == bool(re.search(r"var\(", svg))


def test_the_whole_line_says_what_changed() -> None:
    line = steps_of(STORY)
    svg = stacks_svg(stack_lines(line), line, STORY, palette=LIGHT)
    text = " ".join("".join(t.itertext()) for t in ElementTree.fromstring(svg).iter(f"{SVG}text"))
    assert "Norm: LayerNorm → RMSNorm" in text
    assert "RoPE scaling: none → llama3 ×8 from 8,192" in text
    assert "31 the same" in text
