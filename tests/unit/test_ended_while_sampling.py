"""Who stops a diff is listened to while values are sampled, too: on a slow disk each of the reads
takes its time, and there are thousands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import modeldiff
from modeldiff.changes import Progress
from modeldiff.errors import Cancelled

ROWS = 2048


def _saved(folder: Path, layers: dict[int, np.ndarray]) -> Path:
    folder.mkdir()
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": value for n, value in layers.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def matrices() -> list[np.ndarray]:
    numbers = np.random.default_rng(0)
    return [numbers.standard_normal((ROWS, 64), dtype=np.float32) for _ in range(6)]


def _heard(base: Path, target: Path, until: int | None = None) -> Counter[str]:
    heard: Counter[str] = Counter()

    def progress(now: Progress) -> None:
        heard[now.current] += 1
        if until is not None and heard[now.current] > until:
            raise Cancelled("Stop.")

    modeldiff.diff(base, target, cache=False, progress=progress)
    return heard


def test_looking_for_rows_in_another_order(tmp_path: Path, matrices: list[np.ndarray]) -> None:
    order = np.random.default_rng(1).permutation(ROWS)
    base = _saved(tmp_path / "base", {0: matrices[0]})
    target = _saved(tmp_path / "target", {0: matrices[0][order]})
    doing = "looking for rows in another order"
    # 512 rows of each side are looked at first, each by a read of its own.
    assert _heard(base, target)[doing] >= 16
    with pytest.raises(Cancelled):
        _heard(base, target, until=4)


def test_aligning_layers(tmp_path: Path, matrices: list[np.ndarray]) -> None:
    base = _saved(tmp_path / "base", dict(enumerate(matrices)))
    target = _saved(tmp_path / "target", dict(enumerate(matrices[1:])))
    doing = "aligning the layers"
    assert _heard(base, target)[doing] >= len(matrices) + len(matrices[1:])
    with pytest.raises(Cancelled):
        _heard(base, target, until=4)
