"""Tensors that changed names: which of base's matrices in a layer each of target's is."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import Place
from modeldiff.changes.relation import Relation
from modeldiff.changes.relations.orders import distance
from modeldiff.changes.relations.sampling import RUN_LENGTH, PairSamples


def match_names(
    samples: Sequence[PairSamples], beside: Sequence[PairSamples]
) -> dict[Place, Relation]:
    """By place which other tensor of base's it is, of those that are one. ``samples`` are of
    matrices of one layer, ``beside`` of such that may be what these are; only those of one shape
    are compared, and what is left beside the other is at most half of target and of what is left
    beside any of base's but that one."""
    relations = {}
    every = (*samples, *beside)
    for own in samples:
        alike = [each for each in every if (each.rows, each.columns) == (own.rows, own.columns)]
        target = own.fingerprints.target if len(alike) > 1 else None
        if target is None or target.size < RUN_LENGTH:
            continue
        ranked = sorted(
            ((distance(each.fingerprints.base, target), at) for at, each in enumerate(alike))
        )
        (rest, nearest), (other, _) = ranked[:2]
        if alike[nearest] is not own and rest <= min(0.5, other / 2):
            seen, count = target.size, own.rows * own.columns
            column = alike[nearest].pair.place.column
            relations[own.pair.place] = Relation(
                "name", "elements", seen, seen, count, 100 * rest, partners=(column,)
            )
    return relations
