"""A low-rank update on a weight, rounded as ``merge_and_unload`` of PEFT rounds it.

``W + scale · B A`` (Hu et al., "LoRA", 2021) is computed in float32 and rounded once, to the
weight's type; of embeddings and of parameters that are updated directly, PEFT rounds the change
first. With magnitudes (Liu et al., "DoRA", 2024) the sum is scaled so that the weights of each
output have the norm that was trained.
"""

from __future__ import annotations

import threading

import numpy as np

from modeldiff.checkpoints.recipes.floats import FloatArray, read_floats, rounded, write_floats
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass

MOST_HELD = 1 << 25
"""Elements of a factor that may be in memory at once: 128 MiB."""
_TILE = 1 << 16
"""About so many elements are computed at once, in tiles that begin where the matrix does: a value
must not depend on how it was asked for, and the order of a product's sum may depend on its size."""
_ROWS, _LEAST_COLUMNS = 16, 16
_PRODUCT = 1 << 17
"""Multiplications of one product of BLAS: below its bound for threads of its own, which would be in
each other's way beside those that measure."""


@dataclass(frozen=True)
class Factor:
    """One side of the product: ``tensor`` holds ``parts`` matrices of ``rank`` vectors, stacked.

    ``across``: the rank runs along the last dimension, as in B, and of several parts the parts run
    fastest there; otherwise it runs along the first, as in A, part by part.
    """

    tensor: TensorInfo
    rank: int
    parts: int
    across: bool

    @property
    def length(self) -> int:
        """Elements of each of the vectors."""
        return self.tensor.elements // (self.rank * self.parts)

    def vectors(self, read: Fill) -> FloatArray:
        """The vectors of all parts in float32: ``parts`` × ``rank`` × ``length``."""
        values = read_floats(read, self.tensor).astype(np.float32, copy=False)
        if self.across:
            return values.reshape(self.length, self.rank, self.parts).transpose(2, 1, 0)
        return values.reshape(self.parts, self.rank, self.length)


@dataclass(frozen=True)
class LowRankUpdate:
    """The recipe of ``base`` (a matrix, or ``parts`` of them stacked) with an update.

    ``rows`` and ``columns`` are the factors: the update's rows go along the vectors of the former.
    ``scale`` multiplies their product. ``magnitude`` are DoRA's norms, one an output; outputs are
    rows, or columns where ``turned``. ``rounds_update``: the change is rounded to base's type
    before it is added.
    """

    base: TensorInfo
    rows: Factor
    columns: Factor
    scale: float
    magnitude: TensorInfo | None = None
    turned: bool = False
    rounds_update: bool = False

    grain = 1

    @property
    def rank(self) -> int:
        """The largest rank that the update can have."""
        return self.rows.rank

    @property
    def words(self) -> str:
        """``LoRA, rank 16``."""
        return f"{'LoRA' if self.magnitude is None else 'DoRA'}, rank {self.rank}"

    @property
    def stored(self) -> str:
        """As base: it is what a merged model stores."""
        return self.base.dtype

    @property
    def lossy(self) -> bool:
        """As base's own recipe."""
        return self.base.lossy

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """Base, the factors and the magnitudes."""
        factors = (self.base, self.rows.tensor, self.columns.tensor)
        return factors if self.magnitude is None else (*factors, self.magnitude)

    def open(self, read: Fill) -> _Merger:
        """Reads the factors; with magnitudes by column, base too, once."""
        return _Merger(self, read)


