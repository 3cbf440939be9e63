"""What jobs, store and pages need to know of a kind of drill-down, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from modeldiff.architectures import Place
from modeldiff.changes import Pair
from modeldiff.changes.change import ReportProgress
from modeldiff.comparison import Comparison
from modeldiff.processes.late_dataclass import dataclass

if TYPE_CHECKING:  # imported late elsewhere too: a page without a drill-down does without it
    import pyarrow as pa

STARTS_UNASKED_BELOW = 600_000_000
"""Bytes of both sides that are read in a second or two."""

About = Mapping[str, Any]
"""What JSON can hold."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Inputs:
    """What a drill-down is measured from.

    ``pair`` is one that was compared, of the ``comparison``. ``device`` is where what is more than
    reading is computed.
    """

    pair: Pair
    comparison: Comparison
    device: str = "auto"
    progress: ReportProgress | None = None


@dataclass(frozen=True)
class Cost:
    """What it takes to measure: ``nbytes`` of both sides are read ``passes`` times, and up to
    ``more_passes`` times more where what was read calls for it. ``computing`` is a sentence about
    what takes longer than that, and how long; empty where nothing does."""

    nbytes: int
    passes: int = 1
    computing: str = ""
    more_passes: int = 0


def one_read(pair: Pair) -> Cost:
    """The cost of reading ``pair`` once."""
    return Cost(pair.nbytes)


@dataclass(frozen=True)
class DrillDownKind(Generic[_Result]):
    """A kind of drill-down, whose results are of the type ``_Result``: a frozen value.

    ``name``: its name in URLs and in stored files; never changed.
    ``possible``: whether there is one for a measured pair of floats of a comparison, as far as
    headers tell.
    ``measure``: reads the pair. Raises ``InvalidOption`` for a pair that it is not possible for,
    and the errors of reading.
    ``encode``: a result, of a pair at a place, as columns and what JSON can hold beside them.
    ``decode``: the result again, equal in every bit. Raises ``ValueError``, ``TypeError`` or
    ``KeyError`` where these are not of such a result.
    ``cost``: what it takes for a pair, from headers alone.
    ``lane``: the queue of its jobs; those of one lane wait for each other.
    """

    name: str
    possible: Callable[[Pair, Comparison], bool]
    measure: Callable[[Inputs], _Result]
    encode: Callable[[_Result, Place], tuple[pa.Table, About]]
    decode: Callable[[pa.Table, About], _Result]
    cost: Callable[[Pair], Cost] = one_read
    lane: str = "drill-downs"

    def starts_by_itself(self, pair: Pair) -> bool:
        """Whether it is so short for ``pair`` that nobody needs to be asked first, where the files
        are on this machine."""
        cost = self.cost(pair)
        passes = cost.passes + cost.more_passes
        return not cost.computing and passes * cost.nbytes < STARTS_UNASKED_BELOW


def is_matrix(pair: Pair) -> bool:
    """Whether the tensors of a measured pair have two dimensions of more than one element each."""
    return pair.base is not None and len(pair.base.shape) == 2 and min(pair.base.shape) > 1


def of_matrices(pair: Pair, comparison: Comparison) -> bool:
    """``possible`` for a kind that there is for every matrix."""
    del comparison
    return is_matrix(pair)


def array_of(table: pa.Table, column: str) -> npt.NDArray[Any]:
    """A column of a stored table. Raises ``KeyError`` where there is no such column."""
    values: npt.NDArray[Any] = np.ascontiguousarray(table.column(column).to_numpy())
    return values
