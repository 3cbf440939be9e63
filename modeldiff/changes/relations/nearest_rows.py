"""Which row of base each of target's is like: that in its place, or the one that is plainly it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from modeldiff.changes.relations.sampling import RowIndices, SampledValues

_ALIKE = 0.9
"""Rows with at least this cosine, about the mean row, are one: at a change of 45 % it is less."""
NO_ROW = -1
_MARGIN = 0.1
"""By so much a row is less like any other."""
_AT_ONCE = 1 << 22
"""So many cosines stand in memory at a time."""
_FEW = 8
"""So many rows are looked for first: where most of these are not found, no others are."""

_Directions = npt.NDArray[np.float32]


class Directions:
    """Rows less their mean, of length 1; zero where nothing is left. Made of those that are asked
    for, as most rows stand in their place and are compared with no other."""

    def __init__(self, rows: SampledValues) -> None:
        """``rows`` are [rows, run]."""
        most, least = rows.max(initial=0.0), rows.min(initial=0.0)
        self._scaled = rows / (float(np.maximum(most, -least)) or 1.0)
        self._mean = self._scaled.mean(axis=0)

    def of(self, numbers: RowIndices) -> _Directions:
        """Those of the rows with these ``numbers``."""
        return _of_length_1(self._scaled[numbers] - self._mean)

    @cached_property
    def all(self) -> _Directions:
        """Those of all rows."""
        return _of_length_1(self._scaled - self._mean)


def nearest_rows(
    base: Directions, target: SampledValues, at: RowIndices, least: float
) -> RowIndices | None:
    """For each of target's rows ``at`` the one row of base that is like it: that in its place, or
    the likest of all; -1 where none or several are, and for all that are not in place where not
    even half of a few are like one. None, and nothing is looked for, where fewer than ``least`` are
    not in place."""
    theirs = Directions(target).all
    in_place = np.einsum("ij,ij->i", base.of(at), theirs) >= _ALIKE
    left = np.flatnonzero(~in_place)
    if len(left) < least:
        return None
    origins = np.where(in_place, at, NO_ROW)
    few = left[np.linspace(0, len(left) - 1, min(_FEW, len(left)), dtype=np.int64)]
    if np.count_nonzero(_plain(base.all, theirs[few]) != NO_ROW) < max(len(few) / 2, 1):
        return origins
    step = max(_AT_ONCE // len(base.all), 1)
    for start in range(0, len(left), step):
        some = left[start : start + step]
        origins[some] = _plain(base.all, theirs[some])
    return origins


def _plain(ours: _Directions, theirs: _Directions) -> RowIndices:
    """For each of ``theirs`` the one of ``ours`` that is plainly it, else -1."""
    # A few rows by NumPy's own loops: its threads cost more than they save.
    few = len(theirs) <= _FEW
    cosines = np.einsum("ij,kj->ik", theirs, ours) if few else theirs @ ours.T
    rows = np.arange(len(cosines))
    best = cosines.argmax(axis=1)
    likeness = cosines[rows, best]
    cosines[rows, best] = -1.0
    plain = (likeness >= _ALIKE) & (cosines.max(axis=1) <= likeness - _MARGIN)
    return np.where(plain, best, NO_ROW)


def _of_length_1(rows: SampledValues) -> _Directions:
    """The rows, which nobody else has, each by its length; zero where it has none."""
    directions = rows.astype(np.float32, copy=False)
    lengths = np.sqrt(np.einsum("ij,ij->i", directions, directions))
    none = ~(lengths > 0)
    lengths[none] = 1.0
    directions /= lengths[:, None]
    directions[none] = 0.0
    return directions
