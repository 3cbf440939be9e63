"""Elements that lie apart, brought together: against NumPy's own strided views."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from math import prod
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.changes.engine.strided_read import gather
from modeldiff.checkpoints.tensor import Strides


@dataclass(frozen=True)
class View:
    """A strides, the elements of the tensor that it looks into, and a piece of it to read."""

    strides: Strides
    size: int
    start: int
    stop: int


@st.composite
def views(draw: st.DrawFn) -> View:
    """Axes that do not overlap in the file, in any order."""
    axes: list[tuple[int, int]] = []
    span = 1
    for count in draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)):
        distance = span + draw(st.sampled_from([0, 0, 1, 3, 40]))
        axes.append((count, distance))
        span += (count - 1) * distance
    strides = tuple(draw(st.permutations(axes)))
    elements = prod(count for count, _ in strides)
    start = draw(st.integers(0, elements))
    return View(strides, span, start, draw(st.integers(start, elements)))


def read(
    stored: npt.NDArray[np.unsignedinteger], strides: Strides, start: int, stop: int
) -> npt.NDArray[np.unsignedinteger]:
    """What ``gather`` makes of a file that holds ``stored``."""
    raw = stored.tobytes()

    def fill(view: memoryview, offset: int) -> None:
        assert 0 <= offset <= len(raw) - len(view)
        view[:] = raw[offset : offset + len(view)]

    buffer = np.empty((stop - start) * stored.itemsize, np.uint8)
    gather(fill, strides, start, buffer, stored.itemsize)
    return buffer.view(stored.dtype)


def expected(
    stored: npt.NDArray[np.unsignedinteger], strides: Strides
) -> npt.NDArray[np.unsignedinteger]:
    counts, distances = zip(*strides, strict=True)
    in_bytes = [distance * stored.itemsize for distance in distances]
    return np.lib.stride_tricks.as_strided(stored, counts, in_bytes).reshape(-1)


@given(views(), st.sampled_from([1, 2, 4, 8]), st.integers(0, 400), st.integers(16, 600))
def test_any_layout_in_any_memory(view: View, width: int, gap: int, scratch: int) -> None:
    stored = np.arange(view.size).astype(f"u{width}")
    limits: dict[str, Any] = {"GAP": gap, "SCRATCH": scratch, "_own": threading.local()}
    with patch.multiple("modeldiff.changes.engine.strided_read", **limits):
        found = read(stored, view.strides, view.start, view.stop)
    np.testing.assert_array_equal(found, expected(stored, view.strides)[view.start : view.stop])


@pytest.mark.parametrize(
    "strides",
    [
        ((300, 2304), (768, 1)),
        ((768, 1), (300, 2304)),
        ((200_000, 2),),
        ((8, 90_000), (30_000, 1)),
        ((30_000, 1), (8, 90_000)),
        ((3, 200_000), (50_000, 4)),
    ],
    ids=["columns", "turned", "interleaved", "heads", "heads turned", "experts interleaved"],
)
def test_layouts_of_real_size(strides: Strides) -> None:
    span = 1 + sum((count - 1) * distance for count, distance in strides)
    stored = np.random.default_rng(1).integers(0, 1 << 16, span, np.uint16)
    wanted = expected(stored, strides)
    for start, stop in ((0, wanted.size), (65_536, 131_072), (777, 778)):
        found = read(stored, strides, start, stop)
        np.testing.assert_array_equal(found, wanted[start:stop])


def test_long_runs_are_read_where_they_belong_and_nothing_beside_them() -> None:
    sizes = []

    def fill(view: memoryview, offset: int) -> None:
        sizes.append((offset, len(view)))

    gather(fill, ((4, 300_000), (100_000, 1)), 0, np.empty(800_000, np.uint8), 2)
    assert sizes == [(600_000 * turn, 200_000) for turn in range(4)]
