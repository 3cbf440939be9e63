"""Drawings of what has no layers: nothing leads to where nothing is."""

from __future__ import annotations

import re

import pytest

from modeldiff.architectures import understand
from modeldiff.checkpoints import open_checkpoint
from modeldiff.drawings import LIGHT, METRICS
from modeldiff.drawings.annotated.annotated import Drawing
from tests.support.architectures import ALL
from tests.support.named_shapes import checkpoint

SHAPES = [
    {"embed.weight": (8, 4), "norm.weight": (4,), "out.weight": (8, 4)},
    {"w": (8, 4), "b": (8,)},
    {"embed.weight": (8, 4), "embed_positions.weight": (9, 4)},
]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("width", [1112.0, 380.0])
def test_no_arrow_leads_to_nowhere(shapes: dict[str, tuple[int, ...]], width: float) -> None:
    architecture = understand(checkpoint(shapes))
    svg = Drawing(architecture, "x", METRICS[0]).svg(width, LIGHT)
    body = svg.partition("</defs>")[2]
    assert "marker-end" not in body
    assert "The parameters of the layers" not in svg, "a heading over nothing"


def outputs(name: str) -> set[str]:
    make = ALL.get(name)
    architecture = make() if make else understand(open_checkpoint(f"catalog:{name}"))
    svg = Drawing(architecture, name, METRICS[0]).svg(1232.0, LIGHT)
    return set(re.findall(r"→ (logits|output)<", svg))


@pytest.mark.parametrize("name", ["gpt2-124m", "llama-3.1-8b", "gemma-3-4b", "deepseek-v3"])
def test_a_head_gives_logits(name: str) -> None:
    assert outputs(name) == {"logits"}


def test_without_a_head_nobody_calls_it_logits() -> None:
    shapes = {"embed_tokens.weight": (8, 4), "norm.weight": (4,)}
    layer = {
        f"layers.0.{name}.weight": (4, 4)
        for name in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    }
    architecture = understand(checkpoint({**shapes, **layer}))
    svg = Drawing(architecture, "x", METRICS[0]).svg(1232.0, LIGHT)
    assert "logits" not in svg and "→ output" in svg
