"""The kernels of quantised safetensors, and scratch memory for them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.recipes.kernels.stages import (
    AS_BF16,
    AS_F16,
    AS_F32,
    HIGH_NIBBLES,
    LOW_NIBBLES,
    OCTETS,
    QUARTERS,
    ROOM,
    STREAM,
)
from modeldiff.native.library import KernelLibrary

CodeBytes = npt.NDArray[np.uint8]
Float32s = npt.NDArray[np.float32]

CODE_KERNELS = KernelLibrary(
    "the decoders of quantised weights",
    (Path(__file__).parent / "kernels",),
    "modeldiff.checkpoints.recipes.kernels.codes",
    {
        "decode_columns": "i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64",
        "decode_by_block": "raw i64 i64 i64 i64 i64 i64 i64 i64 raw raw raw i64 raw raw",
        "decode_by_column": "raw i64 i64 i64 i64 i64 raw i64 raw raw i64 raw raw",
        "decode_affine": "raw i64 i64 i64 i64 i64 raw raw i64 raw raw",
        "decode_shifted": "raw i64 i64 i64 raw raw i64 raw raw",
    },
    exact=True,
)

Packing = Literal["octets", "low nibbles", "high nibbles", "quarters", "stream"]
"""How codes lie in bytes: one, two or four in each, or one after the other bit by bit."""

GRAINS: dict[Packing, int] = {
    "octets": 1,
    "low nibbles": 2,
    "high nibbles": 2,
    "quarters": 4,
    "stream": 8,
}
"""How many codes are unpacked together, at least."""

PACKINGS: dict[Packing, int] = {
    "octets": OCTETS,
    "low nibbles": LOW_NIBBLES,
    "high nibbles": HIGH_NIBBLES,
    "quarters": QUARTERS,
    "stream": STREAM,
}
ROUNDINGS = {"F32": AS_F32, "F16": AS_F16, "BF16": AS_BF16}
"""As kernels count them."""


class Scratch(threading.local):
    """Memory of each thread, kept for the next range."""

    def __init__(self) -> None:
        self._kept: dict[str, CodeBytes] = {}
        self._room = 0

    def octets(self, use: str, nbytes: int) -> CodeBytes:
        """So many bytes for this use; their content is anything."""
        kept = self._kept.get(use)
        if kept is None or kept.size < nbytes:
            kept = self._kept[use] = np.empty(nbytes, np.uint8)
        return kept[:nbytes]

    @property
    def room(self) -> int:
        """The address of what kernels want for what lies between two stages."""
        if not self._room:
            self._room = self.octets("room", 4 * ROOM).ctypes.data
        return self._room


def packing_of(bits: int) -> Packing:
    """How codes that lie one after the other in little-endian words, the lowest bits first, lie in
    bytes."""
    packings: dict[int, Packing] = {8: "octets", 4: "low nibbles", 2: "quarters"}
    return packings.get(bits, "stream")
