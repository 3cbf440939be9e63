"""Whether a node has the files that were opened here.

Files at the Hub and in stores are named by their content (commits, hashes, ETags), so equal
fingerprints settle it, and so do those of one shared disk. A copy on a disk of the node's own has
other times and inodes: there a block of each stretch of the bytes that are to be measured is
compared, with the files' sizes and beginnings. A tensor of which less than a stretch differs may
pass, with a chance that grows as what differs shrinks.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from functools import lru_cache

from modeldiff.checkpoints import Checkpoint, Reference, TensorInfo, open_checkpoint
from modeldiff.errors import CheckpointChanged
from modeldiff.processes.late_dataclass import dataclass

_BEGINNING = 64 << 10
"""Bytes of each file's beginning that are compared: in most formats, the header."""
_STRETCH = 8 << 20
_MOST_BLOCKS = 64
"""Of one piece of a tensor."""
_BLOCK = 4096
_KEPT_OPEN = 128
"""Checkpoints that a node's process keeps open from task to task: a fleet has many."""
_OF_A_DISK = "local:"


@dataclass(frozen=True)
class SeenFile:
    """A file as it was seen: its name in the checkpoint, its size in bytes, and the SHA-256, in
    hex, of its beginning and of ``blocks``, each by its first byte and length."""

    name: str
    size: int
    blocks: tuple[tuple[int, int], ...]
    sha256: str


@dataclass(frozen=True)
class SeenCheckpoint:
    """A checkpoint as it was opened: what to open, its fingerprint, and of files on a disk what
    tells a copy (empty for others)."""

    reference: Reference
    fingerprint: str
    files: tuple[SeenFile, ...] = ()


def as_seen(checkpoint: Checkpoint, tensors: Iterable[TensorInfo]) -> SeenCheckpoint:
    """``checkpoint`` as it was opened here, with what tells copies of ``tensors``.

    Raises ``CheckpointError`` and what stands below it where a file can't be read any more.
    """
    seen = SeenCheckpoint(checkpoint.reference, checkpoint.fingerprint)
    if not checkpoint.fingerprint.startswith(_OF_A_DISK):
        return seen
    blocks: dict[str, list[tuple[int, int]]] = {}
    for piece in dict.fromkeys(piece for tensor in tensors for piece in tensor.pieces):
        blocks.setdefault(piece.file, []).extend(_blocks(piece.offset, piece.nbytes))
    files = []
    for name, own in blocks.items():
        size = checkpoint.files[name]
        chosen = ((0, min(size, _BEGINNING)), *own)
        files.append(SeenFile(name, size, chosen, _sha256(checkpoint, name, chosen)))
    return SeenCheckpoint(seen.reference, seen.fingerprint, tuple(files))


def open_as_seen(seen: SeenCheckpoint) -> Checkpoint:
    """The same checkpoint, opened on this machine; weights at the Hub are read over the network
    unless they were downloaded before.

    Raises ``CheckpointChanged`` where it is another, and what ``open_checkpoint`` raises.
    """
    checkpoint = _opened(seen.reference, seen.fingerprint)
    _require_as_seen(checkpoint, seen)
    return checkpoint


def _require_as_seen(checkpoint: Checkpoint, seen: SeenCheckpoint) -> None:
    if checkpoint.fingerprint == seen.fingerprint:
        return
    if not (seen.files and checkpoint.fingerprint.startswith(_OF_A_DISK)):
        raise CheckpointChanged(
            f"{seen.reference} is not what was opened where the diff was started.",
            hint="Let all nodes open the same revision, or see the same disk.",
            reference=seen.reference.text,
        )
    for file in seen.files:
        _require_equal(checkpoint, file)


def forget_opened() -> None:
    """Open what is asked for next anew: a file was found to be another than it was."""
    _opened.cache_clear()


@lru_cache(_KEPT_OPEN)
def _opened(reference: Reference, fingerprint: str) -> Checkpoint:
    """Open it, once for each ``fingerprint`` that it is asked for under: files that change are
    another checkpoint for whoever asks, and those that change here are noticed by who reads."""
    del fingerprint
    return open_checkpoint(reference, download=False)


def _require_equal(checkpoint: Checkpoint, file: SeenFile) -> None:
    where = checkpoint.source.where(file.name)
    if file.name not in checkpoint.files:
        raise CheckpointChanged(
            f"{checkpoint.source.where()} lacks {file.name}, or it holds no weights there.",
            hint="Bring the whole checkpoint to every node.",
            reference=checkpoint.reference.text,
        )
    size = checkpoint.files[file.name]
    if size != file.size:
        difference = f"it has {size:,} bytes, not {file.size:,}"
    elif _sha256(checkpoint, file.name, file.blocks) != file.sha256:
        difference = "its content differs"
    else:
        return
    raise CheckpointChanged(
        f"{where} is not the file that was opened where the diff was started: {difference}.",
        hint="Bring the same files to every node, or let all nodes see one disk.",
        reference=checkpoint.reference.text,
    )


def _sha256(checkpoint: Checkpoint, file: str, blocks: Iterable[tuple[int, int]]) -> str:
    digest = hashlib.sha256()
    for start, count in blocks:
        content, _ = checkpoint.source.read(file, start, count)
        digest.update(content)
    return digest.hexdigest()


def _blocks(offset: int, nbytes: int) -> Iterator[tuple[int, int]]:
    """First byte and length of a block in each stretch of a piece, at a place that only where the
    piece lies decides."""
    if nbytes <= _BLOCK:
        yield offset, nbytes
        return
    places = random.Random(offset)
    stretches = min(-(-nbytes // _STRETCH), _MOST_BLOCKS)
    for number in range(stretches):
        start = nbytes * number // stretches
        last = max(nbytes * (number + 1) // stretches - _BLOCK, start)
        yield offset + min(places.randint(start, last), nbytes - _BLOCK), _BLOCK