class _Merger:
    def __init__(self, recipe: LowRankUpdate, read: Fill) -> None:
        self._recipe, self._read = recipe, read
        *_, self._height, self._width = recipe.base.shape
        groups = max(_TILE // (max(self._width, 1) * _ROWS), 1)
        self._step = groups * _ROWS
        self._rows = _row_groups(recipe.rows.vectors(read))
        self._columns = _column_groups(recipe.columns.vectors(read))
        self._last = threading.local()
        """The tile that each thread made last: ranges that follow each other share one."""
        self._factors: FloatArray | None = None
        if recipe.magnitude is not None:
            magnitude = read_floats(read, recipe.magnitude)
            self._factors = magnitude.astype(np.float32) / self._norms()

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last`` of the merged weight."""
        width, kind = self._width, self._recipe.base.values
        size = len(out) // (last - first)
        row, stop = first // width, -(-last // width)
        while row < stop:
            top, values = self._merged_tile(row)
            flat = values.reshape(-1)
            low, high = max(first, top * width), min(last, (top + len(values)) * width)
            own = flat[low - top * width : high - top * width]
            write_floats(own, kind, out[(low - first) * size : (high - first) * size])
            row = top + len(values)

    def _merged_tile(self, row: int) -> tuple[int, FloatArray]:
        """The tile that a row of the whole stack is in, and its first row."""
        part, within = divmod(row, self._height)
        start = within - within % self._step
        top = part * self._height + start
        kept: tuple[int, FloatArray] | None = getattr(self._last, "tile", None)
        if kept is not None and kept[0] == top:
            return kept
        total = self._sum(part, start)
        if self._factors is not None:
            end = start + len(total)
            total *= self._factors if self._recipe.turned else self._factors[start:end, None]
        self._last.tile = top, total
        return top, total

    def _sum(self, part: int, start: int) -> FloatArray:
        """Base and the change, unrounded, of the tile of a part that begins at a row."""
        recipe, stop = self._recipe, min(start + self._step, self._height)
        with np.errstate(all="ignore"):  # what is broken in a file is shown, not warned of
            change = self._product(part, start, stop)
            change *= np.float32(recipe.scale)
            if recipe.rounds_update:
                change = rounded(change, recipe.base.values)
            first = (part * self._height + start) * self._width
            weights = read_floats(self._read, recipe.base, first, change.size)
            weights = weights.reshape(change.shape)
            weights += change
        return weights

    def _product(self, part: int, start: int, stop: int) -> FloatArray:
        """Rows of the product of a part's factors."""
        groups = self._rows[part, start // _ROWS : -(-stop // _ROWS)]
        products = groups[:, None] @ self._columns[part]  # groups × blocks × 16 × columns
        whole = products.transpose(0, 2, 1, 3).reshape(len(groups) * _ROWS, -1)
        return np.ascontiguousarray(whole[: stop - start, : self._width])

    def _norms(self) -> FloatArray:
        """The norm of the sum's weights of each output."""
        squares: list[FloatArray] = []
        total = np.zeros(self._width)
        for start in range(0, self._height, self._step):
            tile = self._sum(0, start).astype(np.float64)
            with np.errstate(all="ignore"):
                if self._recipe.turned:
                    total += np.einsum("ij,ij->j", tile, tile)
                else:
                    squares.append(np.einsum("ij,ij->i", tile, tile))
        whole = total if self._recipe.turned else np.concatenate(squares or [total[:0]])
        norms: FloatArray = np.sqrt(whole).astype(np.float32)
        return norms


def _row_groups(vectors: FloatArray) -> FloatArray:
    """Rows by sixteen, filled up with zeros: parts × groups × 16 × rank."""
    parts, rank, length = vectors.shape
    padded = np.zeros((parts, -(-length // _ROWS) * _ROWS, rank), np.float32)
    padded[:, :length] = vectors.transpose(0, 2, 1)
    return padded.reshape(parts, -1, _ROWS, rank)


def _column_groups(vectors: FloatArray) -> FloatArray:
    """Columns in blocks, filled up with zeros: parts × blocks × rank × columns."""
    parts, rank, length = vectors.shape
    width = min(max(_PRODUCT // (_ROWS * rank), _LEAST_COLUMNS), -(-length // 16) * 16)
    blocks = -(-length // width)
    padded = np.zeros((parts, rank, blocks * width), np.float32)
    padded[:, :, :length] = vectors
    return np.ascontiguousarray(padded.reshape(parts, rank, blocks, width).transpose(0, 2, 1, 3))


def update_factors(
    recipe: LowRankUpdate, read: Fill, first: tuple[int, int], shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """The factors of a part of an update in float64, rows × rank and rank × columns: their product
    is the change, unrounded and before any magnitude, of ``shape`` rows and columns from the
    ``first`` row (of all parts) and column on."""
    part, row = divmod(first[0], recipe.rows.length)
    rows = recipe.rows.vectors(read)[part][:, row : row + shape[0]]
    columns = recipe.columns.vectors(read)[part][:, first[1] : first[1] + shape[1]]
    return rows.T.astype(np.float64) * recipe.scale, columns.astype(np.float64)
