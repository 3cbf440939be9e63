"""What a tensor may be of base's: each check looks at samples and answers, or does not.

They are asked in this order, from cheap to dear; the first answer counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from modeldiff.changes.relation import OrderPattern, Relation, RelationAxis
from modeldiff.changes.relations.factors import (
    Scaling,
    find_block_factors,
    find_factors,
    find_scale_of_codes,
    has_steps,
)
from modeldiff.changes.relations.mixed_rows import Mix
from modeldiff.changes.relations.orders import (
    Order,
    check_order,
    distance,
    find_order,
    pattern_of,
    whole_order,
)
from modeldiff.changes.relations.sampling import (
    LEAST_AXIS,
    LONGEST_AXIS,
    PREFIX,
    PairSamples,
    SampledSides,
    SampledValues,
    spread,
)


class Answer(NamedTuple):
    """A relation, with the order, the factors or the mix of rows that it is told by."""

    relation: Relation
    order: Order | None = None
    scaling: Scaling | None = None
    mix: Mix | None = None

    def goes_with(self, other: Answer) -> bool:
        """Whether the other tensor has the same order, or the inverse factors."""
        if self.order is not None and other.order is not None:
            return self.order.is_same(other.order)
        if self.scaling is not None and other.scaling is not None:
            return self.scaling.undoes(other.scaling)
        return False


RelationCheck = Callable[[PairSamples, Sequence[Answer]], Answer | None]
"""Asked with a tensor's samples and the answers about others of its layer."""


def _codes_without_scale(samples: PairSamples, _: Sequence[Answer]) -> Answer | None:
    if not samples.has_rows:
        return None
    found = find_scale_of_codes(*samples.row_runs, spread(samples.rows), samples.rows)
    if found is None or (answer := as_scaled(found[0], "rows")) is None:
        return None
    pattern: OrderPattern = "codes" if found[1] else "codes_in_base"
    return answer._replace(relation=replace(answer.relation, pattern=pattern))


def _scaled_blocks(samples: PairSamples, _: Sequence[Answer]) -> Answer | None:
    """Blocks that share a scale: their scales are none that fit the codes."""
    if samples.blocks is None:
        return None
    sides, lines, count = samples.blocks
    found = find_block_factors(*sides, lines, count)
    if found is None:
        return None
    scaling, axis = found
    if axis is not None and not _steps_at_blocks(samples, axis):
        return None
    answer = as_scaled(scaling, "blocks")
    return answer and answer._replace(scaling=None)


