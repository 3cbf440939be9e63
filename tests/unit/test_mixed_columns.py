"""Matrices whose columns are each other's, and the vectors beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
from tests.support.planted import write_values


def test_columns_of_each_other_tell_nothing_of_a_vector_of_the_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"model.layers.0.self_attn.{n}_proj" for n in "kv"]
    base = {f"{name}.weight": random.standard_normal((32, 64)) for name in names}
    base |= {f"{name}.bias": random.standard_normal(32) for name in names}
    whole = np.concatenate([base[f"{name}.weight"] for name in names], axis=1)
    halves = np.split(np.roll(whole, 32, axis=1), 2, axis=1)
    target = {f"{name}.weight": half.copy() for name, half in zip(names, halves, strict=True)}
    target |= {f"{name}.bias": base[f"{name}.bias"][::-1].copy() for name in names}
    sides = [
        str(write_values(tmp_path / side, values))
        for side, values in (("base", base), ("target", target))
    ]
    changes = run_diff(Comparison.open(*sides), device="cpu", cache=False).changes
    told = {c.pair.place.parameter: c.relation and c.relation.axis for c in changes}
    assert told == {"weight": "columns", "bias": None}
