"""The drawings of published models: all of each, once, with nothing upon anything else."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import combinations
from xml.etree import ElementTree

import pytest

from modeldiff.architectures import Architecture, understand
from modeldiff.changes import ChangeTable
from modeldiff.checkpoints.config_only.catalog import catalog_config
from modeldiff.drawings import LIGHT, METRICS, diagram_svg
from modeldiff.drawings.diagram.box_values import BoxValues
from modeldiff.drawings.diagram.diagram import card_maker
from modeldiff.drawings.diagram.layout.layout import lay_out
from tests.support.changes import continued, made_changes
from tests.support.config_checkpoints import of_config
from tests.support.drawn import read_drawing
from tests.support.named_shapes import checkpoint, invented, tiny

MEDIAN = METRICS[0]
FALCON = {
    "model_type": "falcon",
    "architectures": ["FalconForCausalLM"],
    "hidden_size": 4544,
    "num_hidden_layers": 32,
    "num_attention_heads": 71,
    "vocab_size": 65024,
    "multi_query": True,
    "parallel_attn": True,
    "bias": False,
    "alibi": False,
    "dtype": "bfloat16",
}
MODELS = (
    "gpt2-124m",
    "llama-2-7b",
    "llama-3-8b",
    "llama-3.1-8b",
    "llama-3.2-1b",
    "qwen2-7b",
    "gemma-2-9b",
    "gemma-3-4b",
    "olmo-2-7b",
    "phi-3-mini-4k",
    "falcon",
    "mixtral-8x7b",
    "qwen3-30b-a3b",
    "deepseek-v3",
    "gpt-oss-20b",
    "invented",
    "whisper",
    "t5",
    "jamba",
    "gpt_neox",
)
TINY = ("whisper", "t5", "jamba", "gpt_neox")
# Thousands of experts' changes are made in seconds, and drawn as few experts' are.
MEASURED = tuple(name for name in MODELS if name not in ("deepseek-v3", "qwen3-30b-a3b"))


@cache
def model(name: str) -> Architecture:
    if name == "invented":
        return understand(invented())
    if name in TINY:
        return understand(tiny(name))
    config = FALCON if name == "falcon" else catalog_config(name)
    return understand(of_config(name, config))


@pytest.mark.parametrize("name", MODELS)
def test_every_tensor_is_in_exactly_one_box(name: str) -> None:
    architecture = model(name)
    cards = card_maker(architecture, BoxValues(architecture, ChangeTable(), MEDIAN))
    boxes = lay_out(architecture, None, cards).boxes
    drawn = Counter(name for b in boxes for r in b.card.values for name in r.names)
    assert drawn == Counter(p.tensor.name for p in architecture.parameters if p.role != "buffer")
    shares = [reading.share for box in boxes for reading in box.card.values]
    assert sum(shares) == pytest.approx(1), "the shares are of all parameters, each counted once"


@pytest.mark.parametrize("layer", [None, 1])
@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_written_or_drawn_upon_anything(name: str, layer: int | None) -> None:
    architecture = model(name)
    changes = made_changes(architecture, architecture, continued) if name in MEASURED else None
    svg = diagram_svg(
        architecture,
        layer=layer,
        changes=changes,
        metric=MEDIAN,
        palette=LIGHT,
        title=architecture.title,
        caption=("a caption",),
    )
    drawn = read_drawing(svg)
    for one, other in combinations(drawn.texts, 2):
        assert not one.meets(other), (one, other)
    for area in (*drawn.texts, *drawn.boxes):
        assert area.left >= 0 and area.right <= drawn.width, area
        assert area.top >= 0 and area.bottom <= drawn.height, area
    for text in (text for text in drawn.texts if text.node is None):
        assert not any(text.meets(box) for box in drawn.boxes), text
        assert not any(text.meets(line) for line in drawn.lines), text


def test_hostile_names_are_escaped_and_kept_in_their_place() -> None:
    evil = "<img src=x onerror=alert(1)>&\"'\x00\x1b[31m\ud800]]>"
    long = "w" * 4000
    shapes = {f"net.blocks.{layer}.{evil}.weight": (8, 8) for layer in range(2)}
    shapes |= {f"net.blocks.{layer}.{long}.weight": (8, 8) for layer in range(2)}
    architecture = understand(checkpoint({**shapes, f"{evil}.emb.weight": (10, 8)}))
    svg = diagram_svg(
        architecture, layer=None, metric=MEDIAN, palette=LIGHT, title=evil, caption=(evil, long)
    )
    assert "<img" not in svg and "\x1b" not in svg
    ElementTree.fromstring(svg.encode())
    drawn = read_drawing(svg)
    for one, other in combinations(drawn.texts, 2):
        assert not one.meets(other), (one, other)
        assert all(text.right <= drawn.width for text in drawn.texts)
