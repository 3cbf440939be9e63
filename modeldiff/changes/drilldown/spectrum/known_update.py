"""The singular values of an update whose factors are at hand: exact, and its rank is known.

With QR of both factors, ``B = Q₁R₁`` and ``Aᵀ = Q₂R₂``, the product ``BA = Q₁(R₁R₂ᵀ)Q₂ᵀ`` has the
singular values of the small matrix in the middle (Golub and Van Loan, "Matrix computations", 2013,
chapter 5).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from modeldiff.changes.drilldown.pair_reader import MatrixPair, PairReader
from modeldiff.changes.drilldown.spectrum.panels import Totals, panels
from modeldiff.changes.drilldown.spectrum.spectrum import Floats, SingularValues
from modeldiff.checkpoints import Checkpoint, TensorInfo
from modeldiff.checkpoints.recipes.adapted.low_rank import LowRankUpdate, update_factors
from modeldiff.checkpoints.recipes.adapted.without_update import without_update
from modeldiff.checkpoints.recipes.element_slice import ElementSlice


class KnownUpdate(NamedTuple):
    """The update on one ``side`` (0 for base, 1 for target): a part of ``recipe``'s that begins at
    the row and column ``first``."""

    side: int
    recipe: LowRankUpdate
    first: tuple[int, int]


def known_update(matrix: MatrixPair, base: Checkpoint, target: Checkpoint) -> KnownUpdate | None:
    """The low-rank update that is all the difference of a pair: where one checkpoint is an adapter
    on the other. None where it is not, and with magnitudes, which are no low-rank update."""
    sides = (matrix.base, base), (matrix.target, target)
    for side in (1, 0):
        (own, adapted), (other, plain) = sides[side], sides[1 - side]
        adapter, update = adapted.adapter, update_on(own)
        if adapter is None or adapter.base_fingerprint != plain.fingerprint or update is None:
            continue
        recipe, first = update
        if recipe.magnitude is None and without_update(own) == other:
            return KnownUpdate(side, recipe, first)
    return None


def update_on(tensor: TensorInfo) -> tuple[LowRankUpdate, tuple[int, int]] | None:
    """The one update on a matrix, or on what it is whole rows or columns of, and the row and column
    at which it begins there; None where there is none, or several are."""
    rows, columns = tensor.shape
    cut, recipe = None, tensor.recipe
    if isinstance(recipe, ElementSlice):
        cut, recipe = recipe, recipe.tensor.recipe
    if not isinstance(recipe, LowRankUpdate) or isinstance(recipe.base.recipe, LowRankUpdate):
        return None
    if cut is None:
        return recipe, (0, 0)
    width = recipe.base.shape[-1]
    whole_rows = not cut.strides and columns == width
    if whole_rows or cut.strides == ((rows, width), (columns, 1)):
        return recipe, divmod(cut.first, width)
    return None


def update_spectrum(reader: PairReader, update: KnownUpdate, size: int) -> SingularValues:
    """All singular values of the update, before it was rounded. ``size``: elements of a panel. The
    pair is read once, for base's norm and for what rounding adds."""
    totals = Totals(reader.matrix)
    for _ in panels(reader, size, totals):
        pass
    side, recipe, first = update
    shape = reader.matrix.rows, reader.matrix.columns
    rows, columns = update_factors(recipe, reader.reading(side), first, shape)
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
