"""The kernels of quantised safetensors, and scratch memory for what lies between two of them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from modeldiff.native.library import KernelLibrary

CodeBytes = npt.NDArray[np.uint8]
Float32s = npt.NDArray[np.float32]

CODE_KERNELS = KernelLibrary(
    "the decoders of quantised weights",
    (Path(__file__).parent / "kernels",),
    "modeldiff.checkpoints.recipes.kernels.codes",
    {
        "low_nibbles": "raw i64 raw",
        "high_nibbles": "raw i64 raw",
        "quarters": "raw i64 raw",
        "bit_stream": "raw i64 i64 raw",
        "turn_words": "raw i64 i64 raw",
        "outputs_of_words": "raw i64 i64 i64 raw",
        "scaled": "raw i64 i64 i64 i64 i64 i64 raw raw raw raw",
        "scaled_by_column": "raw i64 i64 i64 raw i64 raw raw raw",
        "to_bf16": "raw i64 raw",
        "to_f16": "raw i64 raw",
        "affine": "raw i64 i64 i64 raw raw raw",
        "affine_bf16": "raw i64 i64 i64 raw raw raw",
        "affine_f16": "raw i64 i64 i64 raw raw raw",
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

TILE = 1 << 16
"""Values that are decoded at once: what lies between two kernels stays in the nearest caches."""


class TileScratch(threading.local):
    """Memory of each thread, kept for the next range."""

    def __init__(self) -> None:
        self._kept: dict[str, CodeBytes] = {}

    def octets(self, use: str, nbytes: int) -> CodeBytes:
        """So many bytes for this use; their content is anything."""
        kept = self._kept.get(use)
        if kept is None or kept.size < nbytes:
            kept = self._kept[use] = np.empty(nbytes, np.uint8)
        return kept[:nbytes]

    def floats(self, use: str, count: int) -> Float32s:
        """As ``octets``, as float32."""
        return self.octets(use, 4 * count).view(np.float32)


class Unpacker:
    """Brings stored bytes to a code a byte; a code has ``bits`` bits."""

    def __init__(self, packing: Packing, bits: int) -> None:
        self._bits = bits
        kernels = CODE_KERNELS.load()
        self._stream = kernels["bit_stream"] if packing == "stream" else None
        whole_bytes = packing not in ("octets", "stream")
        self._kernel = kernels[packing.replace(" ", "_")] if whole_bytes else None

    def codes(self, stored: int, nbytes: int, room: int) -> int:
        """Where the codes of so many bytes are; all are addresses. That is ``stored`` itself where
        nothing is to be unpacked, else ``room``, which is filled."""
        if self._stream is not None:
            self._stream(stored, nbytes, self._bits, room)
        elif self._kernel is not None:
            self._kernel(stored, nbytes, room)
        else:
            return stored
        return room


def packing_of(bits: int) -> Packing:
    """How codes that lie one after the other in little-endian words, the lowest bits first, lie in
    bytes."""
    packings: dict[int, Packing] = {8: "octets", 4: "low nibbles", 2: "quarters"}
    return packings.get(bits, "stream")
