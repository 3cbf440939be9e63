"""One pair of tensors as matrices, read again block by block."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.cores import MOST_THREADS, usable_cores
from modeldiff.changes.change import Pair, Progress, ReportProgress
from modeldiff.changes.dtype_pairs import DtypePair, decode_into, dtype_pair
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import Checkpoint, TensorInfo
from modeldiff.checkpoints.tensor import Fill, TensorUnreadable
from modeldiff.errors import CheckpointError, InvalidOption
from modeldiff.processes.late_dataclass import dataclass

BLOCK_ELEMENTS = 1 << 18
"""Elements of a block, but at least a row: what NumPy does to it stays near the processor."""

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]
_Outcome = TypeVar("_Outcome")


@dataclass(frozen=True)
class MatrixPair:
    """A pair that was compared, as two matrices of ``rows`` × ``columns``.

    A vector is a column of rows; of more dimensions, all after the first are columns.
    """

    pair: Pair
    base: TensorInfo
    target: TensorInfo
    types: DtypePair
    rows: int
    columns: int

    @property
    def working(self) -> np.dtype[Any]:
        """float64 where a side is stored as such, else float32."""
        return np.dtype(np.float64 if self.types.precision == "float64" else np.float32)

    @property
    def nbytes(self) -> int:
        """Stored bytes of both sides."""
        return self.base.nbytes + self.target.nbytes


def matrix_pair(pair: Pair) -> MatrixPair:
    """The pair as matrices. Raises ``InvalidOption`` for one that cannot be measured."""
    base, target = pair.base, pair.target
    if pair.status != "compared" or base is None or target is None:
        raise InvalidOption(
            f"{pair.place.column} was not compared, so there is nothing closer to see.",
            hint="Choose a tensor that both checkpoints have in one shape.",
        )
    types = dtype_pair(base.values, target.values)
    if types is None:
        raise InvalidOption(
            f"{base.values} and {target.values} cannot be compared by element.",
            hint="Choose another tensor.",
        )
    rows = base.shape[0] if base.shape else 1
    return MatrixPair(pair, base, target, types, rows, math.prod(base.shape[1:]))


def require_floats(matrix: MatrixPair) -> None:
    """Raises ``InvalidOption`` where the elements are no floats."""
    if matrix.types.precision == "equality":
        raise InvalidOption(
            f"{matrix.base.name} is stored as {matrix.base.dtype}: its elements can only be told "
            "equal or not.",
            hint="Choose a tensor of floats.",
        )


class PairReader:
    """Reads a pair's rows, by several threads at once, and says how far it is.

    A context: it closes the files. ``passes`` is how often the whole pair will be read. What
    ``progress`` raises, ``Cancelled`` for one, ends the reading.

    Raises ``CheckpointChanged`` when a file is not what was opened, ``CheckpointError`` when the
    disk fails, and what fetching raises.
    """

    def __init__(
        self,
        matrix: MatrixPair,
        base: Checkpoint,
        target: Checkpoint,
        progress: ReportProgress | None = None,
        *,
        passes: int = 1,
        threads: int | None = None,
    ) -> None:
        self.matrix = matrix
        self._files = OpenFiles(base, [matrix.base]), OpenFiles(target, [matrix.target])
        self._tensors = matrix.base, matrix.target
        self._stored = matrix.types.base, matrix.types.target
        self._progress = progress or (lambda _: None)
        self._threads = threads or min(usable_cores(), MOST_THREADS)
        self._done = 0
        self._total = passes * matrix.nbytes
        self._buffers = threading.local()

    def __enter__(self) -> Self:
        try:
            for files in self._files:
                self._fetch(files)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                for files, tensor in zip(self._files, self._tensors, strict=True):
                    files.done(tensor)
        finally:
            self.close()

    def close(self) -> None:
        """Close the files."""
        for files in self._files:
            files.close()

    def report(self, doing: str = "") -> None:
        """Tell how far it is, and what is being done if that is not reading."""
        name = doing or self.matrix.base.name
        self._progress(Progress("measuring", self._done, self._total, 0, 1, current=name))

    def blocks(self, elements: int = BLOCK_ELEMENTS) -> list[tuple[int, int]]:
        """The rows (from, to) of blocks of about so many elements: whole rows, at least one."""
        matrix = self.matrix
        step = max(elements // max(matrix.columns, 1), 1)
        return [(row, min(row + step, matrix.rows)) for row in range(0, matrix.rows, step)]

    def raw(self, start: int, stop: int) -> tuple[Bytes, Bytes]:
        """The values' bytes of rows ``start`` to ``stop`` of both sides, a row of bytes each.

        They stand in buffers of this thread, until it reads again.
        """
        sides = []
        sources = zip(self._files, self._tensors, self._stored, strict=True)
        for side, (files, tensor, stored) in enumerate(sources):
            width = self.matrix.columns * stored.bits // 8
            raw = self._buffer(f"raw {side}", (stop - start) * width, np.dtype(np.uint8))
            if raw.size:
                try:
                    files.fill(tensor, start * self.matrix.columns, raw)
                except TensorUnreadable as error:
                    raise _unreadable(tensor, error) from error
            sides.append(raw.reshape(stop - start, width))
        return sides[0], sides[1]

    def reading(self, side: int) -> Fill:
        """How tensors are read that lie in the files of base (0) or target (1)."""

        def fill(tensor: TensorInfo, first: int, out: memoryview) -> None:
            try:
                self._files[side].fill(tensor, first, np.frombuffer(out, np.uint8))
            except TensorUnreadable as error:
                raise _unreadable(tensor, error) from error

        return fill

    def rows(self, start: int, stop: int) -> tuple[Values, Values]:
        """The values of rows ``start`` to ``stop`` of both sides in the working type, each
        [rows, columns], in buffers of this thread, until it reads again."""
        return self.decoded(*self.raw(start, stop))

    def decoded(self, base: Bytes, target: Bytes) -> tuple[Values, Values]:
        """The values of rows of their bytes; see ``rows``."""
        shape = len(base), self.matrix.columns
        sides = []
        for side, (content, stored) in enumerate(zip((base, target), self._stored, strict=True)):
            values = self.scratch(f"values {side}", shape)
            decode_into(content.reshape(-1), stored, values.reshape(-1))
            sides.append(values)
        return sides[0], sides[1]

    def scratch(self, name: str, shape: tuple[int, ...]) -> Values:
        """A buffer of this thread in the working type, with whatever stands in it."""
        return self._buffer(name, math.prod(shape), self.matrix.working).reshape(shape)

    def walk(
        self, blocks: list[tuple[int, int]], act: Callable[[int, int], _Outcome]
    ) -> Iterator[_Outcome]:
        """``act(start, stop)`` for all blocks by several threads; what it returns, in order."""
        waiting: deque[tuple[int, int, Future[_Outcome]]] = deque()
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="drill-down")
        self.report()
        try:
            for start, stop in blocks:
                waiting.append((start, stop, pool.submit(act, start, stop)))
                if len(waiting) > 2 * self._threads:
                    yield self._next(waiting)
            while waiting:
                yield self._next(waiting)
        finally:
            pool.shutdown(cancel_futures=True)

    def in_threads(self, act: Callable[[int], object]) -> None:
        """``act(number)`` in each of the reader's threads; what one raises is raised."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="drill-down") as pool:
            for future in [pool.submit(act, number) for number in range(self._threads)]:
                while True:
                    with contextlib.suppress(TimeoutError):
                        future.result(timeout=0.1)
                        break
                    self.report()

    def _next(self, waiting: deque[tuple[int, int, Future[_Outcome]]]) -> _Outcome:
        start, stop, future = waiting.popleft()
        outcome = future.result()
        matrix = self.matrix
        self._done += matrix.nbytes * stop // matrix.rows - matrix.nbytes * start // matrix.rows
        self.report()
        return outcome

    def _buffer(self, name: str, size: int, kind: np.dtype[Any]) -> npt.NDArray[Any]:
        """``size`` elements of a buffer that this thread uses again; page faults cost more than
        what is done with the pages."""
        kept: dict[str, npt.NDArray[Any]] = self._buffers.__dict__
        if name not in kept or kept[name].size < size:
            kept[name] = np.empty(size, kind)
        return kept[name][:size]

    def _fetch(self, files: OpenFiles) -> None:
        for file in files.names:
            files.fetch(file, self._fetching if files.bytes_to_download(file) else None)

    def _fetching(self, here: int, total: int) -> None:
        self._progress(Progress("fetching", here, total, 0, 1, current=self.matrix.base.name))


def _unreadable(tensor: TensorInfo, error: TensorUnreadable) -> CheckpointError:
    return CheckpointError(f"{tensor.name}: {error}.", hint="Check that its disk works.")
