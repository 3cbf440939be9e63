"""The change of a matrix as an image: relative Frobenius of at most 512 × 512 blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modeldiff.changes.change import Pair, ReportProgress
from modeldiff.changes.drilldown.block_sums import block_sums, relative_frobenius_pct
from modeldiff.changes.drilldown.pair_reader import (
    PairReader,
    matrix_pair,
    require_floats,
)
from modeldiff.checkpoints import Checkpoint
from modeldiff.errors import InvalidOption
from modeldiff.processes.late_dataclass import dataclass

MOST_IMAGE_BLOCKS = 512
"""Blocks along a side."""


@dataclass(frozen=True, eq=False)
class ChangeImage:
    """``pct[i, j]``: the relative Frobenius change in percent of block (i, j), as float32.

    Block row i begins at matrix row ``i * rows // height``, block column j at column
    ``j * columns // width``; ``rows`` × ``columns`` is the matrix as stored. Infinite where base is
    zero and target is not, NaN where nothing is finite.
    """

    pct: npt.NDArray[np.float32]
    rows: int
    columns: int

    @property
    def height(self) -> int:
        """Blocks from top to bottom."""
        return int(self.pct.shape[0])

    @property
    def width(self) -> int:
        """Blocks from left to right."""
        return int(self.pct.shape[1])


def measure_image(
    pair: Pair,
    base: Checkpoint,
    target: Checkpoint,
    *,
    blocks: int = MOST_IMAGE_BLOCKS,
    progress: ReportProgress | None = None,
) -> ChangeImage:
    """The image of at most ``blocks`` × ``blocks``, in one pass. A small matrix has one block an
    element.

    Raises ``InvalidOption`` for a pair without elements or not of floats, and what ``PairReader``
    raises.
    """
    matrix = matrix_pair(pair)
    require_floats(matrix)
    if not matrix.rows or not matrix.columns:
        raise InvalidOption(f"{matrix.base.name} has no elements.", hint="Choose another tensor.")
    height, width = min(blocks, matrix.rows), min(blocks, matrix.columns)
    edges = _edges(matrix.columns, width)
    starts = _edges(matrix.rows, height)
    total = np.zeros((3, height, width))

    def act(start: int, stop: int) -> tuple[int, npt.NDArray[np.float64]]:
        """The first block row that these rows are in, and what they add to it and the next."""
        one, other = reader.rows(start, stop)
        sums = block_sums(reader, one, other, edges)
        first, last = np.searchsorted(starts, [start, stop - 1], side="right") - 1
        within = np.maximum(starts[first : last + 1] - start, 0)
        parts = (sums.base_squared, sums.delta_squared, sums.n)
        return int(first), np.stack([np.add.reduceat(part, within, axis=0) for part in parts])

    with PairReader(matrix, base, target, progress) as reader:
        for first, part in reader.walk(reader.blocks(), act):
            total[:, first : first + part.shape[1]] += part
    pct = relative_frobenius_pct(total[0], total[1], total[2].astype(np.int64))
    with np.errstate(over="ignore"):
        return ChangeImage(pct.astype(np.float32), matrix.rows, matrix.columns)


def _edges(size: int, parts: int) -> npt.NDArray[np.int64]:
    return np.arange(parts, dtype=np.int64) * size // parts
