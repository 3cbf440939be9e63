"""A drill-down that the program does not have, and what it takes to offer it for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modeldiff.architectures import Place
from modeldiff.changes.drilldown.pair_reader import PairReader, matrix_pair
from modeldiff.results import DrillDownKind
from modeldiff.results.drilldowns.kind import About, Inputs, array_of, is_matrix
from modeldiff.results.drilldowns.registry import register, unregister


@dataclass(frozen=True, eq=False)
class ColumnChanges:
    """The largest change of each column of a matrix, and the thread that measured it."""

    largest: npt.NDArray[np.float32]
    thread: str


def _measure(inputs: Inputs) -> ColumnChanges:
    def largest(start: int, stop: int) -> npt.NDArray[np.float32]:
        base, target = reader.rows(start, stop)
        values: npt.NDArray[np.float32] = np.abs(target - base).max(axis=0)
        return values

    with PairReader(
        matrix_pair(inputs.pair), *inputs.comparison.checkpoints, inputs.progress
    ) as reader:
        rows = np.stack(list(reader.walk(reader.blocks(), largest)))
    return ColumnChanges(rows.max(axis=0), threading.current_thread().name)


def _encode(result: ColumnChanges, place: Place) -> tuple[pa.Table, About]:
    del place
    return pa.table({"largest": result.largest}), {"thread": result.thread}


def _decode(table: pa.Table, about: About) -> ColumnChanges:
    return ColumnChanges(array_of(table, "largest"), about["thread"])


COLUMNS = DrillDownKind(
    "columns",
    possible=lambda pair, *_: is_matrix(pair) and pair.place.layer is not None,
    measure=_measure,
    encode=_encode,
    decode=_decode,
    lane="columns",
)


@contextmanager
def offering_columns() -> Iterator[None]:
    """The registry with ``COLUMNS``, as long as the context lasts."""
    register(COLUMNS)
    try:
        yield
    finally:
        unregister(COLUMNS.name)
