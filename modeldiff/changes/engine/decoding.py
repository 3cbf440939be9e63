"""Tensors that a recipe makes of stored bytes, decoded range by range. The recipes themselves are
imported by who has one: most tensors are stored as they are."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints import STORED_TYPES, TensorInfo
from modeldiff.checkpoints.tensor import Decoder, Fill, RunDecoder

if TYPE_CHECKING:
    from modeldiff.checkpoints.recipes.stored_codes import CodeKind, StoredCodes

AT_ONCE = 1 << 18
"""Elements that are decoded at once: of at most eight bytes, so that what a decoder reads and
writes stays within 2 MiB each."""


class Decoders:
    """The open recipes of some tensors. ``read`` is how they read their operands."""

    def __init__(self, read: Fill) -> None:
        self._read = read
        self._lock = threading.RLock()  # an operand may have a recipe of its own
        self._open: dict[TensorInfo, Decoder] = {}

    def fill(self, tensor: TensorInfo, first: int, buffer: npt.NDArray[np.uint8]) -> None:
        """Fill the buffer with the bytes of the tensor's values from element ``first`` on. What
        does not begin or end on a whole grain is decoded beside it and copied.

        Raises what reading raises.
        """
        with np.errstate(all="ignore"):  # what is broken in a file is shown, not warned of
            self._fill(*self._decoder(tensor), tensor, first, buffer)

    def fill_runs(
        self, tensor: TensorInfo, firsts: Sequence[int], buffer: npt.NDArray[np.uint8]
    ) -> None:
        """Fill the buffer with as many equal runs of the tensor's values, each from an element on.
        Raises what reading raises."""
        with np.errstate(all="ignore"):
            self._fill_runs(*self._decoder(tensor), tensor, firsts, buffer)

    def _fill_runs(
        self,
        decoder: Decoder,
        grain: int,
        tensor: TensorInfo,
        firsts: Sequence[int],
        buffer: npt.NDArray[np.uint8],
    ) -> None:
        runs = buffer.reshape(len(firsts), -1)
        width = STORED_TYPES[tensor.values].bits // 8
        count = runs.shape[1] // width
        before = [first % grain for first in firsts]
        span = max(before) + count
        span += -span % grain
        begins = [first - cut for first, cut in zip(firsts, before, strict=True)]
        short = len(firsts) * span <= AT_ONCE and max(begins) + span <= tensor.elements
        if not short or not isinstance(decoder, RunDecoder):
            for first, run in zip(firsts, runs, strict=True):
                self._fill(decoder, grain, tensor, first, run)
            return
        whole = np.empty((len(firsts), span * width), np.uint8)
        decoder.fill_runs(begins, span, whole.reshape(-1).data)
        for run, decoded, cut in zip(runs, whole, before, strict=True):
            run[:] = decoded[cut * width :][: run.size]

    def _fill(
        self,
        decoder: Decoder,
        grain: int,
        tensor: TensorInfo,
        first: int,
        buffer: npt.NDArray[np.uint8],
    ) -> None:
        from modeldiff.checkpoints.recipes.column_codes import ColumnCodes

        width = STORED_TYPES[tensor.values].bits // 8
        last = first + buffer.size // width
        end = min(last + -last % grain, tensor.elements)
        # Columns are read by panels, not range by range, and cheapest for many rows at once.
        at_once = max(end, 1) if isinstance(tensor.recipe, ColumnCodes) else AT_ONCE
        for start in range(first - first % grain, end, at_once):
            stop = min(start + at_once, end)
            begin = max(start, first)
            out = buffer[(begin - first) * width : (min(stop, last) - first) * width]
            if out.size == (stop - start) * width:
                decoder.fill(start, stop, out.data)
                continue
            beside = np.empty((stop - start) * width, np.uint8)
            decoder.fill(start, stop, beside.data)
            out[:] = beside[(begin - start) * width :][: out.size]

    def read_codes(
        self,
        tensor: TensorInfo,
        first: int,
        last: int,
        buffer: npt.NDArray[np.uint8],
        kinds: frozenset[CodeKind],
    ) -> StoredCodes | None:
        """Fill the begin of the buffer with the codes of values ``first`` to ``last``; of a slice
        with those of the whole. None, and nothing read, where they are none of these ``kinds``, do
        not begin and end on whole grains, or find no room. Raises what reading raises."""
        from modeldiff.checkpoints.recipes.element_slice import ElementSlice
        from modeldiff.checkpoints.recipes.stored_codes import CodeReader

        recipe = tensor.recipe
        if isinstance(recipe, ElementSlice) and not recipe.strides:
            whole, begun = recipe.tensor, recipe.first
            return self.read_codes(whole, begun + first, begun + last, buffer, kinds)
        if recipe is None or first % recipe.grain:
            return None
        if last % recipe.grain and last != tensor.elements:
            return None
        decoder, _ = self._decoder(tensor)
        if not isinstance(decoder, CodeReader) or decoder.kind not in kinds:
            return None
        return decoder.read_codes(first, last, buffer.data)

    def drop(self, tensor: TensorInfo) -> None:
        """Forget a tensor's open recipe, if it has one."""
        if tensor.recipe is not None:
            with self._lock:
                self._open.pop(tensor, None)
            for operand in tensor.recipe.operands:
                self.drop(operand)

    def _decoder(self, tensor: TensorInfo) -> tuple[Decoder, int]:
        recipe = tensor.recipe
        assert recipe is not None
        with self._lock:  # held while scales are read: the others would want them, too
            decoder = self._open.get(tensor)
            if decoder is None:
                decoder = self._open[tensor] = recipe.open(self._read)
        return decoder, recipe.grain
