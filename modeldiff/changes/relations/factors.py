"""Rows that are base's times a number each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modeldiff.changes.relations.orders import distance
from modeldiff.changes.relations.sampling import RowIndices, SampledValues

_REST = 0.03
"""What the factors leave is at most this share of target ..."""
_OF_CHANGE = 0.1
"""... and this share of the change."""
_ALIKE = 0.01
"""Factors that differ by less are one: a tensor's, which its sums tell."""
_INVERSE = 0.02
"""Two factors whose product is so near 1 are each other's inverse."""
_LEAST_MATCHED = 0.9
_LEAST_SCALED = 0.5
"""Where fewer rows have another factor than 1, a few were changed and not the whole rescaled."""

Factors = npt.NDArray[np.float64]


class Scaling(NamedTuple):
    """Rows ``at`` are base's times ``factors``, of ``length`` that there are; ``seen`` rows were
    looked at. ``rest`` is what is left, as a share of target's norm."""

    at: RowIndices
    factors: Factors
    length: int
    seen: int
    rest: float

    def undoes(self, other: Scaling) -> bool:
        """Whether the factors are the inverse of the other's, where both were looked at."""
        if self.length != other.length:
            return False
        _, ours, theirs = np.intersect1d(self.at, other.at, return_indices=True)
        product = self.factors[ours] * other.factors[theirs]
        return bool(ours.size and np.all(np.abs(product - 1) < _INVERSE))


def find_factors(
    base: SampledValues, target: SampledValues, at: RowIndices, length: int
) -> Scaling | None:
    """The factor of each row; None where rows are not base's times a number, or all times the same
    one. ``base`` and ``target`` are [rows, run]: rows ``at`` of ``length``."""
    ours, theirs = base.astype(np.float64), target.astype(np.float64)
    squares = np.einsum("ij,ij->i", ours, ours)
    known = (squares > 0) & np.any(theirs != 0, axis=1)
    if not known.any() or known.sum() < _LEAST_MATCHED * len(at):
        return None
    ours, theirs = ours[known], theirs[known]
    factors = np.einsum("ij,ij->i", ours, theirs) / squares[known]
    rest = distance(factors[:, None] * ours, theirs)
    change = distance(ours, theirs)
    if not rest <= min(_REST, _OF_CHANGE * change):
        return None
    if np.ptp(factors) <= _ALIKE * np.abs(factors).max():
        return None
    if np.mean(np.abs(factors - 1) > _ALIKE) < _LEAST_SCALED:
        return None
    return Scaling(at[known], factors, length, len(at), rest)
