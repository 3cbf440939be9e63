"""A hash over a few blocks of a file: what a file's times don't say, as they can be set back.

The file is cut into equal stretches, and of each one block is hashed, at a place that only the
file's size decides. So a file that is written anew is noticed, and any change that covers a whole
stretch; of one that is smaller only as much as the blocks are of the file.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from pathlib import Path

from modeldiff.checkpoints.local.files import open_regular, read_exactly
from modeldiff.checkpoints.source import FileStat
from modeldiff.errors import CheckpointChanged

_STRETCHES = 32
_BLOCK = 4096


def sampled_sha256(path: Path, stat: FileStat) -> str:
    """SHA-256 in hex of a block of each stretch; of a file no larger than the blocks, of all of it.

    Raises what ``open_regular`` raises, and ``CheckpointChanged`` where the file is no longer as
    ``stat`` says.
    """
    digest = hashlib.sha256()
    with open_regular(path) as (file, state):
        if state != stat:
            raise CheckpointChanged(
                f"{path} changed while it was opened.",
                hint="Wait until nothing writes to it any more, then open it again.",
                path=path,
            )
        for start, count in _blocks(stat.size):
            file.seek(start)
            digest.update(read_exactly(file, count, path))
    return digest.hexdigest()


def _blocks(size: int) -> list[tuple[int, int]]:
    """First byte and length of each."""
    if size <= _STRETCHES * _BLOCK:
        return [(0, size)]
    places = random.Random(size)
    starts = [size * number // _STRETCHES for number in range(_STRETCHES + 1)]
    return [
        (places.randrange(start, end - _BLOCK + 1), _BLOCK)
        for start, end in itertools.pairwise(starts)
    ]
