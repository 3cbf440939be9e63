"""Tensors that a recipe makes of stored bytes, decoded range by range. The recipes themselves are
imported by who has one: most tensors are stored as they are."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints import STORED_TYPES, TensorInfo
from modeldiff.checkpoints.tensor import Decoder, Fill

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
        from modeldiff.checkpoints.recipes.column_codes import ColumnCodes

        decoder, grain = self._decoder(tensor)
        width = STORED_TYPES[tensor.values].bits // 8
        last = first + buffer.size // width
        end = min(last + -last % grain, tensor.elements)
        # Columns are read by panels, not range by range, and cheapest for many rows at once.
        by_columns = isinstance(tensor.recipe, ColumnCodes)
        at_once = max(end, 1) if by_columns else AT_ONCE
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
