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
from modeldiff.drawings import LIGHT, METRICS
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.drawings.annotated.composition import MOST_ACROSS, ColumnPart, parts_of
from modeldiff.drawings.annotated.sections import sections_of
from modeldiff.drawings.diagram.box_values import BoxValues
from tests.support.annotated import read_annotated
from tests.support.changes import continued, made_changes
from tests.support.config_checkpoints import of_config
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
    values = BoxValues(architecture, ChangeTable(), MEDIAN)
    sections = sections_of(architecture, None, values, {}, across=True)
    parts = [part for some in parts_of(sections, across=True, room=MOST_ACROSS) for part in some]
    tiles = [
        tile
        for part in parts
        for tile in (
            part.tiles if isinstance(part, ColumnPart) else [box.tile for box in part.panel.boxes]
        )
    ]
    drawn = Counter(name for tile in tiles for value in tile.values for name in value.names)
    assert drawn == Counter(p.tensor.name for p in architecture.parameters if p.role != "buffer")
    shares = [value.share for tile in tiles for value in tile.values]
    assert sum(shares) == pytest.approx(1), "the shares are of all parameters, each counted once"


@pytest.mark.parametrize("layer", [None, 1])
@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_written_or_drawn_upon_anything(name: str, layer: int | None) -> None:
    architecture = model(name)
    changes = made_changes(architecture, architecture, continued) if name in MEASURED else None
    drawn = read_annotated(Drawing(architecture, name, MEDIAN, layer, changes).svg(1232, LIGHT))
    for one, other in combinations(drawn.texts, 2):
        assert not one.meets(other), (one, other)
    for one, other in combinations(drawn.boxes, 2):
        assert not one.meets(other), (one, other)
    for area in (*drawn.texts, *drawn.boxes):
        assert area.left >= -0.5 and area.right <= drawn.width + 0.5, area
        assert area.top >= -2 and area.bottom <= drawn.height, area


def test_hostile_names_are_escaped_and_kept_in_their_place() -> None:
    evil = "<img src=x onerror=alert(1)>&\"'\x00\x1b[31m\ud800]]>"
    long = "w" * 4000
    shapes = {f"net.blocks.{layer}.{evil}.weight": (8, 8) for layer in range(2)}
    shapes |= {f"net.blocks.{layer}.{long}.weight": (8, 8) for layer in range(2)}
    architecture = understand(checkpoint({**shapes, f"{evil}.emb.weight": (10, 8)}))
    svg = Drawing(architecture, evil, MEDIAN).svg(1232, LIGHT)
    assert "<img" not in svg and "\x1b" not in svg
    ElementTree.fromstring(svg.encode())
    drawn = read_annotated(svg)
    for one, other in combinations(drawn.texts, 2):
        assert not one.meets(other), (one, other)
        assert all(text.right <= drawn.width for text in drawn.texts)
