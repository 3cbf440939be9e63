"""Sums over the rows of a block, or over their segments: what relative Frobenius is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modeldiff.changes.drilldown.pair_reader import PairReader, Values
from modeldiff.processes.late_dataclass import dataclass

_TINY = 2.0**-90
"""Below this a float32 sum of squares may have lost squares to underflow."""

Counts = npt.NDArray[np.int64]
FloatSums = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockSums:
    """Of the finite elements of each row (or of each segment of it), as [rows, segments].

    ``n`` elements, ``unchanged`` with a == b, sums of a², b² and (b-a)², the largest |b-a|.
    """

    n: Counts
    unchanged: Counts
    base_squared: FloatSums
    target_squared: FloatSums
    delta_squared: FloatSums
    max_abs_delta: FloatSums


def joined(blocks: Sequence[BlockSums]) -> BlockSums:
    """The sums of several blocks' rows, one block after the other, in one segment."""

    def counts(name: str) -> Counts:
        parts = [getattr(block, name) for block in blocks]
        return np.concatenate(parts).astype(np.int64) if parts else np.zeros((0, 1), np.int64)

    def sums(name: str) -> FloatSums:
        parts = [getattr(block, name) for block in blocks]
        return np.concatenate(parts).astype(np.float64) if parts else np.zeros((0, 1))

    return BlockSums(
        counts("n"),
        counts("unchanged"),
        sums("base_squared"),
        sums("target_squared"),
        sums("delta_squared"),
        sums("max_abs_delta"),
    )


def block_sums(reader: PairReader, base: Values, target: Values, edges: Counts) -> BlockSums:
    """The sums of rows that were just read, in segments that begin at the columns ``edges``.

    As in the kernels, squares are added in float32 (pairwise, so that the error is a few units in
    the seventh digit), and where that has no room for them, or a value is not finite, in float64.
    The pair has columns.
    """
    delta = reader.scratch("delta", base.shape)
    squares = reader.scratch("squares", base.shape)
    columns = base.shape[1]
    with np.errstate(all="ignore"):
        np.subtract(target, base, out=delta)
        squared = []
        for values in (base, target, delta):
            np.multiply(values, values, out=squares)
            squared.append(_add(squares, edges).astype(np.float64))
        base_squared, target_squared, delta_squared = squared
        unchanged = _count(delta == 0, edges)
        np.abs(delta, out=delta)
        max_abs_delta = np.maximum.reduceat(delta, edges, axis=1).astype(np.float64)
    n = np.broadcast_to(np.diff(edges, append=columns), unchanged.shape).copy()
    sums = BlockSums(n, unchanged, base_squared, target_squared, delta_squared, max_abs_delta)
    total = base_squared + target_squared + delta_squared
    careful = ~np.isfinite(total) | (base_squared < _TINY) | (target_squared < _TINY)
    careful |= (delta_squared < _TINY) & (unchanged < n)
    for row in np.flatnonzero(careful.any(axis=1)):
        _sum_carefully(sums, int(row), base[row], target[row], edges)
    return sums


def relative_frobenius_pct(
    base_squared: FloatSums, delta_squared: FloatSums, n: Counts
) -> FloatSums:
    """``100 * ||b-a|| / ||a||``; infinite where only a is 0, NaN where nothing is finite or a norm
    is beyond float64."""
    with np.errstate(all="ignore"):
        pct = 100.0 * np.sqrt(delta_squared / base_squared)
    pct[(base_squared == 0) & (delta_squared == 0)] = 0.0
    pct[(n == 0) | ~np.isfinite(base_squared) | ~np.isfinite(delta_squared)] = np.nan
    return pct


def _add(values: Values, edges: Counts) -> Values:
    if len(edges) == 1:
        sums: Values = values.sum(axis=1, keepdims=True)
        return sums
    return np.add.reduceat(values, edges, axis=1)


def _count(true: npt.NDArray[np.bool_], edges: Counts) -> Counts:
    if len(edges) == 1:
        whole: Counts = np.count_nonzero(true, axis=1).reshape(-1, 1).astype(np.int64)
        return whole
    counts: Counts = np.add.reduceat(true, edges, axis=1, dtype=np.int64)
    return counts


def _sum_carefully(sums: BlockSums, row: int, base: Values, target: Values, edges: Counts) -> None:
    """Replaces a row's sums by those of its finite elements, all in float64."""
    finite = np.isfinite(base) & np.isfinite(target)
    a, b = (np.where(finite, values, 0).astype(np.float64) for values in (base, target))
    with np.errstate(all="ignore"):
        delta = b - a
        for column, values in (
            (sums.base_squared, a),
            (sums.target_squared, b),
            (sums.delta_squared, delta),
        ):
            column[row] = np.add.reduceat(values * values, edges)
        sums.max_abs_delta[row] = np.maximum.reduceat(np.abs(delta), edges)
    sums.n[row] = np.add.reduceat(finite, edges, dtype=np.int64)
    sums.unchanged[row] = np.add.reduceat(finite & (a == b), edges, dtype=np.int64)
