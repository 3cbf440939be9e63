"""The singular values of a change, or of base's own weights: all of them where the matrix allows
it, else the leading ones.

===============  =================================================================================
method           when, and how far it is off
===============  =================================================================================
``lapack``       up to 1024 on the smaller side: LAPACK's gesdd in float64
``gram``         up to ``Algebra.side``: the root of the eigenvalues of DᵀD (or DDᵀ), formed in
                 float64; values below about 1e-6 of the largest drown in rounding
``randomized``   beyond: block subspace iteration from random vectors (Halko, Martinsson and Tropp,
                 "Finding structure with randomness", 2011), which reads the pair several times
                 and holds only the vectors. Each Ritz value θ with residual ρ has a true eigenvalue
                 of DᵀD within ρ (Parlett, "The symmetric eigenvalue problem", theorem 4.5.1), and
                 is never above the true one of its rank; the error follows from the largest ρ
``factors``      where one side is an adapter on the other: QR of the update's factors in float64
===============  =================================================================================

The first three compute D = target − base element by element in the working type, which is off by
at most 2⁻²⁴ of each element; of weights D is base.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from modeldiff.changes.change import Pair, ReportProgress
from modeldiff.changes.drilldown.pair_reader import (
    MatrixPair,
    PairReader,
    matrix_pair,
    require_floats,
)
from modeldiff.changes.drilldown.spectrum.known_update import (
    known_update,
    update_on,
    update_spectrum,
)
from modeldiff.changes.drilldown.spectrum.linear_algebra import Algebra
from modeldiff.changes.drilldown.spectrum.numpy_linear_algebra import NumpyAlgebra
from modeldiff.changes.drilldown.spectrum.panels import Totals, panels
from modeldiff.changes.drilldown.spectrum.rank_check import (
    MOST_PASSES,
    PASSES,
    ranks_to_try,
    rounding_of_updates,
)
from modeldiff.changes.drilldown.spectrum.select import algebra_for
from modeldiff.changes.drilldown.spectrum.spectrum import Floats, Matrix, SingularValues
from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.recipes.adapted.without_update import without_update
from modeldiff.errors import InvalidOption
from modeldiff.processes.late_dataclass import dataclass

_SMALL_SIDE = 1024
_SMALL_FLOPS = 4e9
_PANEL = 1 << 22
"""Elements that a product takes at once."""
_LEADING = 128
"""How many values are kept where not all are computed."""
_OVERSAMPLING = 32
_ITERATIONS = 4


@dataclass(frozen=True)
class Plan:
    """How a matrix's singular values will be computed, and how often that reads the pair. Where
    they look like those of a low-rank update, trying that reads it up to ``trial_passes`` times
    more.

    On two cores a ``small`` one takes about a second, another ``exact`` one up to 30, and one that
    is not (the leading values only) half a minute a gigabyte of either side.
    """

    exact: bool
    small: bool
    passes: int
    trial_passes: int = MOST_PASSES


def measure_singular_values(
    pair: Pair,
    base: Checkpoint,
    target: Checkpoint,
    *,
    of: Matrix = "change",
    device: str = "auto",
    progress: ReportProgress | None = None,
) -> SingularValues:
    """The singular values of target − base, for a matrix of floats; ``of`` the "weights", those of
    base, which ``target`` may be as well.

    A device whose memory is full leaves the work to the CPU.

    Raises ``InvalidOption`` for a pair that is none or a device that is not here, and what
    ``PairReader`` raises.
    """
    matrix = matrix_pair(pair)
    require_floats(matrix)
    if len(matrix.base.shape) != 2 or not matrix.rows or not matrix.columns:
        raise InvalidOption(
            f"{matrix.base.name} is no matrix: its shape is {list(matrix.base.shape)}.",
            hint="Singular values are those of a matrix; choose one.",
        )
    algebra = algebra_for(device)
    try:
        return _measured(matrix, base, target, of, algebra, progress)
    except RuntimeError as error:  # torch's OutOfMemoryError is one
        if isinstance(algebra, NumpyAlgebra):
            raise
        from modeldiff.changes.backends.device_memory import is_out_of_memory  # brings torch

        if not is_out_of_memory(error):
            raise
    # Other processes fill the device's memory, and the CPU can do it too.
    return _measured(matrix, base, target, of, NumpyAlgebra(), progress)


def _measured(
    matrix: MatrixPair,
    base: Checkpoint,
    target: Checkpoint,
    of: Matrix,
    algebra: Algebra,
    progress: ReportProgress | None,
) -> SingularValues:
    update = known_update(matrix, base, target) if of == "change" else None
    if update is not None:
        with PairReader(matrix, base, target, progress) as reader:
            return update_spectrum(reader, update, _PANEL)
    plan = plan_for(matrix, algebra)
    with PairReader(matrix, base, target, progress, passes=plan.passes) as reader:
        by_size = _exact if plan.exact else _randomized
        found = by_size(reader, algebra, plan, of)
    lossy = matrix.base.lossy or matrix.target.lossy
    if found.possible_fit is None or lossy:  # what a lossy type adds is no rounding to steps
        return found
    ranks = ranks_to_try(found.values, found.possible_fit)
    passes = PASSES * (1 + len(ranks))
    with PairReader(matrix, base, target, progress, passes=passes) as reader:
        return replace(found, trials=rounding_of_updates(reader, algebra, ranks, _PANEL))


def spectrum_plan(pair: Pair) -> Plan:
    """How the singular values of this pair will be computed on a CPU, from its shape alone.

    Raises ``InvalidOption`` for a pair that cannot be measured.
    """
    matrix = matrix_pair(pair)
    if any(
        len(side.shape) == 2 and update_on(side) and without_update(side) == other
        for side, other in ((matrix.base, matrix.target), (matrix.target, matrix.base))
    ):
        return Plan(exact=True, small=True, passes=1, trial_passes=0)  # from the factors
    return plan_for(matrix, NumpyAlgebra())


def plan_for(matrix: MatrixPair, algebra: Algebra) -> Plan:
    """All values where that takes seconds, by size."""
    side = min(matrix.rows, matrix.columns)
    flops = float(matrix.rows) * matrix.columns * side
    if side <= _SMALL_SIDE and flops <= _SMALL_FLOPS:
        return Plan(exact=True, small=True, passes=1)
    if side <= algebra.side and flops <= algebra.flops:
        return Plan(exact=True, small=False, passes=1)
    return Plan(exact=False, small=False, passes=_ITERATIONS + 1)


def _exact(reader: PairReader, algebra: Algebra, plan: Plan, of: Matrix) -> SingularValues:
    """All of them. A wide matrix is in memory as a whole, in the working type."""
    matrix = reader.matrix
    totals = Totals(matrix)
    tall = matrix.rows >= matrix.columns
    whole = (
        None if tall and not plan.small else np.empty((matrix.rows, matrix.columns), matrix.working)
    )
    gram = None
    for panel in panels(reader, _PANEL, totals, of=of):
        if whole is not None:
            whole[panel.start : panel.start + len(panel.values)] = panel.values
        else:
            gram = algebra.add_gram(gram, panel.values)
    side = min(matrix.rows, matrix.columns)
    rounding = 2.0**-24 * math.sqrt(totals.energy)
    if plan.small and whole is not None:
        reader.report("singular values")
        values = np.linalg.svd(whole.astype(np.float64), compute_uv=False)
        return _spectrum(reader, totals, values, of, error=rounding, method="lapack")
    if whole is not None:
        step = max(_PANEL // matrix.rows, 1)
        for start in range(0, matrix.columns, step):
            reader.report("Gram matrix")
            gram = algebra.add_gram(gram, np.ascontiguousarray(whole[:, start : start + step].T))
    reader.report("singular values")
    squares = algebra.eigenvalues(gram)[::-1]
    values = np.sqrt(np.maximum(squares, 0.0))
    error = float(values[0]) * math.sqrt(side * np.finfo(np.float64).eps) + rounding
    return _spectrum(reader, totals, values, of, error=error, method="gram")


def _randomized(reader: PairReader, algebra: Algebra, plan: Plan, of: Matrix) -> SingularValues:
    """The leading ones, by subspace iteration on DᵀD: a pass multiplies the vectors by it once."""
    del plan
    matrix = reader.matrix
    width = min(_LEADING + _OVERSAMPLING, matrix.rows, matrix.columns)
    vectors = np.random.default_rng(0).standard_normal((matrix.columns, width))
    for _ in range(_ITERATIONS):
        vectors = np.linalg.qr(_multiplied(reader, algebra, vectors, of))[0]
    totals = Totals(matrix)
    product = _multiplied(reader, algebra, vectors, of, totals)
    ritz, turn = np.linalg.eigh((vectors.T @ product + product.T @ vectors) / 2)
    ritz, turn = np.maximum(ritz[::-1][:_LEADING], 0.0), turn[:, ::-1][:, :_LEADING]
    residual = np.linalg.norm(product @ turn - (vectors @ turn) * ritz, axis=0)
    values = np.sqrt(ritz)
    error = float((np.sqrt(ritz + residual) - values).max(initial=0.0))
    error += 2e-6 * float(values[0])
    return _spectrum(reader, totals, values, of, error=error, method="randomized")


def _multiplied(
    reader: PairReader,
    algebra: Algebra,
    vectors: Floats,
    of: Matrix,
    totals: Totals | None = None,
) -> Floats:
    """DᵀD times the vectors."""
    total = None
    sent = algebra.sent(vectors)
    for panel in panels(reader, _PANEL, totals, of=of):
        total = algebra.add_power(total, panel.values, sent)
    return algebra.fetched(total)


def _spectrum(
    reader: PairReader,
    totals: Totals,
    values: Floats,
    of: Matrix,
    *,
    error: float,
    method: Literal["lapack", "gram", "randomized"],
) -> SingularValues:
    matrix = reader.matrix
    return SingularValues(
        values=np.ascontiguousarray(values),
        rows=matrix.rows,
        columns=matrix.columns,
        energy=totals.energy,
        base_energy=totals.base_energy,
        noise=totals.noise(),
        exact=method != "randomized",
        error=error,
        method=method,
        nonfinite=totals.nonfinite,
        of=of,
    )
