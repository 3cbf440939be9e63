"""What was planted in a checkpoint is found on the heatmap where it was planted, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modeldiff.drawings import METRICS, metric_named
from tests.support.heatmaps import heatmap_frame
from tests.support.planted import HEADS, HIDDEN, Values, add_noise, llama_values, measured

MEDIAN = METRICS[0]


def hot(
    folder: Path, base: Values, target: Values, metric: str, *, experts: str = ""
) -> set[tuple[int | None, str, int | None]]:
    """The cells of the heatmap that show a change in this metric."""
    chosen = metric_named(metric)
    assert chosen is not None
    frame = heatmap_frame(*measured(folder, base, target), chosen, experts=experts)
    changed = frame["value"] > 0 if chosen.rises else frame["value"] < 100
    cells = frame[changed & frame["region"].isin(["above", "grid", "below"])]
    return {
        (
            None if row["layer"] is None or row["layer"] != row["layer"] else int(row["layer"]),
            row["column"],
            None if row["expert"] is None or row["expert"] != row["expert"] else int(row["expert"]),
        )
        for row in cells.astype({"layer": object, "expert": object})
        .where(cells.notna(), None)
        .to_dict("records")
    }


@pytest.mark.parametrize("metric", ["median_pct", "unchanged_pct", "rel_frobenius_pct", "p95_pct"])
def test_one_layer(metric: str, tmp_path: Path) -> None:
    base = llama_values()
    found = hot(tmp_path, base, add_noise(base, 0.2, "layers.4."), metric)
    assert {layer for layer, _, _ in found} == {4}
    assert len(found) == 9


@pytest.mark.parametrize("metric", ["unchanged_pct", "rel_frobenius_pct", "max_abs_delta"])
def test_one_head(metric: str, tmp_path: Path) -> None:
    base = llama_values()
    target = dict(base)
    query = base["model.layers.2.self_attn.q_proj.weight"].copy()
    query[: HIDDEN // HEADS] *= 1.5
    target["model.layers.2.self_attn.q_proj.weight"] = query
    assert hot(tmp_path, base, target, metric) == {(2, "self_attn.q_proj", None)}


@pytest.mark.parametrize("metric", ["unchanged_pct", "rel_frobenius_pct", "cosine_distance"])
def test_one_token_row(metric: str, tmp_path: Path) -> None:
    base = llama_values()
    rows = base["model.embed_tokens.weight"].copy()
    rows[17] = np.random.default_rng(3).standard_normal(HIDDEN)
    target = {**base, "model.embed_tokens.weight": rows}
    assert hot(tmp_path, base, target, metric) == {(None, "embed_tokens", None)}


def test_one_expert_folded_and_one_by_one(tmp_path: Path) -> None:
    base = llama_values(layers=3, experts=4)
    target = add_noise(base, 0.3, "layers.1.mlp.experts.2.up_proj")
    folded = hot(tmp_path / "folded", base, target, "rel_frobenius_pct")
    assert len(folded) == 1
    ((layer, column, _),) = folded
    assert layer == 1
    unfolded = hot(tmp_path / "unfolded", base, target, "median_pct", experts=column)
    assert unfolded == {(1, column, 2)}


def test_sparse_and_below_the_floor(tmp_path: Path) -> None:
    """A median sees neither: the share of unchanged elements and Frobenius see both."""
    base = llama_values()
    random = np.random.default_rng(5)
    matrix = base["model.layers.3.mlp.up_proj.weight"]
    sparse = np.where(random.random(matrix.shape) < 0.01, 3 * matrix, matrix)
    for name, target in (
        ("sparse", {**base, "model.layers.3.mlp.up_proj.weight": sparse}),
        ("faint", add_noise(base, 0.0008, "layers.3.mlp.up_proj")),
    ):
        assert hot(tmp_path / name / "a", base, target, "median_pct") == set()
        for metric in ("unchanged_pct", "rel_frobenius_pct"):
            found = hot(tmp_path / name / metric, base, target, metric)
            assert found == {(3, "mlp.up_proj", None)}
