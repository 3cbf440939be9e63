"""Whether one side of a row is what the other is without its adapter, or is that adapter on weights
that had been rounded.

Asked of every tensor that moved and that an adapter updates on one side alone, however far it
moved: to name it tells an adapter put on its base, a folder called merged into which nothing was
merged, and an adapter that was merged onto a quantised base after that was dequantised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from modeldiff.architectures.place import Place
from modeldiff.changes.change import Change
from modeldiff.changes.dtype_pairs import decode_into
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.changes.relation import Relation
from modeldiff.changes.relations.rounded_base import rounded_base, rounded_rows
from modeldiff.changes.relations.sampling import LONGEST_AXIS, RUN_LENGTH, spread
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo
from modeldiff.checkpoints.dtypes import StoredType
from modeldiff.checkpoints.recipes.adapted.without_update import rank_of_update, without_update
from modeldiff.checkpoints.tensor import TensorUnreadable

_Fetching = Callable[[int, int], None]
_Bytes = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float64]
_ROWS, _IN_ROWS = 8, 1 << 15
"""So many whole rows are looked at, at least, for steps that each row has of its own; of short rows
so many values."""


def relate_adapters(
    changes: Iterable[Change],
    checkpoints: tuple[Checkpoint, Checkpoint],
    fetching: _Fetching | None,
    looking: Callable[[], None],
) -> Mapping[Place, Relation]:
    """The relation of each row whose other side is the same without the adapter, as far as samples
    show. Raises as ``relate`` does."""
    relations = {}
    for change in changes:
        sides = _sides(change)
        if sides is None:
            continue
        looking()
        relation = _compared(sides, checkpoints, fetching)
        if relation is not None:
            relations[change.pair.place] = relation
    return relations


def _sides(change: Change) -> tuple[int, TensorInfo, TensorInfo, TensorInfo] | None:
    """Which side of a row that moved has an adapter, its tensor with and without it, and the other
    side's; None where that is not one alone."""
    base, target = change.pair.base, change.pair.target
    if base is None or target is None or (base.recipe is None and target.recipe is None):
        return None
    sums = change.statistics.sums if change.statistics else None
    if sums is None or sums.unchanged == sums.n:
        return None
    plain = without_update(base), without_update(target)
    if (plain[0] is None) == (plain[1] is None) or base.values != target.values:
        return None
    side = 0 if plain[0] is not None else 1
    own, other = ((base, target), (target, base))[side]
    bare = plain[side]
    assert bare is not None
    return side, own, bare, other


def _compared(
    sides: tuple[int, TensorInfo, TensorInfo, TensorInfo],
    checkpoints: tuple[Checkpoint, Checkpoint],
    fetching: _Fetching | None,
) -> Relation | None:
    side, own, bare, other = sides
    size = min(RUN_LENGTH, own.elements)
    runs = max(own.elements // size, 1)
    firsts = (spread(runs) * size).tolist()
    files = OpenFiles(checkpoints[side], [own]), OpenFiles(checkpoints[1 - side], [other])
    width = STORED_TYPES[own.values].bits // 8
    asked = (files[0], bare), (files[1], other), (files[0], own)
    stored = STORED_TYPES[own.values]

    def sampled(places: Sequence[int], length: int) -> list[_Bytes]:
        """Values of base without its adapter, of the other side, and of base with it."""
        buffers = [np.empty(len(places) * length * width, np.uint8) for _ in asked]
        for (each, tensor), buffer in zip(asked, buffers, strict=True):
            each.fill_clusters(tensor, places, buffer)
        return buffers

    rounded = None
    try:
        for each in files:
            for name in each.names:
                each.fetch(name, fetching if each.bytes_to_download(name) else None)
        read = sampled(firsts, size)
        equal = np.array_equal(read[0], read[1])
        if not equal:
            rounded = rounded_base(*_as_runs(read, stored, size))
        columns = own.shape[-1] if len(own.shape) == 2 else 0
        if not equal and rounded is None and 0 < columns <= LONGEST_AXIS:
            several = spread(own.shape[0])
            several = several[:: -(-len(several) // max(_IN_ROWS // columns, _ROWS))]
            rows = [int(row) * columns for row in several]
            rounded = rounded_rows(*_as_runs(sampled(rows, columns), stored, columns))
        for each, tensor in zip(files, (own, other), strict=True):
            each.done(tensor)
    except TensorUnreadable:
        return None
    finally:
        for each in files:
            each.close()
    count = len(firsts) * size
    found = Relation(
        "adapter_off" if side == 0 else "adapter_on",
        "elements",
        matched=count,
        seen=count,
        count=own.elements,
        rest_pct=0.0,
        size=rank_of_update(own),
    )
    if equal:
        return found
    if rounded is None:
        return None
    return replace(found, kind="adapter_rounded", matched=rounded.matched, rest_pct=rounded.far_pct)


def _as_runs(read: Sequence[_Bytes], stored: StoredType, length: int) -> tuple[_Floats, ...]:
    """What was read, as runs of so many values: of base, the same with its adapter, the other
    side's."""
    plain, merged, whole = (_decoded(raw, stored).reshape(-1, length) for raw in read)
    return plain, whole, merged


def _decoded(raw: _Bytes, stored: StoredType) -> _Floats:
    values = np.empty(raw.size * 8 // stored.bits, np.float32 if stored.bits < 64 else np.float64)
    decode_into(raw, stored, values)
    return values.astype(np.float64)
