"""A matrix panel by panel, and what one pass adds up beside the products: a change, or the weights
of base themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from modeldiff.changes.drilldown.pair_reader import MatrixPair, PairReader, Values
from modeldiff.changes.drilldown.spectrum.spectrum import Floats, Matrix, RoundingNoise
from modeldiff.processes.late_dataclass import dataclass


class Totals:
    """Sums over all panels: energies, what was not finite, and what rounding adds."""

    def __init__(self, matrix: MatrixPair) -> None:
        self.energy = self.base_energy = 0.0
        self.nonfinite = 0
        self._noise_energy = 0.0
        self._row_noise = 0.0
        self._column_noise = np.zeros(matrix.columns)

    def noise(self) -> RoundingNoise:
        """What rounding target does to the change."""
        columns = float(self._column_noise.max(initial=0.0))
        return RoundingNoise(self._noise_energy, math.sqrt(self._row_noise) + math.sqrt(columns))

    def add(self, panel: RowPanel) -> None:
        """Of a panel that was measured."""
        self.energy += panel.energy
        self.base_energy += panel.base_energy
        self.nonfinite += panel.nonfinite
        self._noise_energy += float(panel.column_noise.sum())
        self._row_noise = max(self._row_noise, panel.row_noise)
        self._column_noise += panel.column_noise


@dataclass(frozen=True, eq=False)
class RowPanel:
    """Some rows of the matrix, and what they add to the totals."""

    start: int
    values: Values
    energy: float
    base_energy: float
    nonfinite: int
    row_noise: float
    column_noise: Floats


def panels(
    reader: PairReader, size: int, totals: Totals | None = None, *, of: Matrix = "change"
) -> Iterator[RowPanel]:
    """The matrix ``of`` the pair in one pass, in panels of whole rows with about ``size`` elements;
    the totals are added to if given."""

    def act(start: int, stop: int) -> RowPanel:
        return _panel(reader, start, stop, of, measured=totals is not None)

    for panel in reader.walk(reader.blocks(size), act):
        if totals is not None:
            totals.add(panel)
        yield panel


def _panel(reader: PairReader, start: int, stop: int, of: Matrix, *, measured: bool) -> RowPanel:
    base, target = reader.rows(start, stop)
    types = reader.matrix.types
    with np.errstate(all="ignore"):
        # Base stands in a buffer that the next rows are read into.
        matrix = target - base if of == "change" else base.copy()
    stored, significand = (
        (target, types.target.significand) if of == "change" else (base, types.base.significand)
    )
    # A change is finite where both sides are.
    finite = np.isfinite(matrix)
    nonfinite = finite.size - int(np.count_nonzero(finite))
    if nonfinite:
        for values in (matrix, base, target):
            values[~finite] = 0
    if not measured:
        return RowPanel(start, matrix, 0.0, 0.0, nonfinite, 0.0, np.zeros(0))
    energy, base_energy = _energy(matrix), _energy(base)
    with np.errstate(all="ignore"):
        squared = _step_squared(stored, significand)
        rows = squared.sum(axis=1, dtype=np.float64)
        columns = squared.sum(axis=0, dtype=np.float64)
    return RowPanel(
        start,
        matrix,
        energy,
        base_energy,
        nonfinite,
        float(rows.max(initial=0.0)) / 12,
        columns / 12,
    )


def _energy(values: Values) -> float:
    """The sum of squares."""
    return float(np.square(values).sum(axis=1).sum(dtype=np.float64))


def _step_squared(values: Values, significand: int) -> Values:
    """The square of the last place of each value's significand; 0 for 0."""
    if values.dtype == np.float64:
        powers: Values = (values.view(np.uint64) & np.uint64(0x7FF0 << 48)).view(np.float64)
    else:
        powers = (values.view(np.uint32) & np.uint32(0x7F800000)).view(np.float32)
    powers *= 2.0 ** (1 - significand)
    squared: Values = np.multiply(powers, powers, out=powers)
    return squared
