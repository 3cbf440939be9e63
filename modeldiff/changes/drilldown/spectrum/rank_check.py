"""Whether a low-rank update explains what stands above rounding: tried, not assumed.

That rounding errors are independent holds where an update is many of the type's steps large. Where
it is about one step or less the error is a function of the update itself: an element that stays has
exactly minus the update, and errors of a rank-1 update have singular values of their own beyond
independent noise. So each rank that the singular values suggest is tried: its best approximation
U is added to base and rounded as target is stored, and the largest singular value of what that adds
to U, beside U's own directions, is what rounding makes of such an update. (A parametric bootstrap:
Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 6.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from modeldiff.changes.drilldown.pair_reader import PairReader, Values
from modeldiff.changes.drilldown.spectrum.linear_algebra import Algebra
from modeldiff.changes.drilldown.spectrum.spectrum import Floats

PASSES = 4
"""How often finding the leading directions reads the pair, and so does each trial."""
_MOST_TRIED = 3
MOST_PASSES = PASSES * (1 + _MOST_TRIED)
"""How often trying all ranks that may be tried reads the pair, if any is."""
_GAP = 1.5
"""A rank is tried where its singular value is so many times the next one."""
_OVERSAMPLING = 8

_Rows = Callable[[int, int], Values]


def ranks_to_try(values: Floats, signal: int) -> tuple[int, ...]:
    """Ranks up to ``signal`` after which the singular values fall off furthest, and ``signal``
    itself, ascending; a few at most."""
    falls = [(values[r - 1] / values[r], r) for r in range(1, signal) if values[r] > 0]
    furthest = sorted((fall for fall in falls if fall[0] >= _GAP), reverse=True)
    return tuple(sorted({signal, *(rank for _, rank in furthest[: _MOST_TRIED - 1])}))


def rounding_of_updates(
    reader: PairReader, algebra: Algebra, ranks: Sequence[int], size: int
) -> tuple[tuple[int, float], ...]:
    """Each rank with the largest singular value that rounding adds to the update of that rank.

    ``size``: elements of a panel. Reads the pair ``PASSES`` times, and as often for each rank.
    """
    blocks = reader.blocks(size)

    def change(start: int, stop: int) -> Values:
        return _change(reader, start, stop)[1]

    width = max(ranks) + _OVERSAMPLING
    _, directions = _leading(reader, algebra, blocks, change, width)
    trials = []
    for rank in ranks:
        rounding = _rounding(reader, directions[:, :rank])
        values, _ = _leading(reader, algebra, blocks, rounding, _OVERSAMPLING)
        trials.append((rank, float(values[0])))
    return tuple(trials)


def _rounding(reader: PairReader, directions: Floats) -> _Rows:
    """What rounding base + U adds to U, without its part along the directions of U."""
    significand = reader.matrix.types.target.significand

    def act(start: int, stop: int) -> Values:
        base, delta = _change(reader, start, stop)
        wide = base.astype(np.float64)
        update = (delta.astype(np.float64) @ directions) @ directions.T
        added = _rounded(wide + update, significand) - wide - update
        added -= (added @ directions) @ directions.T
        return np.asarray(added, reader.matrix.working)

    return act


def _change(reader: PairReader, start: int, stop: int) -> tuple[Values, Values]:
    """Rows of base (in a buffer of this thread) and of the change; 0 where one is not finite."""
    base, target = reader.rows(start, stop)
    with np.errstate(all="ignore"):
        delta = target - base
    lost = ~np.isfinite(delta)
    if lost.any():
        delta[lost] = base[lost] = 0
    return base, delta


def _rounded(values: Floats, significand: int) -> Floats:
    """The values to the nearest with so many bits of significand, ties to even."""
    fraction, exponent = np.frexp(values)
    rounded: Floats = np.ldexp(np.rint(np.ldexp(fraction, significand)), exponent - significand)
    return rounded


def _leading(
    reader: PairReader, algebra: Algebra, blocks: list[tuple[int, int]], rows: _Rows, width: int
) -> tuple[Floats, Floats]:
    """Leading singular values of a matrix given by rows, and their right vectors as columns, by
    block subspace iteration (Halko, Martinsson and Tropp, 2011)."""
    matrix = reader.matrix
    width = min(width, matrix.rows, matrix.columns)
    vectors = np.random.default_rng(0).standard_normal((matrix.columns, width))
    product = vectors
    for _ in range(PASSES):
        vectors = np.linalg.qr(product)[0]
        total, sent = None, algebra.sent(vectors)
        for panel in reader.walk(blocks, rows):
            total = algebra.add_power(total, panel, sent)
        product = algebra.fetched(total)
    squares, turn = np.linalg.eigh((vectors.T @ product + product.T @ vectors) / 2)
    return np.sqrt(np.maximum(squares[::-1], 0.0)), (vectors @ turn)[:, ::-1]
