"""Codes as a file has them, for whoever decodes them elsewhere than on the processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from modeldiff.checkpoints.recipes.code_kernels import CodeBytes, Float32s
from modeldiff.checkpoints.tensor import Decoder
from modeldiff.processes.late_dataclass import dataclass

CodeKind = Literal[
    "Q8_0", "Q4_K", "Q6_K", "MXFP4", "8 bits", "4 bits", "4 bits, high first", "2 bits"
]
"""How codes lie in bytes: a type of ggml's, whose blocks have their scales within; or codes alone,
the first of a byte in its lowest bits unless it says otherwise."""


def no_numbers() -> Float32s:
    """An empty array."""
    return np.empty(0, np.float32)


@dataclass(frozen=True)
class CodeGrid:
    """Which codes share a number: a matrix with so many ``columns`` is cut into blocks of rows and
    columns. The first of some codes is ``begun`` elements behind the begin of its row of blocks."""

    columns: int
    block_rows: int
    block_columns: int
    begun: int


@dataclass(frozen=True)
class StoredCodes:
    """What is needed beside ``nbytes`` bytes of codes to make values of them.

    ``table`` is what a code stands for, 256 numbers, or none where the ``kind`` needs no table.
    With a ``grid`` a value is ``(stands for - zero) * scale``, rounded once to the type
    ``rounding``; ``scales`` and ``zeros`` (none: zero) are those of the rows of blocks that the
    codes touch. ``decode`` makes the values' bytes of the codes' on the processor.
    """

    kind: CodeKind
    nbytes: int
    decode: Callable[[CodeBytes, memoryview], None]
    table: Float32s = field(default_factory=no_numbers)
    grid: CodeGrid | None = None
    scales: Float32s = field(default_factory=no_numbers)
    zeros: Float32s = field(default_factory=no_numbers)
    rounding: str = "F32"


@runtime_checkable
class CodeReader(Decoder, Protocol):
    """A decoder that can also hand out what it would decode."""

    @property
    def kind(self) -> CodeKind | None:
        """How its codes lie; None where they are none of the kinds."""
        ...

    def read_codes(self, first: int, last: int, out: memoryview) -> StoredCodes | None:
        """Fill the begin of ``out`` with the codes of values ``first`` to ``last``, as ``fill``
        takes them; None, and nothing read, where ``out`` has no room for them and for what is
        needed beside them, as ``bytes_beside`` counts it."""
        ...


def bytes_beside(numbers: int) -> int:
    """How much room scales and zero points of so many groups are given behind codes."""
    return 8 * numbers + 128