def _steps_at_blocks(samples: PairSamples, axis: int) -> bool:
    """Whether the factors of rows (of columns, where ``axis`` is 1) change where blocks end, and
    are not those of neurons."""
    lengths, has = samples.block_shape, (samples.has_rows, samples.has_columns)
    if lengths is None or not has[axis]:
        return False
    at = spread((samples.rows, samples.columns)[axis])
    base, target = samples.column_runs if axis else samples.row_runs
    return has_steps(base, target, at // lengths[axis])


def _scaled_columns(samples: PairSamples, _: Sequence[Answer]) -> Answer | None:
    if not samples.has_columns:
        return None
    at = spread(samples.columns)
    return as_scaled(find_factors(*samples.column_runs, at, samples.columns), "columns")


def _ordered_columns(samples: PairSamples, _: Sequence[Answer]) -> Answer | None:
    if not samples.has_columns:
        return None
    at, target = spread(samples.columns), samples.column_runs.target
    return as_ordered(find_order(samples.base_columns, target, at, samples.columns), "columns")


def _scaled_rows(samples: PairSamples, _: Sequence[Answer]) -> Answer | None:
    if not samples.has_rows:
        return None
    return as_scaled(find_factors(*samples.row_runs, spread(samples.rows), samples.rows), "rows")


def _rows_as_elsewhere(samples: PairSamples, answers: Sequence[Answer]) -> Answer | None:
    """Rows in an order that another tensor of the layer has."""
    return _in_order_of(samples, answers) if samples.has_rows else None


def _short_rows_as_elsewhere(samples: PairSamples, answers: Sequence[Answer]) -> Answer | None:
    """The same of rows that are too short to be told apart, as a convolution's: after all others,
    whose order they may have."""
    short = not samples.has_rows and LEAST_AXIS <= samples.rows <= LONGEST_AXIS
    return _in_order_of(samples, answers) if short else None


def _in_order_of(samples: PairSamples, answers: Sequence[Answer]) -> Answer | None:
    for answer in answers:
        order = answer.order
        if order is None or order.length != samples.rows:
            continue
        chosen = np.isin(spread(samples.rows), order.at)
        in_place, target = (side[chosen] for side in samples.row_runs)
        checked = check_order(order, samples.rows_of_base(order.origins), target, in_place)
        if checked is not None:
            return as_ordered(checked, "rows")
    return None


def _first_rows(samples: PairSamples, _: Sequence[Answer]) -> Answer | None:
    """Rows in an order that a look at the first of them tells: of few all, else a rotary one."""
    if not samples.has_rows:
        return None
    base, target = samples.first_rows
    at = spread(len(base))
    first = find_order(base, target[at], at, samples.rows)
    if first is None or samples.rows <= PREFIX:
        return as_ordered(first, "rows")
    pattern, size = pattern_of(first)
    if pattern not in ("interleaved", "halved"):
        return None
    at = spread(samples.rows)
    order = Order(at, whole_order(pattern, size, at), samples.rows, len(at), 0.0)
    in_place, target = samples.row_runs
    return as_ordered(
        check_order(order, samples.rows_of_base(order.origins), target, in_place), "rows"
    )


def _transposed(samples: PairSamples, _: Sequence[Answer]) -> Answer | None:
    if samples.rows != samples.columns or not (samples.has_rows and samples.has_columns):
        return None
    target = samples.target_columns
    rest = distance(samples.base_rows, target)
    # Of most matrices the first tells already.
    if not rest <= 0.5 or not rest <= min(0.5, distance(samples.base_columns, target) / 2):
        return None
    seen = samples.columns
    return Answer(Relation("transposed", "columns", seen, seen, seen, 100 * rest))


def _any_rows(samples: PairSamples, _: Sequence[Answer]) -> Answer | None:
    """Rows in whatever order, looked for among all."""
    if not samples.has_rows or samples.rows <= PREFIX:
        return None
    at, target = spread(samples.rows), samples.row_runs.target
    return as_ordered(find_order(samples.base_rows, target, at, samples.rows), "rows")


CHECKS: tuple[RelationCheck, ...] = (
    _codes_without_scale,
    _scaled_blocks,
    _scaled_columns,
    _ordered_columns,
    _scaled_rows,
    _rows_as_elsewhere,
    _first_rows,
    _transposed,
    _any_rows,
    _short_rows_as_elsewhere,
)


def check_vector(
    elements: SampledSides, own: Answer | None, answers: Sequence[Answer]
) -> Answer | None:
    """What a vector is of base's, told by all of its elements: ordered or scaled as the rows of
    the matrix that it belongs to (``own``), or ordered as one of ``answers``, or scaled so that it
    undoes one."""
    base, target = (side.reshape(-1, 1).astype(np.float64) for side in elements)
    if own is not None and own.scaling is not None and own.scaling.length == len(base):
        return _scaled_vector(base, target, own.scaling, 0.0)
    for answer in (own, *answers):
        if answer is None:
            continue
        scaling, order = answer.scaling, answer.order
        if order is not None and order.length == len(base):
            at, origins = order.at, order.origins
            checked = check_order(order, base[origins], target[at], base[at])
            if checked is not None:
                return as_ordered(checked, "elements")
        if scaling is None or scaling.length != len(base) or not np.all(scaling.factors):
            continue
        inverse = scaling._replace(factors=1 / scaling.factors)
        for offset in (0.0, 1.0):  # a norm's weights are w, or 1 + w
            if (scaled := _scaled_vector(base, target, inverse, offset)) is not None:
                return scaled
    return None


def _scaled_vector(
    base: SampledValues, target: SampledValues, scaling: Scaling, offset: float
) -> Answer | None:
    ours, theirs = base[scaling.at] + offset, target[scaling.at] + offset
    rest = distance(ours * scaling.factors[:, None], theirs)
    if not rest <= min(0.03, 0.1 * distance(ours, theirs)):
        return None
    return as_scaled(scaling._replace(rest=rest), "elements")


def as_ordered(order: Order | None, axis: RelationAxis) -> Answer | None:
    """The answer that an order along ``axis`` is."""
    if order is None:
        return None
    pattern, size = pattern_of(order)
    counts = len(order.at), order.seen, order.length
    relation = Relation("order", axis, *counts, 100 * order.rest, pattern=pattern, size=size)
    return Answer(relation, order=order)


def as_scaled(scaling: Scaling | None, axis: RelationAxis) -> Answer | None:
    """The answer that factors along ``axis`` are."""
    if scaling is None:
        return None
    counts = len(scaling.at), scaling.seen, scaling.length
    low, high = float(scaling.factors.min()), float(scaling.factors.max())
    relation = Relation("factors", axis, *counts, 100 * scaling.rest, low=low, high=high)
    return Answer(relation, scaling=scaling)
