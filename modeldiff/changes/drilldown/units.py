"""Change a head, a block of neurons or an expert: a matrix cut along what counts them.

A head of q, k and v is some rows of the matrix, of o some columns; a neuron of an MLP is a row of
gate and up, a column of down. Each unit is measured by the same kernels as a whole tensor, so its
median is exact too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from modeldiff.architectures import Architecture, Place
from modeldiff.changes.arrays import statistics_of_bytes
from modeldiff.changes.change import Change, Pair, ReportProgress, Statistics
from modeldiff.changes.drilldown.pair_reader import (
    Bytes,
    MatrixPair,
    PairReader,
    matrix_pair,
)
from modeldiff.changes.statistics.statistics import merge_statistics
from modeldiff.checkpoints import Checkpoint
from modeldiff.errors import InvalidOption
from modeldiff.processes.late_dataclass import dataclass

UnitKind = Literal["query head", "KV head", "neuron block", "expert"]

MOST_UNIT_BLOCKS = 64
"""Into so many blocks the neurons of an MLP are cut at most."""
_GATHERED_BYTES = 256 << 20
"""Stored bytes of both sides that are in memory at once while columns are gathered."""
_QUERY = ("self_attn.q_proj", "self_attn.q_b_proj")
_KEYS_VALUES = ("self_attn.k_proj", "self_attn.v_proj")
_NEURONS_OUT = ("gate_proj", "up_proj")


@dataclass(frozen=True)
class Units:
    """How a pair is cut: unit i is from ``edges[i]`` to ``edges[i + 1]`` along ``axis`` (0: rows,
    1: columns, as stored). ``groups`` is the KV head that each query head reads, empty where there
    is nothing to say."""

    kind: UnitKind
    axis: Literal[0, 1]
    edges: tuple[int, ...]
    groups: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.edges) - 1


@dataclass(frozen=True)
class UnitChanges:
    """The statistics of each unit, in order."""

    units: Units
    statistics: tuple[Statistics, ...]


def units_of(pair: Pair, architecture: Architecture) -> Units | None:
    """How the pair is cut into heads or blocks of neurons, by the numbers of the architecture that
    either side has; None where its component has neither."""
    tensor = pair.base
    component = pair.place.component
    main = architecture.layer_kinds[0].tower if architecture.layer_kinds else ""
    if tensor is None or pair.place.layer is None or not 1 <= len(tensor.shape) <= 2:
        return None
    transposed = _is_transposed(pair, architecture) and len(tensor.shape) == 2
    out: Literal[0, 1] = 1 if transposed else 0
    into: Literal[0, 1] = 0 if out else 1
    name = component.rpartition(".")[2]
    if pair.place.tower == main:
        if component in _QUERY or component in _KEYS_VALUES:
            return _heads(component, tensor.shape, out, architecture)
        if component == "self_attn.o_proj" and len(tensor.shape) == 2:
            return _heads(component, tensor.shape, into, architecture)
    if not component.startswith("mlp."):
        return None
    if name in _NEURONS_OUT:
        return _blocks(tensor.shape, out)
    if name == "down_proj" and len(tensor.shape) == 2:
        return _blocks(tensor.shape, into)
    return None


def units_between(pair: Pair, base: Architecture, target: Architecture) -> Units | None:
    """``units_of`` by whichever architecture knows the numbers. A matrix that only one side stores
    [in, out] stands in the pair as the other side stores it, so that side is asked first."""
    sides = sorted((base, target), key=lambda side: _is_transposed(pair, side))
    if _is_transposed(pair, sides[0]) != _is_transposed(pair, sides[1]):
        sides = sides[:1]
    answers = (units_of(pair, side) for side in sides)
    return next((units for units in answers if units is not None), None)


def measure_units(
    pair: Pair,
    units: Units,
    base: Checkpoint,
    target: Checkpoint,
    *,
    progress: ReportProgress | None = None,
) -> UnitChanges:
    """The statistics of each unit, as ``Change`` has them of whole tensors; medians are exact.

    Raises ``InvalidOption`` for a pair that cannot be measured or cut so, and what ``PairReader``
    raises.
    """
    matrix = matrix_pair(pair)
    length = matrix.columns if units.axis else matrix.rows
    if units.edges[-1] > length or any(bits % 8 for bits in _bits(matrix)):
        raise InvalidOption(
            f"{matrix.base.name} cannot be cut into these units.", hint="Choose another tensor."
        )
    batches = _batches(matrix, units)
    passes = 1 if units.axis == 0 else len(batches)
    with PairReader(matrix, base, target, progress, passes=passes) as reader:
        if units.axis == 0:
            blocks = [(units.edges[i], units.edges[i + 1]) for i in range(len(units))]

            def measure(start: int, stop: int) -> Statistics:
                one, other = reader.raw(start, stop)
                return statistics_of_bytes(one.reshape(-1), other.reshape(-1), matrix.types)

            return UnitChanges(units, tuple(reader.walk(blocks, measure)))
        statistics: list[Statistics] = []
        for batch in batches:
            edges = units.edges[batch.start : batch.stop + 1]
            statistics += _measure_columns(reader, matrix, edges)
        return UnitChanges(units, tuple(statistics))


def expert_changes(changes: Iterable[Change], place: Place) -> dict[int, Statistics]:
    """The statistics of each expert at a place (all parameters of its component), from the rows of
    a change table: nothing is read."""
    experts: dict[int, list[Statistics]] = {}
    for change in changes:
        own = change.pair.place
        same = (own.layer, own.component, own.tower) == (place.layer, place.component, place.tower)
        if not same or own.parameter != place.parameter or own.expert is None:
            continue
        if change.statistics is not None:
            experts.setdefault(own.expert, []).append(change.statistics)
    return {
        expert: parts[0] if len(parts) == 1 else merge_statistics(parts)
        for expert, parts in sorted(experts.items())
    }


def _is_transposed(pair: Pair, architecture: Architecture) -> bool:
    """Whether the component's matrices are stored [in, out]: in all layers, or in none."""
    return any(
        parameter.transposed
        for parameter in architecture.parameters
        if parameter.place.column == pair.place.column
    )


