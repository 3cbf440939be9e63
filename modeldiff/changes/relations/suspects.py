"""Which tensors are worth a look: those whose sums do not look as if training had moved them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from modeldiff.changes.change import Change, Sums
from modeldiff.changes.relations.sampling import can_be_sampled

Layer = tuple[str, int | None]
"""Tower and layer; None outside the layers."""

PlaceGroup = tuple[str, int | None, int | None]
"""Tower, layer and expert."""

_FAR = 0.2
"""From this relative Frobenius change on rows may be other ones: 2 of 64 heads that change places
move a matrix by 25 %."""
_LEAST = 0.01
_FEW_FLIPS, _LEAST_FLIPS = 0.05, 40.0
"""Of the signs that noise of the size would flip, at most this share flips where a tensor is
scaled; if noise would flip that many."""
_FEW, _SMALL = 256, 64 << 20
"""So many suspects of so many bytes of both sides are all looked at."""


def may_be_related(change: Change) -> bool:
    """Whether anything is to be found out about a row: it is a suspect, or a recipe makes one of
    its sides, which may be an adapter's."""
    return has_recipe(change) or is_suspect(change)


def has_recipe(change: Change) -> bool:
    """Whether one of a row's sides is not stored as it is, but made by a recipe."""
    sides = change.pair.base, change.pair.target
    return any(side is not None and side.recipe is not None for side in sides)


def is_suspect(change: Change) -> bool:
    """Whether a matrix moved so far that it may be another one's, or without flipping signs."""
    sums = _finite_sums(change)
    if sums is None or change.pair.base is None or len(change.pair.base.shape) < 2:
        return False
    if not sums.base_squared > 0 or not sums.target_squared > 0:
        return False
    size = math.sqrt(sums.delta_squared / sums.base_squared)
    if not size >= _FAR:
        expected = sums.n * size / math.pi
        few = expected >= _LEAST_FLIPS and sums.sign_flips < _FEW_FLIPS * expected
        if not (size >= _LEAST and few):
            return False
    return can_be_sampled(change.pair)


def is_moved_vector(change: Change) -> bool:
    """Whether a vector moved, and holds nothing that is not finite."""
    base = change.pair.base
    if base is None or len(base.shape) != 1 or _finite_sums(change) is None:
        return False
    return can_be_sampled(change.pair)


def first_looks(suspects: Sequence[Change]) -> Iterator[Sequence[Change]]:
    """A suspect of each column, those of one layer together, from few layers. What is in none of
    them is taken not to be in the others: what is done to a model is done to its layers alike.
    Where all suspects together are few and small, all of them."""
    if len(suspects) <= _FEW and sum(change.pair.nbytes for change in suspects) <= _SMALL:
        yield from by_layer(suspects)
        return
    layers: dict[Layer, dict[str, Change]] = {}
    for change in suspects:
        columns = layers.setdefault(layer_of(change), {})
        column = change.pair.place.column
        if column not in columns or _cosine(change) < _cosine(columns[column]):
            columns[column] = change
    while layers:
        best = min(layers, key=lambda layer: (-len(layers[layer]), _mean(layers[layer])))
        chosen = layers.pop(best)
        yield tuple(chosen.values())
        for columns in layers.values():
            for column in chosen:
                columns.pop(column, None)
        layers = {layer: columns for layer, columns in layers.items() if columns}


def by_layer(rows: Sequence[Change]) -> Iterator[Sequence[Change]]:
    """The rows of each layer together."""
    layers: dict[Layer, list[Change]] = {}
    for change in rows:
        layers.setdefault(layer_of(change), []).append(change)
    yield from layers.values()


def layer_of(change: Change) -> Layer:
    """The tower and layer of a row."""
    return change.pair.place.tower, change.pair.place.layer


def place_group(change: Change) -> PlaceGroup:
    """The tower, layer and expert of a row."""
    place = change.pair.place
    return place.tower, place.layer, place.expert


def by_group(rows: Iterable[Change]) -> dict[PlaceGroup, list[Change]]:
    """The rows of each group."""
    groups: dict[PlaceGroup, list[Change]] = {}
    for change in rows:
        groups.setdefault(place_group(change), []).append(change)
    return groups


def of_their_shapes(rows: Iterable[Change], chosen: Sequence[Change]) -> Sequence[Change]:
    """Those measured matrices among the ``rows`` of a layer that the ``chosen`` may be by their
    shapes: a head may be the embedding, which stands still."""
    shapes = {row.pair.base.shape for row in chosen if row.pair.base is not None}
    return [
        change
        for change in rows
        if change.statistics
        and change.pair.base is not None
        and len(change.pair.base.shape) > 1
        and change.pair.base.shape in shapes
        and can_be_sampled(change.pair)
    ]


def _finite_sums(change: Change) -> Sums | None:
    """The sums of a row that moved and holds finite numbers alone; else None."""
    sums = change.statistics.sums if change.statistics else None
    if sums is None or sums.nonfinite_base or sums.nonfinite_target or sums.unchanged == sums.n:
        return None
    return sums


def _cosine(change: Change) -> float:
    cosine = change.statistics.cosine if change.statistics else None
    return 1.0 if cosine is None else cosine


def _mean(columns: dict[str, Change]) -> float:
    return sum(map(_cosine, columns.values())) / len(columns)
