"""How much each row of a matrix changed: for an embedding or a head, each token."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from modeldiff.changes.change import Pair, ReportProgress
from modeldiff.changes.drilldown.block_sums import (
    BlockSums,
    block_sums,
    joined,
    relative_frobenius_pct,
)
from modeldiff.changes.drilldown.pair_reader import (
    PairReader,
    matrix_pair,
    require_floats,
)
from modeldiff.changes.shared_rows import row_numbers
from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.selected_rows import SelectedRows, select_rows
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import InvalidOption
from modeldiff.processes.late_dataclass import dataclass

FAINT = 0.1
"""A row whose values are, root mean square, below this share of the typical row's is faint."""

Numbers = npt.NDArray[np.int64]
FloatColumn = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LoneRows:
    """Rows that one side alone has: their ``numbers`` there, the ``rms`` of their finite elements
    (NaN where there is none), and as ``twins`` the groups of those that are equal bit by bit, as in
    ``RowChanges``."""

    numbers: Numbers
    rms: FloatColumn
    twins: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def filling(self) -> Numbers:
        """Which of them, by their place in ``numbers``, only fill the matrix up, as far as values
        tell: they are zero, or equal to another one."""
        return np.flatnonzero((self.rms == 0) | (self.twins >= 0))


@dataclass(frozen=True, eq=False)
class RowChanges:
    """Each row's change; all arrays have one entry a row that was compared.

    ``rel_frobenius_pct`` and ``unchanged_pct`` as in docs/statistics.md, over the row's finite
    elements; NaN where there is none. ``max_abs_delta`` is the largest |b - a|, ``rms_*`` the root
    mean square of each side, ``nonfinite`` the elements left out. ``twins`` numbers the groups of
    rows that are equal bit by bit in base: 0, 1, …; -1 for a row that is like no other.

    ``base_rows`` and ``target_rows`` are the rows' numbers on each side; ``dropped`` are the rows
    that only base has, ``new`` those of target.
    """

    rel_frobenius_pct: FloatColumn
    unchanged_pct: FloatColumn
    max_abs_delta: FloatColumn
    rms_base: FloatColumn
    rms_target: FloatColumn
    nonfinite: Numbers
    twins: Numbers
    base_rows: Numbers
    target_rows: Numbers
    dropped: LoneRows
    new: LoneRows

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
    sums, twins, columns = _row_sums(pair, base, target, progress)
    ours, theirs = row_numbers(pair)
    n = sums.n[:, 0]
    with np.errstate(all="ignore"):
        rms_base = np.sqrt(sums.base_squared[:, 0] / n)
        rms_target = np.sqrt(sums.target_squared[:, 0] / n)
        unchanged = 100.0 * sums.unchanged[:, 0] / n
    largest = sums.max_abs_delta[:, 0].copy()
    largest[n == 0] = np.nan
    return RowChanges(
        rel_frobenius_pct=relative_frobenius_pct(
            sums.base_squared[:, 0], sums.delta_squared[:, 0], n
        ),
        unchanged_pct=unchanged,
        max_abs_delta=largest,
        rms_base=rms_base,
        rms_target=rms_target,
        nonfinite=columns - n,
        twins=twins,
        base_rows=ours,
        target_rows=theirs,
        dropped=_lone_rows(pair, pair.base, ours, base),
        new=_lone_rows(pair, pair.target, theirs, target),
    )


def _lone_rows(
    pair: Pair, tensor: TensorInfo | None, shared: Numbers, checkpoint: Checkpoint
) -> LoneRows:
    """The rows of a side's stored tensor that are not among those compared."""
    nothing = np.zeros(0, np.int64)
    recipe = tensor.recipe if tensor is not None else None
    if not isinstance(recipe, SelectedRows):
        return LoneRows(nothing, np.zeros(0), nothing)
    numbers = np.setdiff1d(np.arange(recipe.tensor.shape[0]), shared)
    if not numbers.size:
        return LoneRows(nothing, np.zeros(0), nothing)
    view = select_rows(recipe.tensor, numbers)
    alone = Pair(pair.place, "compared", view, view)
    sums, twins, _ = _row_sums(alone, checkpoint, checkpoint, None)
    with np.errstate(all="ignore"):
        rms = np.sqrt(sums.base_squared[:, 0] / sums.n[:, 0])
    return LoneRows(numbers, rms, twins)


def _row_sums(
    pair: Pair, base: Checkpoint, target: Checkpoint, progress: ReportProgress | None
) -> tuple[BlockSums, Numbers, int]:
    """The sums of each row, the groups of rows that are equal in base, and the columns."""
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
        blocks = list(reader.walk(reader.blocks(), act))
    sums = joined([part for part, _ in blocks])
    checks = np.concatenate([part for _, part in blocks]) if blocks else np.zeros(0, np.int64)
    return sums, _twins(checks, sums.base_squared[:, 0].copy()), matrix.columns


def _twins(checks: Numbers, base_squared: FloatColumn) -> Numbers:
    """Groups of rows with one checksum and one sum of squares. Of 256,000 different rows, two
    agree in both by chance in one of some millions of matrices."""
    keys = np.stack([checks, base_squared.view(np.int64)], axis=1)
    _, group, sizes = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    shared = sizes > 1
    numbers = np.where(shared, np.cumsum(shared) - 1, -1)
    return numbers[group].astype(np.int64)
