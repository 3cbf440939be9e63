"""How much each row of a matrix changed: for an embedding or a head, each token."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modeldiff.changes.change import Pair, ReportProgress
from modeldiff.changes.drilldown.block_sums import BlockSums, block_sums, relative_frobenius_pct
from modeldiff.changes.drilldown.pair_reader import (
    MatrixPair,
    PairReader,
    matrix_pair,
    require_floats,
)
from modeldiff.checkpoints import Checkpoint
from modeldiff.errors import InvalidOption

FAINT = 0.1
"""A row whose values are, root mean square, below this share of the typical row's is faint."""

Numbers = npt.NDArray[np.int64]
FloatColumn = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RowChanges:
    """Each row's change; all arrays have one entry a row.

    ``rel_frobenius_pct`` and ``unchanged_pct`` as in docs/statistics.md, over the row's finite
    elements; NaN where there is none. ``max_abs_delta`` is the largest |b - a|, ``rms_*`` the root
    mean square of each side, ``nonfinite`` the elements left out. ``twins`` numbers the groups of
    rows that are equal bit by bit in base: 0, 1, …; -1 for a row that is like no other.
    """

    rel_frobenius_pct: FloatColumn
    unchanged_pct: FloatColumn
    max_abs_delta: FloatColumn
    rms_base: FloatColumn
    rms_target: FloatColumn
    nonfinite: Numbers
    twins: Numbers

    def __len__(self) -> int:
        return len(self.rel_frobenius_pct)

    def most_moved(self, count: int | None = None) -> Numbers:
        """Row numbers by relative Frobenius, largest first (infinity before all); rows of which
        nothing is finite are left out. All of them without a ``count``."""
        return self._ordered(-self.rel_frobenius_pct, count)

    def least_moved(self, count: int | None = None) -> Numbers:
        """Row numbers by relative Frobenius, smallest first."""
        return self._ordered(self.rel_frobenius_pct, count)

    def faint(self, side: str = "base") -> Numbers:
        """The rows that are nearly zero beside the typical one, as rows of tokens that training
        never met often are. ``side`` is ``base`` or ``target``."""
        rms = self.rms_target if side == "target" else self.rms_base
        typical = np.median(rms[np.isfinite(rms)]) if np.isfinite(rms).any() else 0.0
        return np.flatnonzero(rms < FAINT * typical)

    def alike(self) -> Numbers:
        """The rows that have a twin in base: reserved tokens and padding often share one row."""
        return np.flatnonzero(self.twins >= 0)

    def _ordered(self, by: FloatColumn, count: int | None) -> Numbers:
        order = np.argsort(by, kind="stable")
        return order[: np.count_nonzero(~np.isnan(by))][:count]


def measure_rows(
    pair: Pair,
    base: Checkpoint,
    target: Checkpoint,
    *,
    progress: ReportProgress | None = None,
) -> RowChanges:
    """The change of each row of the pair's matrices (of a vector, each element), in one pass.

    Raises ``InvalidOption`` for a pair that has no rows of floats, and what ``PairReader`` raises.
    """
    matrix = matrix_pair(pair)
    require_floats(matrix)
    if not matrix.columns:
        raise InvalidOption(f"{matrix.base.name} has no elements.", hint="Choose another tensor.")
    whole_row = np.zeros(1, np.int64)

    def act(start: int, stop: int) -> tuple[BlockSums, Numbers]:
        raw = reader.raw(start, stop)
        sums = block_sums(reader, *reader.decoded(*raw), whole_row)
        return sums, np.fromiter(map(zlib.crc32, raw[0]), np.int64, stop - start)

    with PairReader(matrix, base, target, progress) as reader:
        found = list(reader.walk(reader.blocks(), act))
    return _assemble(matrix, [sums for sums, _ in found], [checks for _, checks in found])


def _assemble(matrix: MatrixPair, sums: list[BlockSums], checks: list[Numbers]) -> RowChanges:
    def column(name: str) -> npt.NDArray[np.generic]:
        parts = [getattr(part, name)[:, 0] for part in sums]
        return np.concatenate(parts) if parts else np.zeros(0)

    n, base_squared = column("n").astype(np.int64), column("base_squared").astype(np.float64)
    delta_squared = column("delta_squared").astype(np.float64)
    with np.errstate(all="ignore"):
        rms_base = np.sqrt(base_squared / n)
        rms_target = np.sqrt(column("target_squared").astype(np.float64) / n)
        unchanged = 100.0 * column("unchanged").astype(np.int64) / n
    largest = column("max_abs_delta").astype(np.float64)
    largest[n == 0] = np.nan
    return RowChanges(
        rel_frobenius_pct=relative_frobenius_pct(base_squared, delta_squared, n),
        unchanged_pct=unchanged,
        max_abs_delta=largest,
        rms_base=rms_base,
        rms_target=rms_target,
        nonfinite=matrix.columns - n,
        twins=_twins(np.concatenate(checks) if checks else np.zeros(0, np.int64), base_squared),
    )


def _twins(checks: Numbers, base_squared: FloatColumn) -> Numbers:
    """Groups of rows with one checksum and one sum of squares. Of 256,000 different rows, two
    agree in both by chance in one of some millions of matrices."""
    keys = np.stack([checks, base_squared.view(np.int64)], axis=1)
    _, group, sizes = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    shared = sizes > 1
    numbers = np.where(shared, np.cumsum(shared) - 1, -1)
    return numbers[group].astype(np.int64)