def _heads(
    component: str, shape: Sequence[int], axis: Literal[0, 1], architecture: Architecture
) -> Units | None:
    length = shape[axis]
    size, heads, kv_heads = (architecture.number(k) for k in ("head_dim", "heads", "kv_heads"))
    counted = kv_heads if component in _KEYS_VALUES else heads
    if component != "self_attn.q_b_proj" and size and length % size == 0:
        count = length // size
    elif counted and length % counted == 0:
        count = counted
    else:
        return None
    if not count:
        return None
    edges = tuple(range(0, length + 1, length // count))
    if component in _KEYS_VALUES:
        return Units("KV head", axis, edges, tuple(range(count)))
    groups: tuple[int, ...] = ()
    if kv_heads and kv_heads <= count and count % kv_heads == 0:
        groups = tuple(head // (count // kv_heads) for head in range(count))
    return Units("query head", axis, edges, groups)


def _blocks(shape: Sequence[int], axis: Literal[0, 1]) -> Units | None:
    length = shape[axis]
    count = min(length, MOST_UNIT_BLOCKS)
    if not count:
        return None
    return Units("neuron block", axis, tuple(i * length // count for i in range(count + 1)))


def _bits(matrix: MatrixPair) -> tuple[int, int]:
    return matrix.types.base.bits, matrix.types.target.bits


def _batches(matrix: MatrixPair, units: Units) -> list[range]:
    """The units in turns whose columns are in memory at once."""
    count = max(-(-matrix.nbytes // _GATHERED_BYTES), 1)
    step = max(-(-len(units) // count), 1)
    return [range(i, min(i + step, len(units))) for i in range(0, len(units), step)]


def _measure_columns(
    reader: PairReader, matrix: MatrixPair, edges: Sequence[int]
) -> list[Statistics]:
    """Gathers some units' columns, then measures them one by one."""
    widths = [bits // 8 for bits in _bits(matrix)]
    gathered: list[list[Bytes]] = [
        [np.empty((matrix.rows, (stop - start) * width), np.uint8) for width in widths]
        for start, stop in pairwise(edges)
    ]

    def gather(first: int, last: int) -> None:
        for side, (raw, width) in enumerate(zip(reader.raw(first, last), widths, strict=True)):
            for number, unit in enumerate(gathered):
                columns = slice(edges[number] * width, edges[number + 1] * width)
                unit[side][first:last] = raw[:, columns]

    for _ in reader.walk(reader.blocks(), gather):
        pass
    statistics: list[Statistics] = [Statistics()] * len(gathered)
    waiting = iter(range(len(gathered)))
    lock = threading.Lock()

    def measure(_: int) -> None:
        while True:
            with lock:
                number = next(waiting, None)
            if number is None:
                return
            one, other = (side.reshape(-1) for side in gathered[number])
            statistics[number] = statistics_of_bytes(one, other, matrix.types)

    reader.in_threads(measure)
    return statistics
