"""Whether one side of a row is what the other is without its adapter, or with another share of its
update, or is that adapter on weights that had been rounded.

Asked of every tensor that an adapter updates, however far it moved: to name it tells
an adapter put on its base, a folder called merged into which nothing was merged or something was
twice, an adapter that was merged onto a quantised base after that was dequantised, and two adapters
of one base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from modeldiff.architectures.place import Place
from modeldiff.changes.change import Change
from modeldiff.changes.dtype_pairs import decode_into
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.changes.relation import Relation
from modeldiff.changes.relations.merged_share import merged_share
from modeldiff.changes.relations.orders import distance
from modeldiff.changes.relations.rounded_base import rounded_base, rounded_rows
from modeldiff.changes.relations.sampling import LONGEST_AXIS, RUN_LENGTH, spread
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo
from modeldiff.checkpoints.recipes.adapted.without_update import (
    rank_of_update,
    replaced_rows,
    without_update,
)
from modeldiff.checkpoints.recipes.floats import rounded
from modeldiff.checkpoints.tensor import TensorUnreadable

_Fetching = Callable[[int, int], None]
_Floats = npt.NDArray[Any]
_ROWS, _IN_ROWS = 8, 1 << 15
"""So many whole rows are looked at, at least, for steps that each row has of its own; of short rows
so many values."""

_FURTHEST = 2.0
"""Roundings move a tensor by no more than so many steps of its type, as relative Frobenius."""


class _Adapted(NamedTuple):
    """A row that an adapter updates on ``side`` alone (None: an adapter each on both): that side's
    tensor with and without it, and the other's, of two adapters without its own. ``moved``: the
    sides differ."""

    side: Literal[0, 1] | None
    moved: bool
    own: TensorInfo
    bare: TensorInfo
    other: TensorInfo


def relate_adapters(
    changes: Iterable[Change],
    checkpoints: tuple[Checkpoint, Checkpoint],
    fetching: _Fetching | None,
    looking: Callable[[], None],
) -> Mapping[Place, Relation]:
    """The relation of each row whose other side is the same without the adapter, or what a share of
    its update makes, as far as samples show. Raises as ``relate`` does."""
    relations = {}
    for change in changes:
        row = _adapted(change)
        if row is None:
            continue
        looking()
        relation = _compared(row, checkpoints, fetching)
        if relation is not None and _is_borne_out(relation, change):
            relations[change.pair.place] = relation
    return relations


def _adapted(change: Change) -> _Adapted | None:
    """The sides of a row that an adapter updates, of two adapters where it moved; None of another
    row."""
    base, target = change.pair.base, change.pair.target
    if base is None or target is None or (base.recipe is None and target.recipe is None):
        return None
    sums = change.statistics.sums if change.statistics else None
    if sums is None:
        return None
    moved = sums.unchanged < sums.n
    plain = without_update(base), without_update(target)
    if plain[0] is not None and plain[1] is not None:
        return _Adapted(None, moved, base, plain[0], plain[1]) if moved else None
    if plain[0] is not None:
        return _Adapted(0, moved, base, plain[0], target)
    return None if plain[1] is None else _Adapted(1, moved, target, plain[1], base)


def _compared(
    row: _Adapted, checkpoints: tuple[Checkpoint, Checkpoint], fetching: _Fetching | None
) -> Relation | None:
    side, moved, own, bare, other = row
    first = side or 0
    size = min(RUN_LENGTH, own.elements)
    firsts = _places(own, size)
    files = (
        OpenFiles(checkpoints[first], [own]),
        OpenFiles(checkpoints[1 - first], [other]),
    )
    asked = (files[0], bare), (files[1], other), (files[0], own)

    def sampled(places: Sequence[int], length: int) -> tuple[_Floats, ...]:
        """Runs of so many values of base without its adapter, of base with it, and of the other
        side."""
        plain, merged, whole = (
            _values(each, tensor, places, length).astype(np.float64) for each, tensor in asked
        )
        return plain, whole, merged

    found = Relation(
        "adapters" if side is None else "adapter_on" if side else "adapter_off",
        "elements",
        matched=len(firsts) * size,
        seen=len(firsts) * size,
        count=own.elements,
        rest_pct=0.0,
        size=rank_of_update(own),
    )
    try:
        for each in files:
            for name in each.names:
                each.fetch(name, fetching if each.bytes_to_download(name) else None)
        plain, whole, merged = sampled(firsts, size)
        relation: Relation | None
        if not moved:
            idle = np.array_equal(plain, whole)
            relation = replace(found, kind="adapter_idle") if idle else None
        elif _are_same(plain, bare.values, merged, other.values):
            # What is the same with the update and without does not tell the one from the other.
            told = side is None or not np.array_equal(plain, whole)
            relation = replace(found, rest_pct=_apart_pct(plain, merged)) if told else None
        elif side is None:
            relation = None
        elif share := merged_share(plain, whole, merged, (own.values, other.values)):
            relation = replace(
                found,
                kind="adapter_share",
                matched=share.matched,
                rest_pct=share.rest_pct,
                low=share.share,
                high=share.share,
            )
        else:
            coarse = rounded_base(plain, whole, merged)
            columns = own.shape[-1] if len(own.shape) == 2 else 0
            if coarse is None and 0 < columns <= LONGEST_AXIS:
                several = spread(own.shape[0])
                several = several[:: -(-len(several) // max(_IN_ROWS // columns, _ROWS))]
                rows = [int(row) * columns for row in several]
                coarse = rounded_rows(*sampled(rows, columns))
            relation = coarse and replace(
                found, kind="adapter_rounded", matched=coarse.matched, rest_pct=coarse.far_pct
            )
        for each, tensor in zip(files, (own, other), strict=True):
            each.done(tensor)
    except TensorUnreadable:
        return None
    finally:
        for each in files:
            each.close()
    return relation


def _places(own: TensorInfo, size: int) -> list[int]:
    """Where runs of so many values are looked at: spread over the tensor, and in rows that the
    adapter trained anew, which these may all miss."""
    runs, columns = max(own.elements // size, 1), prod(own.shape[1:])
    rows = np.array(sorted(replaced_rows(own)), np.int64)
    within = (rows[spread(rows.size)] * columns + columns // 2) // size
    numbers = np.union1d(spread(runs), np.minimum(within, runs - 1))
    return [int(number) * size for number in numbers]


def _is_borne_out(relation: Relation, change: Change) -> bool:
    """Whether all elements are as near as the sample has it, where it tells of roundings alone."""
    if relation.kind != "adapter_share" or relation.low != 1.0 or change.statistics is None:
        return True
    far, step = change.statistics.rel_frobenius_pct, change.statistics.resolution_pct
    return far is not None and step is not None and far <= _FURTHEST * step


def _values(files: OpenFiles, tensor: TensorInfo, places: Sequence[int], length: int) -> _Floats:
    """Runs of so many values from these places on, a row each."""
    stored = STORED_TYPES[tensor.values]
    raw = np.empty(len(places) * length * stored.bits // 8, np.uint8)
    files.fill_clusters(tensor, places, raw)
    values = np.empty(len(places) * length, np.float32 if stored.bits < 64 else np.float64)
    decode_into(raw, stored, values)
    return values.reshape(-1, length)


def _are_same(one: _Floats, kind: str, other: _Floats, other_kind: str) -> bool:
    """Whether these are the same values, or are so once one side is rounded to the other's type."""
    return bool(
        np.array_equal(one, other)
        or np.array_equal(rounded(one, other_kind), other)
        or np.array_equal(rounded(other, kind), one)
    )


def _apart_pct(one: _Floats, other: _Floats) -> float:
    """How far apart they are, in percent of the one's norm: nothing where they are equal."""
    return 0.0 if np.array_equal(one, other) else 100 * distance(other, one)
