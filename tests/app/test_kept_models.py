"""Opened models are kept for the next run, but not so many that they fill the memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.model import Model
from modeldiff.ui.session import opening
from modeldiff.ui.session.opening import forget_openings, open_side
from tests.support.safetensors_files import write_sharded


def opened(folder: Path) -> Checkpoint:
    side = open_side(str(folder))
    assert isinstance(side, Model)
    return side.checkpoint


def test_those_asked_for_last_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = {"model-00001-of-00001.safetensors": ("a.weight", "b.weight")}
    one, two, three, four = (write_sharded(tmp_path / name, shard) for name in "1234")
    monkeypatch.setattr(opening, "_MOST_TENSORS", 6)
    forget_openings()
    first, second, third = map(opened, (one, two, three))
    assert opened(one) is first
    fourth = opened(four)
    assert (opened(one), opened(three), opened(four)) == (first, third, fourth)
    assert opened(two) is not second


def test_a_pair_stays_whatever_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = {"model-00001-of-00001.safetensors": ("a.weight", "b.weight")}
    one, two = (write_sharded(tmp_path / name, shard) for name in "12")
    monkeypatch.setattr(opening, "_MOST_TENSORS", 1)
    forget_openings()
    assert (opened(one), opened(two)) == (opened(one), opened(two))
