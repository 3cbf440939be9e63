"""Bytes of tensors from local files: exactly as many as were asked for, or an error."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modeldiff.changes.engine.strided_read import gather
from modeldiff.checkpoints import Checkpoint, TensorInfo
from modeldiff.checkpoints.checkpoint import FetchProgress
from modeldiff.errors import CheckpointChanged

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
        self._evict_page_cache = evict_page_cache and hasattr(os, "posix_fadvise")
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        for tensor in tensors:
            self._left[tensor.file] = self._left.get(tensor.file, 0) + 1
        self.names = tuple(self._left)
        self._paths: dict[str, Path] = {}
        self._descriptors: dict[str, int] = {}

    def missing_bytes(self, file: str) -> int:
        """Bytes that have to be downloaded to fetch this file."""
        if self._checkpoint.storage.is_local(file):
            return 0
        return self._checkpoint.files[file]

    def fetch(self, file: str, progress: FetchProgress | None = None) -> None:
        """Bring a file here, so that it can be read."""
        self._paths[file] = self._checkpoint.storage.fetch(file, progress)

    def is_fetched(self, tensor: TensorInfo) -> bool:
        """Whether the tensor can be read now."""
        return tensor.file in self._paths

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
                descriptor = self._descriptor(tensor.file)
                os.posix_fadvise(descriptor, begin, stretch, os.POSIX_FADV_DONTNEED)

    def read_pieces(
        self, tensor: TensorInfo, starts: Sequence[int], buffer: npt.NDArray[np.uint8]
    ) -> None:
        """Fill the buffer with as many equal pieces of the tensor, each from a byte on."""
        descriptor = self._descriptor(tensor.file)
        width = buffer.size // len(starts)

        def fill(view: memoryview, start: int) -> None:
            self._fill(descriptor, tensor.file, view, tensor.offset + start)

        for number, start in enumerate(starts):
            piece = buffer[number * width : (number + 1) * width]
            if tensor.strides:
                each = tensor.nbytes // tensor.elements
                gather(fill, tensor.strides, start // each, piece, each)
            else:
                fill(piece.data, start)

    def _fill(self, descriptor: int, file: str, view: memoryview, offset: int) -> None:
        while view:
            try:
                count = os.preadv(descriptor, [view], offset)
            except OSError as error:
                reason = error.strerror or str(error)
                raise TensorUnreadable(f"{file} cannot be read here: {reason}") from error
            if count == 0:
                raise self._changed(file, "became shorter")
            view = view[count:]
            offset += count

    def done(self, tensor: TensorInfo) -> None:
        """One of the tensors was read; after the last of its file the file is closed.

        Raises ``CheckpointChanged`` when the file is no longer the one that was opened.
        """
        with self._lock:
            self._left[tensor.file] -= 1
            if self._left[tensor.file]:
                return
            descriptor = self._descriptors.pop(tensor.file, None)
        if descriptor is not None:
            os.close(descriptor)
            self._checkpoint.storage.fetch(tensor.file)

    def close(self) -> None:
        """Close what is still open."""
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()

    def _descriptor(self, file: str) -> int:
        with self._lock:
            descriptor = self._descriptors.get(file)
            if descriptor is None:
                try:
                    descriptor = os.open(self._paths[file], os.O_RDONLY)
                except OSError as error:
                    raise self._changed(file, "can no longer be opened") from error
                self._descriptors[file] = descriptor
                if os.fstat(descriptor).st_size != self._checkpoint.files[file]:
                    raise self._changed(file, "has another size")
            return descriptor

    def _changed(self, file: str, what: str) -> CheckpointChanged:
        return CheckpointChanged(
            f"{file} of {self._checkpoint.reference} {what} while it was compared.",
            hint="Wait until nothing writes to it any more, then compare again: what was measured "
            "of other files is kept.",
        )
