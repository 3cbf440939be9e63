"""What looking for rows costs where most stand in place: directions of the rows that are looked at,
no more modules than are asked, and the same table where nothing is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.changes import ChangeTable
from modeldiff.changes.relations import mixed_rows
from modeldiff.changes.relations import nearest_rows as nearest
from modeldiff.changes.relations.nearest_rows import Directions, nearest_rows
from modeldiff.changes.relations.orders import find_order
from modeldiff.changes.relations.relate import relate
from modeldiff.changes.relations.sampling import PairSamples, spread
from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
from tests.support.planted import Values, llama_values, write_values

Rows = npt.NDArray[Any]
ROOT = Path(__file__).parents[2]


def normal(rows: int, run: int = 64, seed: int = 0) -> Rows:
    return np.random.default_rng(seed).standard_normal((rows, run)).astype(np.float32)


def opened(folder: Path, base: Values, target: Values, dtype: str = "BF16") -> Comparison:
    sides = (("base", base), ("target", target))
    return Comparison.open(*(str(write_values(folder / n, v, dtype)) for n, v in sides))


def strangers(values: Values) -> Values:
    random = np.random.default_rng(1)
    return {n: random.standard_normal(v.shape) if v.ndim > 1 else v for n, v in values.items()}


def hostile(rows: Rows, how: str) -> Rows:
    """The rows with some that have no direction, or none that can be told."""
    rows = rows.copy()
    if how == "zeros":
        rows[::3] = 0
    elif how == "alike":
        rows[:] = rows[0]
    elif how == "infinite":
        rows[1, 2] = np.inf
    elif how == "not a number":
        rows[1, 2] = np.nan
    elif how == "huge":
        rows[1] *= 1e30
    elif how == "tiny":
        rows *= 1e-38
    elif how == "minus":
        rows = -np.abs(rows)
    return rows


HOSTILE = ("", "zeros", "alike", "infinite", "not a number", "huge", "tiny", "minus")


@given(
    st.integers(2, 70),
    st.integers(1, 40),
    st.sampled_from(HOSTILE),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 99),
)
def test_a_row_has_one_direction_whoever_asks_for_it(
    rows: int, run: int, how: str, dtype: type, seed: int
) -> None:
    """Bit for bit, alone and among all: else it would hang on the order of asking whether a row is
    in place."""
    with np.errstate(all="ignore"):
        values = hostile(normal(rows, run, seed).reshape(rows, run), how if run > 2 else "")
        own = Directions(values.astype(dtype))
        numbers = np.random.default_rng(seed).integers(0, rows, 5)
        alone, among = own.of(numbers), own.all
        assert np.array_equal(alone, among[numbers], equal_nan=True)
        assert np.array_equal(among[:1], own.of(np.array([0])), equal_nan=True)
        lengths = np.linalg.norm(among.astype(np.float64), axis=1)
        told = np.isfinite(lengths) & (lengths > 0)
        assert np.allclose(lengths[told], 1, atol=1e-5)
        if how in ("", "minus"):
            scaled = values.astype(np.float64) / np.abs(values).max()
            centred = scaled - scaled.mean(axis=0)
            expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
            assert np.allclose(among, expected, atol=1e-4)


def test_rows_that_are_all_alike_have_no_direction() -> None:
    assert not Directions(np.ones((5, 16), np.float32)).all.any()
    assert not Directions(np.zeros((5, 16), np.float32)).all.any()


def test_no_direction_of_others_is_made_where_rows_stand_in_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lengths: list[int] = []
    of_length_1 = nearest._of_length_1

    def counted(rows: Rows) -> Rows:
        lengths.append(len(rows))
        return of_length_1(rows)

    monkeypatch.setattr(nearest, "_of_length_1", counted)
    base = normal(5_000)
    at = spread(len(base))
    target = base[at] + np.float32(0.1) * normal(len(at), seed=1)
    assert find_order(base, target, at, len(base)) is None
    assert max(lengths) == len(at)
    target[:40] = base[at[:40] + 1]
    find_order(base, target, at, len(base))
    assert max(lengths) == len(base)


@given(st.integers(4, 120), st.integers(0, 60), st.floats(0, 12), st.integers(0, 99))
def test_rows_are_looked_for_where_enough_are_not_in_place(
    rows: int, moved: int, least: float, seed: int
) -> None:
    base = normal(rows, seed=seed)
    order = np.arange(rows)
    order[: min(moved, rows)] = np.roll(order[: min(moved, rows)], 1)
    found = nearest_rows(Directions(base), base[order], np.arange(rows), least)
    elsewhere = int(np.count_nonzero(order != np.arange(rows)))
    assert (found is None) == (elsewhere < least)
    assert found is None or np.array_equal(found, order)


def test_matrices_of_a_layer_have_their_rows_made_directions_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(rows: Rows) -> Directions:
        made.append(len(rows))
        return Directions(rows)

    monkeypatch.setattr(mixed_rows, "Directions", counted)
    base = llama_values(layers=1)
    whole = np.concatenate([base[f"model.layers.0.self_attn.{n}_proj.weight"] for n in "qkv"])
    thirds = np.split(np.roll(whole, 32, axis=0), 3)
    target = base | {
        f"model.layers.0.self_attn.{n}_proj.weight": third
        for n, third in zip("qkv", thirds, strict=True)
    }
    comparison = opened(tmp_path, base, target)
    changes = run_diff(comparison, device="cpu", cache=False).changes
    kinds = [change.relation.kind for change in changes if change.relation is not None]
    assert kinds == ["mixed"] * 3
    assert made == [3 * 64]


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
def test_columns_are_those_of_the_matrix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    base = {name: np.random.default_rng(0).integers(-99, 99, (96, 1_300)).astype(np.float64)}
    target = {name: base[name][:, ::-1].copy()}
    seen: list[tuple[Rows, ...]] = []
    whole = PairSamples.column_runs.func  # type: ignore[attr-defined]

    def looked(self: PairSamples) -> Any:
        runs = whole(self)
        seen.append((*runs, self.base_columns, self.target_columns))
        return runs

    monkeypatch.setattr(PairSamples.column_runs, "func", looked)
    run_diff(opened(tmp_path, base, target, dtype), device="cpu", cache=False)
    ours, theirs = (side[name][16:80].T for side in (base, target))
    at = spread(1_300)
    for found, expected in zip(seen[0], (ours[at], theirs[at], ours, theirs), strict=True):
        assert found.flags.c_contiguous and np.array_equal(found, expected)


def test_where_nothing_is_found_the_table_stays_the_same_one(tmp_path: Path) -> None:
    base = llama_values(layers=1)
    comparison = opened(tmp_path, base, strangers(base))
    changes = run_diff(comparison, device="cpu", cache=False).changes
    bare = ChangeTable(replace(change, relation=None) for change in changes)
    assert relate(bare, *comparison.checkpoints) is bare


def test_no_recipe_is_imported_where_no_side_has_one(tmp_path: Path) -> None:
    base = llama_values(layers=1)
    opened(tmp_path, base, strangers(base))
    code = f"""
import json, sys
from modeldiff.cli import main
assert main(["diff", "--quiet", "--no-cache", {str(tmp_path / "base")!r},
             {str(tmp_path / "target")!r}]) == 0
print(json.dumps(list(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=dict(os.environ),
        check=True,
    )
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert "modeldiff.changes.relations.relate" in modules
    assert not modules & {
        "modeldiff.changes.relations.adapters",
        "modeldiff.checkpoints.recipes.adapted.without_update",
        "modeldiff.checkpoints.recipes.scaled_codes",
    }
