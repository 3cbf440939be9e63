"""One side of a chunk as the kernel takes it: plain values, or codes with what belongs to them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from modeldiff.checkpoints import StoredType
from modeldiff.checkpoints.recipes.small_floats import table8
from modeldiff.checkpoints.recipes.stored_codes import StoredCodes
from modeldiff.processes.late_dataclass import dataclass

_PLAIN: dict[str, torch.dtype] = {
    "BF16": torch.int16,
    "F16": torch.float16,
    "F32": torch.int32,
    "TABLE8": torch.uint8,
}
"""The words that the kernel loads of each plain kind."""
_ALIGNED = 16


class SidePointers(NamedTuple):
    """What the kernel takes of a side, in the order of its parameters, on the device."""

    raw: torch.Tensor
    scales: torch.Tensor
    zeros: torch.Tensor
    grid: torch.Tensor
    table: torch.Tensor


@dataclass(frozen=True)
class ChunkSide:
    """``n`` values that stand at the begin of ``host``: as their type ``stored`` has them, or, with
    ``codes``, as these. Of codes ``pack`` puts what belongs to them behind them."""

    host: torch.Tensor
    n: int
    stored: StoredType
    codes: StoredCodes | None = None

    @property
    def kind(self) -> str:
        """What the kernel calls the way in which values are stored."""
        if self.codes is not None:
            return self.codes.kind
        return "TABLE8" if self.stored.bits == 8 else self.stored.name

    @property
    def rounding(self) -> str:
        """The type that decoded values are rounded to."""
        return "F32" if self.codes is None else self.codes.rounding

    @property
    def nbytes(self) -> int:
        """Bytes to copy, when packed."""
        if self.codes is None:
            return self.n * self.stored.bits // 8
        if self.codes.grid is None:
            return self.codes.nbytes
        return self._places[-1] + self.codes.zeros.nbytes

    @property
    def _places(self) -> tuple[int, int, int]:
        """Where grid, scales and zero points stand behind codes. Each place is aligned: Triton
        compiles a kernel anew for addresses that are not."""
        assert self.codes is not None
        grid = _aligned(self.codes.nbytes)
        scales = grid + _GRID_BYTES
        return grid, scales, _aligned(scales + self.codes.scales.nbytes)

    def pack(self) -> None:
        """Put grid, scales and zero points behind codes in groups. Once, before they are copied."""
        codes = self.codes
        if codes is None or codes.grid is None:
            return
        grid = codes.grid
        whole = (grid.columns, grid.block_rows, grid.block_columns, grid.begun, codes.zeros.size)
        numbers = np.zeros(_GRID_BYTES // 8, np.int64)
        numbers[: len(whole)] = whole
        memory = self.host.numpy()
        arrays: tuple[npt.NDArray[Any], ...] = (numbers, codes.scales, codes.zeros)
        for at, array in zip(self._places, arrays, strict=True):
            memory[at : at + array.nbytes] = array.view(np.uint8)

    def table(self) -> npt.NDArray[np.float32] | None:
        """What its codes stand for; None where the kernel needs no table."""
        if self.codes is not None:
            return self.codes.table if self.codes.table.size else None
        return table8(self.stored.name) if self.kind == "TABLE8" else None

    def on_device(self, raw: torch.Tensor, table: torch.Tensor) -> SidePointers:
        """The kernel's view of ``raw``, a copy of this side's bytes on the device."""
        codes = self.codes
        if codes is None:
            return SidePointers(raw.view(_PLAIN[self.kind]), table, table, raw, table)
        if codes.grid is None:
            return SidePointers(raw, table, table, raw, table)
        at, scales, zeros = self._places
        grid = raw[at:scales].view(torch.int64)
        of_groups = [
            raw[begin : begin + array.nbytes].view(torch.float32)
            for begin, array in ((scales, codes.scales), (zeros, codes.zeros))
        ]
        return SidePointers(
            raw, of_groups[0], of_groups[1] if codes.zeros.size else table, grid, table
        )


_GRID_BYTES = 48
"""Room of the grid's numbers, in whole multiples of what is aligned."""


def _aligned(nbytes: int) -> int:
    return -(-nbytes // _ALIGNED) * _ALIGNED
