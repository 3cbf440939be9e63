"""Experts that changed places: which of base's each of target's is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modeldiff.changes.relation import Relation
from modeldiff.changes.relations.orders import distance, find_order
from modeldiff.changes.relations.sampling import LEAST_AXIS, RUN_LENGTH, PairSamples, SampledValues


def match_experts(samples: Mapping[int, PairSamples]) -> dict[int, Relation]:
    """By expert of target which one of base it is, of those that stand elsewhere. ``samples`` are
    one matrix's of each expert of a layer, by the expert's number."""
    numbers = sorted(samples)
    prints = [samples[number].fingerprints for number in numbers]
    if len(numbers) < LEAST_AXIS or len({sides.base.size for sides in prints}) != 1:
        return {}
    base, target = (np.stack([sides[side] for sides in prints]) for side in (0, 1))
    if base.shape[1] < RUN_LENGTH:
        return {}
    order = find_order(base, target, np.arange(len(numbers)), len(numbers))
    if order is None:
        return {}
    return {
        numbers[at]: _relation(samples[numbers[at]], numbers[origin], base[origin], target[at])
        for at, origin in zip(order.at.tolist(), order.origins.tolist(), strict=True)
        if at != origin
    }


def _relation(
    samples: PairSamples, origin: int, base: SampledValues, target: SampledValues
) -> Relation:
    seen, count = base.size, samples.rows * samples.columns
    rest = 100 * distance(base, target)
    return Relation("expert", "elements", seen, seen, count, rest, origin=origin)
