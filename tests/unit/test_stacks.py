"""A line of models as stacks: one place at one height, each marked against the one before it."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from modeldiff.architectures import Architecture, understand
from modeldiff.architectures.facts.lineage import LineageStep, read_lineage
from modeldiff.architectures.facts.lineage_words import StepWords, step_words
from modeldiff.checkpoints import open_checkpoint
from modeldiff.drawings import CSS_PALETTE, DARK, LIGHT, Palette
from modeldiff.drawings.comparison.evolution import (
    EVOLUTION_TEXT,
    EvolutionModel,
    evolution_svg,
    most_models,
)
from modeldiff.drawings.comparison.lineage import Chip, StackLine, stack_lines
from modeldiff.drawings.output.figure import FigureSize
from modeldiff.drawings.style.fonts import REGULAR, SANS, SEMIBOLD, SERIF
from modeldiff.errors import InvalidOption
from tests.support.architectures import ALL, strange

STORY = ("gpt2-124m", "llama-2-7b", "llama-3-8b", "llama-3.1-8b", "llama-3.2-1b")
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
    assert llama_2["pos"] == "gone"
    # Their biases are gone, which words say: the matrices have another size.
    assert llama_2["RMSNorm"] == "built" and llama_2["q"] == "number"
    assert llama_3["GQA"] == "built" and llama_3["k"] == "number" and llama_3["q"] is None
    assert {label for label, mark in llama_31.items() if mark} == {"RoPE"}
    assert llama_32["head"] == "built" and llama_32["up"] == "number"
    # 32 times instead of 8, and heads of 64: other numbers, no other idea.
    assert llama_32["RoPE"] == "number" and llama_32["GQA"] == "number"


def test_one_place_is_one_line_in_all_stacks() -> None:
    lines = stack_lines(steps_of(STORY))
    for label in ("q", "o", "down", "head"):
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


def drawn(names: tuple[str, ...], width: float, palette: Palette = LIGHT) -> str:
    line = steps_of(names)
    models = [
        EvolutionModel(name, "Jul 2024", step) for name, step in zip(names, line, strict=True)
    ]
    return evolution_svg(
        models, stack_lines(line), width=width, palette=palette, sans=SANS, serif=SERIF
    )


@pytest.mark.parametrize("names", [STORY, EXPERTS])
def test_boxes_keep_apart_and_hold_their_words(names: tuple[str, ...]) -> None:
    root = ElementTree.fromstring(drawn(names, 964))
    columns = [g for g in root.findall(f"{SVG}g") if g.findall(f".//{SVG}g[{SVG}title]")]
    assert len(columns) == len(names)
    for column in columns:
        boxes = []
        for group in column.findall(f".//{SVG}g[{SVG}title]"):
            box, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
            assert box is not None and text is not None
            x, y, width = (float(str(box.get(name))) for name in ("x", "y", "width"))
            number = group.get("class") == "number"
            value = "".join(span.text or "" for span in text.iter(f"{SVG}tspan"))
            label = SEMIBOLD.width(text.text or "", EVOLUTION_TEXT)
            assert label + (SEMIBOLD if number else REGULAR).width(value, EVOLUTION_TEXT) <= width
            boxes.append((y, x, width))
        for (y, x, width), (other_y, other_x, _) in pairwise(sorted(boxes)):
            assert other_y - y >= 27 or (other_y == y and other_x > x + width)


def test_words_of_the_story_are_ideas_and_sizes() -> None:
    words = [step_words(step) for step in steps_of(STORY)]
    assert words[0].ideas == ()
    assert {"SwiGLU: a gate beside up", "RMSNorm for LayerNorm", "no biases"} < {*words[1].ideas}
    assert words[2].ideas == ("GQA: 4 query heads share one key and value head",)
    assert words[3] == StepWords(("RoPE scaled: slow rotations 8 times slower",), ("context ×16",))
    assert words[4].ideas == ("embedding as head",)
    assert words[4].sizes == ("16 × 2,048", "MLP 8,192", "heads of 64", "RoPE ×32")


def test_a_column_holds_two_models_and_says_so() -> None:
    width = FigureSize(85, 7).drawing_width(EVOLUTION_TEXT)
    assert most_models(width) == 2
    drawn(STORY[:2], width)
    with pytest.raises(InvalidOption, match="3 models have no room"):
        drawn(STORY[:3], width)


@pytest.mark.parametrize("palette", [CSS_PALETTE, LIGHT, DARK])
def test_hostile_names_are_text(palette: Palette) -> None:
    line = steps(*(make() for make in ALL.values()), strange())
    evil = "<script>alert(1)</script>&\x00\ud800"
    models = [EvolutionModel(evil, evil, step) for step in line]
    svg = evolution_svg(
        models, stack_lines(line), width=9000, palette=palette, sans=evil, serif=SERIF
    )
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert (palette is CSS_PALETTE) == bool(re.search(r"var\(", svg))
