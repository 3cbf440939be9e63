"""ggml's block types: how many values a block has, and in how many bytes.

The table is that of llama.cpp's ``ggml-common.h`` and of gguf-py's ``constants.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class BlockType:
    """A block type: its ``name``, and the ``values`` and ``nbytes`` of a block. ``by_kernel``:
    a kernel of this project decodes it; else the library gguf does, with its tables."""

    name: str
    values: int
    nbytes: int
    by_kernel: bool = True


BLOCK_TYPES: Mapping[str, BlockType] = {
    kind.name: kind
    for kind in (
        BlockType("Q4_0", 32, 18),
        BlockType("Q4_1", 32, 20),
        BlockType("Q5_0", 32, 22),
        BlockType("Q5_1", 32, 24),
        BlockType("Q8_0", 32, 34),
        BlockType("Q2_K", 256, 84),
        BlockType("Q3_K", 256, 110),
        BlockType("Q4_K", 256, 144),
        BlockType("Q5_K", 256, 176),
        BlockType("Q6_K", 256, 210),
        BlockType("IQ4_NL", 32, 18),
        BlockType("IQ4_XS", 256, 136),
        BlockType("MXFP4", 32, 17),
        BlockType("IQ2_XXS", 256, 66, by_kernel=False),
        BlockType("IQ2_XS", 256, 74, by_kernel=False),
        BlockType("IQ2_S", 256, 82, by_kernel=False),
        BlockType("IQ3_XXS", 256, 98, by_kernel=False),
        BlockType("IQ3_S", 256, 110, by_kernel=False),
        BlockType("IQ1_S", 256, 50, by_kernel=False),
        BlockType("IQ1_M", 256, 56, by_kernel=False),
        BlockType("TQ1_0", 256, 54, by_kernel=False),
        BlockType("TQ2_0", 256, 66, by_kernel=False),
        BlockType("NVFP4", 64, 36, by_kernel=False),
    )
}
