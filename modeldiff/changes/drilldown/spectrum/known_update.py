"""The singular values of an update whose factors are at hand: exact, and its rank is known.

With QR of both factors, ``B = Q₁R₁`` and ``Aᵀ = Q₂R₂``, the product ``BA = Q₁(R₁R₂ᵀ)Q₂ᵀ`` has the
singular values of the small matrix in the middle (Golub and Van Loan, "Matrix computations", 2013,
chapter 5).
"""

from __future__ import annotations

import numpy as np

from modeldiff.changes.drilldown.pair_reader import MatrixPair, PairReader
from modeldiff.changes.drilldown.spectrum.panels import Totals, panels
from modeldiff.changes.drilldown.spectrum.spectrum import Floats, SingularValues
from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.recipes.low_rank import LowRankUpdate, update_factors


def known_update(
    matrix: MatrixPair, base: Checkpoint, target: Checkpoint
) -> tuple[int, LowRankUpdate] | None:
    """The low-rank update that is all the difference of a pair, and the side that it is on (0 for
    base, 1 for target): where one checkpoint is an adapter on the other. None where it is not, and
    with magnitudes, which are no low-rank update."""
    sides = (matrix.base, base), (matrix.target, target)
    for side in (1, 0):
        (own, adapted), (other, plain) = sides[side], sides[1 - side]
        recipe, adapter = own.recipe, adapted.adapter
        if adapter is None or adapter.base_fingerprint != plain.fingerprint:
            continue
        if isinstance(recipe, LowRankUpdate) and recipe.magnitude is None and recipe.base == other:
            return side, recipe
    return None


def update_spectrum(
    reader: PairReader, side: int, recipe: LowRankUpdate, size: int
) -> SingularValues:
    """All singular values of the update, before it was rounded. ``size``: elements of a panel. The
    pair is read once, for base's norm and for what rounding adds."""
    totals = Totals(reader.matrix)
    for _ in panels(reader, size, totals):
        pass
    rows, columns = update_factors(recipe, reader.reading(side))
    left, right = _triangle(rows), _triangle(columns.T)
    values = np.linalg.svd(left @ right.T, compute_uv=False)
    largest = float(values[0]) if values.size else 0.0
    return SingularValues(
        values=np.ascontiguousarray(values),
        rows=reader.matrix.rows,
        columns=reader.matrix.columns,
        energy=float(np.square(values).sum()),
        base_energy=totals.base_energy,
        noise=totals.noise(),
        exact=True,
        error=largest * float(np.finfo(np.float64).eps) * max(reader.matrix.rows, recipe.rank),
        method="factors",
        nonfinite=totals.nonfinite,
        known_rank=recipe.rank,
    )


def _triangle(factor: Floats) -> Floats:
    """R of a thin QR."""
    triangle: Floats = np.linalg.qr(factor)[1]
    return triangle
