"""Rows that are base's times a number each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modeldiff.changes.relations.orders import distance
from modeldiff.changes.relations.sampling import RowIndices, SampledValues
from modeldiff.checkpoints.recipes.small_floats import table8

_REST = 0.03
"""What the factors leave is at most this share of target ..."""
_OF_CHANGE = 0.1
"""... and this share of the change."""
_ALIKE = 0.01
"""Factors that differ by less are one: a tensor's, which its sums tell."""
_AS_ONE = 1.2
"""Where one factor for all leaves no more than so many times what factors of their own leave, they
differ by chance."""
_REST_OF_CODES, _OF_CHANGE_OF_CODES = 0.2, 0.5
"""The same where one side is of 8 bits or fewer, which lose so much."""
_AS_LINES = 1.5
"""Where a factor a row, or a column, of blocks leaves no more than so many times what a factor a
block leaves, rows or columns were rescaled."""
_AS_GROUPS, _LEAST_IN_GROUP = 1.03, 4
"""Where one factor for the rows of a group leaves no more than so many times what a factor a row
leaves, they have one; of so many rows a group at least."""
_INVERSE = 0.02
"""Two factors whose product is so near 1 are each other's inverse."""
_LEAST_LARGEST, _LARGEST_WHOLE, _MOST_LARGEST = 16.0, 255.0, 448.0
"""Of codes of 8 bits: the largest of them is between the first and the last, of whole numbers the
second."""
_LEAST_DIFFERENT = 16
_TINY = 1e-300
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
    if not known.all():
        ours, theirs = ours[known], theirs[known]
    factors = np.einsum("ij,ij->i", ours, theirs) / squares[known]
    rest = distance(factors[:, None] * ours, theirs)
    # Of most rows the first tells already.
    if not rest <= _REST or not rest <= min(_REST, _OF_CHANGE * distance(ours, theirs)):
        return None
    if np.ptp(factors) <= _ALIKE * np.abs(factors).max():
        return None
    if np.mean(np.abs(factors - 1) > _ALIKE) < _LEAST_SCALED:
        return None
    one = np.einsum("ij,ij->", ours, theirs) / squares[known].sum()
    if distance(one * ours, theirs) <= _AS_ONE * rest:
        return None
    return Scaling(at[known], factors, length, len(at), rest)


def find_block_factors(
    base: SampledValues, target: SampledValues, lines: tuple[RowIndices, RowIndices], count: int
) -> tuple[Scaling, int | None] | None:
    """The factor of each block of values that share a scale, and 0 or 1 where each row or column of
    blocks has one; None where blocks are not base's times a number, or all times the same one.
    ``base`` and ``target`` are [blocks, run], ``lines`` the row and the column of each; there are
    ``count`` blocks."""
    ours, theirs = base.astype(np.float64), target.astype(np.float64)
    squares, products = (np.einsum("ij,ij->i", ours, each) for each in (ours, theirs))
    if not np.isfinite(products).all() or not squares.all():
        return None
    factors = products / squares
    rest, change = distance(factors[:, None] * ours, theirs), distance(ours, theirs)
    if not rest <= min(_REST_OF_CODES, _OF_CHANGE_OF_CODES * change):
        return None
    if distance(products.sum() / squares.sum() * ours, theirs) <= _AS_LINES * rest:
        return None
    scaling = Scaling(np.arange(len(ours)), factors, count, len(ours), rest)
    for axis, line in enumerate(lines):
        if _rest_of_groups(ours, theirs, line) <= _AS_LINES * rest:
            return scaling, axis
    return scaling, None


def has_steps(base: SampledValues, target: SampledValues, groups: RowIndices) -> bool:
    """Whether the rows of a group have one factor, and not each a factor of its own. ``base`` and
    ``target`` are [rows, run], ``groups`` the group of each."""
    ours, theirs = base.astype(np.float64), target.astype(np.float64)
    if np.bincount(groups).max() < _LEAST_IN_GROUP:
        return False
    own = _rest_of_groups(ours, theirs, np.arange(len(ours), dtype=np.int64))
    return _rest_of_groups(ours, theirs, groups) <= _AS_GROUPS * own


def _rest_of_groups(ours: Factors, theirs: Factors, groups: RowIndices) -> float:
    """What is left where the rows of a group are all times one factor."""
    squares, products = (np.einsum("ij,ij->i", ours, each) for each in (ours, theirs))
    factors = np.bincount(groups, products) / np.maximum(np.bincount(groups, squares), _TINY)
    return distance(factors[groups][:, None] * ours, theirs)


def find_scale_of_codes(
    base: SampledValues, target: SampledValues, at: RowIndices, length: int
) -> tuple[Scaling, bool] | None:
    """The factor of each row, where one side alone holds codes of 8 bits, and whether that is
    target; None where they are not the other side's times a number. As ``find_factors``
    otherwise."""
    of_target = _are_codes(target)
    if _are_codes(base) == of_target:
        return None
    ours, theirs = base.astype(np.float64), target.astype(np.float64)
    squares = np.einsum("ij,ij->i", ours, ours)
    known = squares > 0
    if known.sum() < _LEAST_MATCHED * len(at):
        return None
    ours, theirs = ours[known], theirs[known]
    factors = np.einsum("ij,ij->i", ours, theirs) / squares[known]
    rest = distance(factors[:, None] * ours, theirs)
    fits = rest <= min(_REST_OF_CODES, _OF_CHANGE_OF_CODES * distance(ours, theirs))
    return (Scaling(at[known], factors, length, len(at), rest), of_target) if fits else None


def _are_codes(values: SampledValues) -> bool:
    """Whether these are whole numbers of 8 bits, or values of an 8-bit float, too large and too
    many different ones for weights."""
    largest = np.abs(values).max(initial=0.0)
    if not _LEAST_LARGEST <= largest <= _MOST_LARGEST:
        return False
    different = np.unique(values)
    whole = np.array_equal(different, np.round(different)) and largest <= _LARGEST_WHOLE
    floats = np.isin(different.astype(np.float32), table8("F8_E4M3")).all()
    return bool(len(different) >= _LEAST_DIFFERENT and (whole or floats))
