"""Bytes of tensors from their files: exactly as many as were asked for, or an error."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from modeldiff.changes.engine.strided_read import gather
from modeldiff.checkpoints import ByteReader, Checkpoint, FetchProgress, TensorInfo

_BEHIND = 8 << 20
"""How much of what lies before the bytes just read is given up: more than was read at once, since
the system holds a file in pieces of up to 2 MiB, gives up whole ones only, and takes long over
those that are cut."""


class TensorUnreadable(Exception):
    """The disk refuses these bytes; the message says why."""


def physical_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class OpenFiles:
    """A checkpoint's files while tensors are read from them.

    Each is fetched once, opened at its first read and closed after the last of ``tensors`` in it,
    so that few are open at a time. Any thread may read. ``evict_page_cache``: what was read is
    not to stay in the system's memory.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        tensors: Iterable[TensorInfo],
        *,
        evict_page_cache: bool = False,
    ) -> None:
        self._checkpoint = checkpoint
        self._evict_page_cache = evict_page_cache
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        for tensor in tensors:
            self._left[tensor.file] = self._left.get(tensor.file, 0) + 1
        self.names = tuple(self._left)
        self._readers: dict[str, ByteReader] = {}

    def bytes_to_download(self, file: str) -> int:
        """Bytes that have to be downloaded to fetch this file."""
        return self._checkpoint.source.bytes_to_download(file)

    def fetch(self, file: str, progress: FetchProgress | None = None) -> None:
        """Bring a file here, so that it can be read."""
        self._readers[file] = self._checkpoint.source.reader(file, progress)

    def is_fetched(self, tensor: TensorInfo) -> bool:
        """Whether the tensor can be read now."""
        return tensor.file in self._readers

    def read(self, tensor: TensorInfo, start: int, buffer: npt.NDArray[np.uint8]) -> None:
        """Fill the buffer with the tensor's bytes from byte ``start`` on.

        Raises ``CheckpointChanged`` when the file is not what was opened or ends too early, and
        ``TensorUnreadable`` when the disk fails.
        """
        self.read_pieces(tensor, [start], buffer)
        # Elements that lie apart lie between others, which are wanted next.
        if self._evict_page_cache and not tensor.strides:
            begin = max(tensor.offset + start - _BEHIND, 0)
            stretch = tensor.offset + start - begin
            if stretch:
                self._readers[tensor.file].forget(begin, stretch)

    def read_pieces(
        self, tensor: TensorInfo, starts: Sequence[int], buffer: npt.NDArray[np.uint8]
    ) -> None:
        """Fill the buffer with as many equal pieces of the tensor, each from a byte on."""
        reader = self._readers[tensor.file]
        width = buffer.size // len(starts)

        def fill(view: memoryview, start: int) -> None:
            try:
                reader.readinto(view, tensor.offset + start)
            except OSError as error:
                reason = error.strerror or str(error)
                raise TensorUnreadable(f"{tensor.file} cannot be read here: {reason}") from error

        for number, start in enumerate(starts):
            piece = buffer[number * width : (number + 1) * width]
            if tensor.strides:
                each = tensor.nbytes // tensor.elements
                gather(fill, tensor.strides, start // each, piece, each)
            else:
                fill(piece.data, start)

    def done(self, tensor: TensorInfo) -> None:
        """One of the tensors was read; after the last of its file the file is closed.

        Raises ``CheckpointChanged`` when the file is no longer the one that was opened.
        """
        with self._lock:
            self._left[tensor.file] -= 1
            if self._left[tensor.file]:
                return
        self._readers[tensor.file].close()
        self._readers[tensor.file].verify()

    def close(self) -> None:
        """Close what is still open."""
        for reader in self._readers.values():
            reader.close()
