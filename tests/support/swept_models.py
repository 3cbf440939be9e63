"""The tiny models of every type that transformers builds, read back from ``tests/data``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from modeldiff.checkpoints.checkpoint import Checkpoint
from tests.support.named_shapes import Shapes, checkpoint

DATA = Path(__file__).parents[1] / "data" / "swept_models.json"


@cache
def _swept() -> Mapping[str, Any]:
    swept: Mapping[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return swept


def swept_types() -> tuple[str, ...]:
    """The model types of which transformers built a tiny model, in alphabetical order."""
    return tuple(_swept()["models"])


def left_out_types() -> Mapping[str, str]:
    """Why a type is not among them: what the library said."""
    reasons: Mapping[str, str] = _swept()["left_out"]
    return reasons


def swept(model_type: str) -> Checkpoint:
    """The names, shapes and config of the tiny model."""
    model = _swept()["models"][model_type]
    integers = dict.fromkeys(model["integers"], "I64")
    return checkpoint(_shapes(model["tensors"]), model["config"], dtypes=integers)


def expected(model_type: str) -> Mapping[str, Any]:
    """What transformers' config object, model and cache say of it."""
    facts: Mapping[str, Any] = _swept()["models"][model_type]["expected"]
    return facts


def _shapes(patterns: Mapping[str, Mapping[str, str]]) -> Shapes:
    """Names and shapes again, from names with ``#`` for the numbers, shapes and the numbers."""
    shapes = {}
    for pattern, by_shape in patterns.items():
        for shape, indices in by_shape.items():
            sizes = tuple(int(size) for size in shape.split("x") if size)
            for numbers in indices.split(" "):
                of_name = iter(numbers.split(","))
                segments = (next(of_name) if s == "#" else s for s in pattern.split("."))
                shapes[".".join(segments)] = sizes
    return shapes
