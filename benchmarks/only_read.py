"""Reads files as a diff reads them, and does nothing with them: how fast can they come?

    python benchmarks/only_read.py [--only-open] ADDRESS ...

Each file has a thread of its own, and a buffer of a chunk's size. With ``--only-open`` nothing is
read but headers: what that takes is start and opening.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from modeldiff.changes.backends.cpu import CHUNK_BYTES
from modeldiff.checkpoints import open_checkpoint

ONLY_OPEN = "--only-open" in sys.argv


def read(address: str) -> None:
    """All bytes of the checkpoint's tensors, in their order."""
    checkpoint = open_checkpoint(address)
    if ONLY_OPEN:
        return
    buffer = np.empty(CHUNK_BYTES, np.uint8)
    for file in {piece.file for tensor in checkpoint.tensors for piece in tensor.pieces}:
        pieces = [
            piece for each in checkpoint.tensors for piece in each.pieces if piece.file == file
        ]
        reader = checkpoint.source.reader(file)
        stop = max(piece.offset + piece.nbytes for piece in pieces)
        for start in range(min(piece.offset for piece in pieces), stop, CHUNK_BYTES):
            reader.readinto(buffer.data[: min(CHUNK_BYTES, stop - start)], start)
        reader.close()


with ThreadPoolExecutor() as threads:
    list(threads.map(read, [each for each in sys.argv[1:] if each != "--only-open"]))
