"""A few matrices edited in known ways: nothing is said of how that the numbers do not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modeldiff.architectures import Place
from modeldiff.findings.narrative import narrate
from modeldiff.findings.words import places_words
from tests.support.planted import Values, llama_values, measured

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Edit = Callable[[Array], Array]
_EDITED = ("layers.1.self_attn.q_proj", "layers.3.self_attn.v_proj", "layers.4.self_attn.o_proj")
_random = np.random.default_rng(7)


def _rounded(matrix: Array, bits: int, block: int) -> Array:
    """Symmetric integers with a scale for each ``block`` values."""
    blocks = matrix.reshape(-1, block)
    steps = np.abs(blocks).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    rounded: Array = np.round(blocks / steps) * steps
    return rounded.reshape(matrix.shape)


def _like_q4_0(matrix: Array) -> Array:
    """ggml's Q4_0: 16 values a block of 32, of which the largest is one exactly."""
    blocks = matrix.reshape(-1, 32)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    steps = largest / -8
    return (np.clip(np.round(blocks / steps), -8, 7) * steps).reshape(matrix.shape)


_EDITS: dict[str, Edit] = {
    "noise in shares of each value": lambda m: m * (1 + 0.1 * _random.standard_normal(m.shape)),
    "even noise in shares": lambda m: m * (1 + 0.1 * _random.uniform(-1, 1, m.shape)),
    "noise of one size": lambda m: m + 0.1 * _random.standard_normal(m.shape),
    "a factor": lambda m: 1.1 * m,
    "factors of rows": lambda m: m * (1 + 0.1 * _random.standard_normal((len(m), 1))),
    "zeros": lambda m: np.where(_random.random(m.shape) < 0.12, 0.0, m),
}
_ROUNDINGS: dict[str, Edit] = {
    "int8": lambda m: _rounded(m, 8, m.size),
    "int4": lambda m: _rounded(m, 4, 32),
    "Q4_0": _like_q4_0,
}


def _likeness(folder: Path, edit: Edit) -> str:
    base = llama_values()
    target: Values = {
        name: edit(value) if any(part in name for part in _EDITED) else value
        for name, value in base.items()
    }
    return " ".join(narrate(measured(folder, base, target, ("F32", "F32"))[0]).likeness)


@pytest.mark.parametrize("edit", _EDITS)
def test_an_edit_is_not_called_rounding(edit: str, tmp_path: Path) -> None:
    words = _likeness(tmp_path, _EDITS[edit])
    assert words
    assert not any(word in words for word in ("quantised", "few bits", "int8", "coarser grid"))


@pytest.mark.parametrize("rounding", _ROUNDINGS)
def test_rounding_to_few_values_is(rounding: str, tmp_path: Path) -> None:
    assert "rounding to a coarser grid" in _likeness(tmp_path, _ROUNDINGS[rounding])


def test_a_long_list_of_places_counts_what_it_leaves_out() -> None:
    places = [
        Place(layer, f"self_attn.{name}_proj")
        for name, layers in (("q", (1,)), ("k", (2, 3)), ("v", (4, 5)), ("o", (0, 1, 7)))
        for layer in layers
    ]
    assert places_words(places) == (
        "self_attn.q_proj in layer 1; self_attn.k_proj in layers 2–3; 5 more places"
    )
    assert places_words(places[:3]) == "self_attn.q_proj in layer 1; self_attn.k_proj in layers 2–3"
