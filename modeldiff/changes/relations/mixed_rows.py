"""Rows that matrices of a layer have of each other: gate and up, or q, k and v, where the two sides
split or stack the fused matrix of these in other ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modeldiff.architectures import Place
from modeldiff.changes.relation import Relation, RelationAxis
from modeldiff.changes.relations.nearest_rows import NO_ROW, Directions, nearest_rows
from modeldiff.changes.relations.orders import distance
from modeldiff.changes.relations.sampling import (
    LONGEST_AXIS,
    PairSamples,
    RowIndices,
    SampledValues,
    spread,
)

_LEAST_MATCHED = 0.9
_LEAST_FOREIGN = 0.1
"""So many of the rows are another matrix's: of fewer it is not the split that differs."""
_BETTER = 0.5


class Mix(NamedTuple):
    """Target's rows ``at`` are rows ``origins`` of base's ``members``, one below the other, of so
    many rows each; of matrices that are stored the other way round, columns are."""

    at: RowIndices
    origins: RowIndices
    members: tuple[Place, ...]
    rows: tuple[int, ...]


class _Lines(NamedTuple):
    """A matrix's rows or columns: how many, their length, a run of each of base's and of target's
    that ``spread`` gives."""

    place: Place
    number: int
    length: int
    base: Callable[[], SampledValues]
    target: Callable[[], SampledValues]


def match_mixed(samples: Sequence[PairSamples]) -> Mapping[Place, tuple[Relation, Mix]]:
    """By place what of base's other matrices it holds, of those that hold rows (columns) of several
    or of another. ``samples`` are of matrices of one layer; only those with rows of one length are
    looked at together."""
    found: dict[Place, tuple[Relation, Mix]] = {}
    axes: tuple[RelationAxis, ...] = ("rows", "columns")
    for axis in axes:
        every = [
            _rows_of(each) if axis == "rows" else _columns_of(each)
            for each in samples
            if each.pair.place not in found
            and (each.has_rows if axis == "rows" else each.has_columns)
        ]
        for length in {lines.length for lines in every}:
            alike = [lines for lines in every if lines.length == length]
            if len(alike) > 1 and sum(lines.number for lines in alike) <= LONGEST_AXIS:
                found.update(_match(alike, axis))
    return found


def _rows_of(samples: PairSamples) -> _Lines:
    return _Lines(
        samples.pair.place,
        samples.rows,
        samples.columns,
        lambda: samples.base_rows,
        lambda: samples.row_runs.target,
    )


def _columns_of(samples: PairSamples) -> _Lines:
    return _Lines(
        samples.pair.place,
        samples.columns,
        samples.rows,
        lambda: samples.base_columns,
        lambda: samples.column_runs.target,
    )


def _match(every: Sequence[_Lines], axis: RelationAxis) -> Mapping[Place, tuple[Relation, Mix]]:
    members = tuple(lines.place for lines in every)
    numbers = tuple(lines.number for lines in every)
    starts = np.cumsum([0, *numbers])
    base = np.concatenate([lines.base() for lines in every])
    directions = Directions(base)
    found = {}
    for start, stop, own in zip(starts, starts[1:], every, strict=False):
        at, target = spread(own.number), own.target()
        least = _LEAST_FOREIGN * len(at)
        origins = nearest_rows(directions, target, at + start, least)
        if origins is None:
            continue
        known = origins != NO_ROW
        foreign = known & ((origins < start) | (origins >= stop))
        if known.sum() < _LEAST_MATCHED * len(at) or foreign.sum() < least:
            continue
        at, origins, values = at[known], origins[known], target[known]
        rest = _rest(base[origins], values, base[at + start])
        if rest is None or len(np.unique(origins)) < len(origins):
            continue
        others = np.unique(np.searchsorted(starts, origins, side="right") - 1)
        columns = tuple(dict.fromkeys(members[other].column for other in others))
        relation = Relation(
            "mixed", axis, len(at), int(known.size), own.number, 100 * rest, partners=columns
        )
        found[own.place] = relation, Mix(at, origins, members, numbers)
    return found


def mixed_vector(
    mix: Mix, base: SampledValues, target: SampledValues, in_place: SampledValues
) -> Relation | None:
    """The same of a vector that goes with a matrix's rows. ``base`` are the elements of base's
    ``mix.members``, one behind the other, ``target`` all of target's, ``in_place`` base's own."""
    rest = _rest(base[mix.origins], target[mix.at], in_place[mix.at])
    if rest is None:
        return None
    seen = len(mix.at)
    return Relation("mixed", "elements", seen, seen, len(target), 100 * rest)


def _rest(base: SampledValues, target: SampledValues, in_place: SampledValues) -> float | None:
    """What is left, where it is little beside what is left in place."""
    rest = distance(base, target)
    return rest if rest <= _BETTER * min(1.0, distance(in_place, target)) else None
