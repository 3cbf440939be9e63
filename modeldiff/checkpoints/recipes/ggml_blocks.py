"""Blocks of codes with their scales, as ggml stores them: the recipe of a GGUF's quantised tensors.

A value is what gguf-py's ``dequantize`` returns, and llama.cpp's C: in float32, bit for bit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modeldiff import extras
from modeldiff.checkpoints.recipes.ggml_types import BLOCK_TYPES, BlockType
from modeldiff.checkpoints.recipes.small_floats import E2M1
from modeldiff.checkpoints.recipes.stored_codes import CodeKind, StoredCodes, no_numbers
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.native.library import KernelLibrary
from modeldiff.processes.late_dataclass import dataclass

Octets = npt.NDArray[np.uint8]
Decode = Callable[[Octets, npt.NDArray[np.float32]], None]
"""Turns whole blocks into their values."""

GGML_KERNELS = KernelLibrary(
    "the decoders of GGUF",
    (Path(__file__).parent / "kernels",),
    "modeldiff.checkpoints.recipes.kernels.ggml",
    {kind.name.lower(): "raw i64 raw" for kind in BLOCK_TYPES.values() if kind.by_kernel},
    exact=True,
)
_HANDED_OUT: dict[str, CodeKind] = {
    "Q8_0": "Q8_0",
    "Q4_K": "Q4_K",
    "Q6_K": "Q6_K",
    "MXFP4": "MXFP4",
}
"""The types whose blocks are of use to others as they are."""
_TABLES = {"MXFP4": np.resize(2 * E2M1 + 0.0, 256).astype(np.float32)}
"""What their codes stand for: ggml halves MXFP4's scales and doubles its values, whose zero has no
sign."""
_TILE = 1 << 14
"""Values that the library decodes at once: it takes some forty times as much memory for them."""


@dataclass(frozen=True)
class GgmlBlocks:
    """The recipe of blocks of one type. ``codes`` are their bytes, a row of the tensor a row."""

    codes: TensorInfo
    stored: str

    lossy = True

    @property
    def words(self) -> str:
        """The type's name."""
        return self.stored

    @property
    def grain(self) -> int:
        """Values in a block."""
        return BLOCK_TYPES[self.stored].values

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """The blocks."""
        return (self.codes,)

    def open(self, read: Fill) -> _BlockDecoder:
        """Begin. Raises ``MissingExtra`` where the type needs the library gguf and it is not
        there."""
        kind = BLOCK_TYPES[self.stored]
        return _BlockDecoder(self.codes, kind, _decode_of(kind), read)


def needs_kernels(tensor: TensorInfo | None) -> bool:
    """Whether ``GGML_KERNELS`` decode this tensor, or a part of what it is made of."""
    recipe = tensor.recipe if tensor is not None else None
    if isinstance(recipe, GgmlBlocks):
        return BLOCK_TYPES[recipe.stored].by_kernel
    return recipe is not None and any(map(needs_kernels, recipe.operands))


class _BlockDecoder:
    def __init__(self, codes: TensorInfo, kind: BlockType, decode: Decode, read: Fill) -> None:
        self._codes, self._kind, self._decode, self._read = codes, kind, decode, read
        self._own = threading.local()

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``, both whole multiples of a block."""
        values, nbytes = self._kind.values, self._kind.nbytes
        stored = self._scratch((last - first) // values * nbytes)
        self._read(self._codes, first // values * nbytes, stored.data)
        self._decode(stored, np.frombuffer(out, np.float32))

    def fill_runs(self, firsts: Sequence[int], count: int, out: memoryview) -> None:
        """As ``RunDecoder`` has it: blocks have their scales within, so those of all runs are
        decoded at once."""
        values, nbytes = self._kind.values, self._kind.nbytes
        size = count // values * nbytes
        stored = self._scratch(len(firsts) * size)
        whole = stored.data
        for run, first in enumerate(firsts):
            self._read(self._codes, first // values * nbytes, whole[run * size : (run + 1) * size])
        self._decode(stored, np.frombuffer(out, np.float32))

    @property
    def kind(self) -> CodeKind | None:
        """As ``CodeReader`` has it."""
        return _HANDED_OUT.get(self._kind.name)

    def read_codes(self, first: int, last: int, out: memoryview) -> StoredCodes | None:
        """As ``CodeReader`` has it: whole blocks, with their scales."""
        values, nbytes = self._kind.values, self._kind.nbytes
        size = (last - first) // values * nbytes
        if self.kind is None or size > len(out):
            return None
        self._read(self._codes, first // values * nbytes, out[:size])
        table = _TABLES.get(self._kind.name, no_numbers())
        return StoredCodes(self.kind, size, self._decode_into, table)

    def _decode_into(self, stored: Octets, out: memoryview) -> None:
        self._decode(stored, np.frombuffer(out, np.float32))

    def _scratch(self, nbytes: int) -> Octets:
        """Memory of this thread's, kept for the next range."""
        scratch: Octets | None = getattr(self._own, "scratch", None)
        if scratch is None or scratch.size < nbytes:
            scratch = self._own.scratch = np.empty(nbytes, np.uint8)
        return scratch[:nbytes]


def _decode_of(kind: BlockType) -> Decode:
    if not kind.by_kernel:
        return _by_library(kind)
    kernel = GGML_KERNELS.load()[kind.name.lower()]

    def decode(stored: Octets, values: npt.NDArray[np.float32]) -> None:
        kernel(stored.ctypes.data, stored.size // kind.nbytes, values.ctypes.data)

    return decode


def _by_library(kind: BlockType) -> Decode:
    """By gguf-py: its tables of grids, a tile at a time."""
    extras.require("gguf", f"A tensor stored as {kind.name}")
    from gguf import GGMLQuantizationType, quants

    number: Any = GGMLQuantizationType[kind.name]
    blocks = _TILE // kind.values

    def decode(stored: Octets, values: npt.NDArray[np.float32]) -> None:
        rows = stored.reshape(-1, kind.nbytes)
        with np.errstate(all="ignore"):  # scales may be infinite, and are then what they are
            for start in range(0, len(rows), blocks):
                tile = quants.dequantize(rows[start : start + blocks], number)
                values[start * kind.values :][: tile.size] = tile.reshape(-1)

    return decode
