"""Values of tensors from their files: exactly as many as were asked for, or an error."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from modeldiff.changes.engine.boxes import fill_from_boxes
from modeldiff.changes.engine.decoding import Decoders
from modeldiff.changes.engine.strided_read import gather
from modeldiff.checkpoints import STORED_TYPES, ByteReader, Checkpoint, FetchProgress, TensorInfo
from modeldiff.checkpoints.local.mapped_file import FileView
from modeldiff.checkpoints.local.reader import LocalReader
from modeldiff.checkpoints.tensor import Piece, TensorUnreadable

if TYPE_CHECKING:
    from modeldiff.checkpoints.recipes.stored_codes import CodeKind, StoredCodes

_BEHIND = 8 << 20
"""How much of what lies before the bytes just read is given up: more than was read at once, since
the system holds a file in pieces of up to 2 MiB, gives up whole ones only, and takes long over
those that are cut."""
_WORTH_A_VIEW = 1 << 18
"""Fewer bytes are read as fast as they are mapped."""


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
            for file in tensor.files:
                self._left[file] = self._left.get(file, 0) + 1
        self.names = tuple(self._left)
        self._missing = set(self.names)
        self._readers: dict[str, ByteReader] = {}
        self._decoders = Decoders(self._fill_view)

    def bytes_to_download(self, file: str) -> int:
        """Bytes that have to be downloaded to fetch this file."""
        return self._checkpoint.source.bytes_to_download(file)

    def fetch(self, file: str, progress: FetchProgress | None = None) -> None:
        """Bring a file here, so that it can be read."""
        self._readers[file] = self._checkpoint.source.reader(file, progress)
        self._missing.discard(file)

    def is_fetched(self, tensor: TensorInfo) -> bool:
        """Whether the tensor can be read now."""
        return not self._missing or self._missing.isdisjoint(tensor.files)

    def fill(self, tensor: TensorInfo, first: int, buffer: npt.NDArray[np.uint8]) -> None:
        """Fill the buffer with the bytes of the tensor's values from element ``first`` on.

        Raises ``CheckpointChanged`` when a file is not what was opened or ends too early, and
        ``TensorUnreadable`` when the disk fails or the tensor's pieces are not the whole of it.
        """
        self._fill(tensor, first, buffer)
        if self._evict_page_cache and buffer.size:
            self._forget_behind(tensor, first)

    def view(self, tensor: TensorInfo, first: int, nbytes: int) -> FileView | None:
        """The bytes of the tensor's values from element ``first`` on where the system holds them;
        None where they are to be read. Raises as ``fill`` does."""
        piece = tensor.only_piece
        if piece is None or piece.strides or nbytes < _WORTH_A_VIEW:
            return None
        reader = self._local_reader(piece)
        bits = STORED_TYPES[piece.dtype].bits
        offset = piece.offset + first * bits // 8
        # Kernels load elements where elements can begin.
        if reader is None or offset % max(bits // 8, 1):
            return None
        return reader.view(offset, nbytes)

    def read_codes(
        self,
        tensor: TensorInfo,
        first: int,
        last: int,
        buffer: npt.NDArray[np.uint8],
        kinds: frozenset[CodeKind],
    ) -> StoredCodes | None:
        """Fill the begin of the buffer with the stored codes of the tensor's values from element
        ``first`` to ``last``. None, and nothing read, where they are none of these ``kinds`` or
        there is no room. Raises as ``fill`` does."""
        if tensor.recipe is None:
            return None
        codes = self._decoders.read_codes(tensor, first, last, buffer, kinds)
        if codes is not None and self._evict_page_cache:
            self._forget_behind(tensor, first)
        return codes

    def fill_clusters(
        self, tensor: TensorInfo, firsts: Sequence[int], buffer: npt.NDArray[np.uint8]
    ) -> None:
        """Fill the buffer with as many equal runs of the tensor's values, each from an element on.
        Raises as ``fill`` does."""
        size = buffer.size // len(firsts)
        self._expect(tensor, firsts, size)
        if tensor.recipe is not None:
            self._decoders.fill_runs(tensor, firsts, buffer)
            return
        piece = tensor.only_piece
        if piece is not None and not piece.strides:
            bits = STORED_TYPES[piece.dtype].bits
            reader, view = self._readers[piece.file], buffer.data
            offsets = [piece.offset + first * bits // 8 for first in firsts]
            local = self._local_reader(piece)
            if local and local.copy_runs(offsets, buffer):
                return
            with _naming(piece):
                for number, offset in enumerate(offsets):
                    reader.readinto(view[number * size : (number + 1) * size], offset)
            return
        for first, run in zip(firsts, buffer.reshape(len(firsts), -1), strict=True):
            self._fill(tensor, first, run)

    def fill_all(self, tensors: Iterable[TensorInfo], buffer: npt.NDArray[np.uint8]) -> None:
        """Fill the buffer with several tensors, one after the other. Raises as ``fill`` does.

        Neighbours in a file are read at once: tensors of a mixture of experts are many and small.
        """
        begin = 0
        for first, size in _runs(tensors):
            self.fill(first, 0, buffer[begin : begin + size])
            begin += size

    def done(self, tensor: TensorInfo) -> None:
        """One of the tensors was read; after the last of its file the file is closed.

        Raises ``CheckpointChanged`` when the file is no longer the one that was opened.
        """
        self._decoders.drop(tensor)
        for file in tensor.files:
            with self._lock:
                self._left[file] -= 1
                if self._left[file]:
                    continue
            self._readers[file].close()
            self._readers[file].verify()

    def verify(self, tensor: TensorInfo) -> None:
        """Raises ``CheckpointChanged`` where a file of the tensor is not the one that was
        opened."""
        for file in tensor.files:
            self._readers[file].verify()

    def close(self) -> None:
        """Close what is still open."""
        for reader in self._readers.values():
            reader.close()

    def _local_reader(self, piece: Piece) -> LocalReader | None:
        """Who reads this piece, where it lies on this machine and may stay in its memory."""
        reader = self._readers[piece.file]
        return reader if isinstance(reader, LocalReader) and not self._evict_page_cache else None

    def _expect(self, tensor: TensorInfo, firsts: Sequence[int], nbytes: int) -> None:
        """Tell the reader of runs that are about to be read, each of so many bytes of values."""
        piece = tensor.pieces[0]
        if len(tensor.pieces) > 1 or piece.strides:
            return
        ranges = [(piece.offset, piece.nbytes)]  # with a recipe: where in it, the decoder knows
        if tensor.only_piece is not None:
            bits = STORED_TYPES[piece.dtype].bits
            ranges = [(piece.offset + first * bits // 8, nbytes) for first in firsts]
        self._readers[piece.file].expect(ranges)

    def _fill_view(self, tensor: TensorInfo, first: int, view: memoryview) -> None:
        """As ``_fill``: what decoders read is mostly short, of codes and their scales."""
        piece = tensor.only_piece
        if piece is None or piece.strides:
            self._fill(tensor, first, np.frombuffer(view, np.uint8))
        else:
            self._read_bytes(piece, view, first * STORED_TYPES[piece.dtype].bits // 8)

    def _fill(self, tensor: TensorInfo, first: int, buffer: npt.NDArray[np.uint8]) -> None:
        piece = tensor.only_piece
        if piece is not None:
            self._read(piece, first, buffer)
        elif tensor.recipe is not None:
            self._decoders.fill(tensor, first, buffer)
        else:
            width = STORED_TYPES[tensor.values].bits // 8
            whole = fill_from_boxes(self._read, tensor.pieces, tensor.shape, first, buffer, width)
            if not whole:
                raise TensorUnreadable("its pieces do not make up the whole")

    def _read(self, piece: Piece, first: int, buffer: npt.NDArray[np.uint8]) -> None:
        """Fill the buffer with a piece's bytes from one of its elements on."""
        bits = STORED_TYPES[piece.dtype].bits
        if piece.strides:
            gather(partial(self._read_bytes, piece), piece.strides, first, buffer, bits // 8)
        else:
            self._read_bytes(piece, buffer.data, first * bits // 8)

    def _read_bytes(self, piece: Piece, view: memoryview, start: int) -> None:
        with _naming(piece):
            self._readers[piece.file].readinto(view, piece.offset + start)

    def _forget_behind(self, tensor: TensorInfo, first: int) -> None:
        """Gives up what lies before an element. Elements that lie apart lie between others, which
        are wanted next; of several pieces nobody knows."""
        piece = tensor.pieces[0]
        if len(tensor.pieces) > 1 or piece.strides:
            return
        end = piece.offset + piece.nbytes * first // tensor.elements
        begin = max(end - _BEHIND, 0)
        if end > begin:
            self._readers[piece.file].forget(begin, end - begin)


@contextmanager
def _naming(piece: Piece) -> Iterator[None]:
    """Turn the system's errors while this piece is read into ``TensorUnreadable``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise TensorUnreadable(f"{piece.file} cannot be read here: {reason}") from error


def _runs(tensors: Iterable[TensorInfo]) -> Iterator[tuple[TensorInfo, int]]:
    """The tensors with the bytes of their values; neighbours as the first of them, with the bytes
    of all. One whose elements lie apart is nobody's neighbour."""
    first: TensorInfo | None = None
    run: Piece | None = None
    size = 0
    for tensor in tensors:
        piece = tensor.only_piece
        if piece is not None and piece.strides:
            piece = None
        if first is None or not _follows(piece, run, size):
            if first is not None:
                yield first, size
            first, run, size = tensor, piece, 0
        bits = STORED_TYPES[tensor.values].bits
        size += piece.nbytes if piece is not None else tensor.elements * bits // 8
    if first is not None:
        yield first, size


def _follows(piece: Piece | None, run: Piece | None, size: int) -> bool:
    if piece is None or run is None:
        return False
    return piece.file == run.file and piece.offset == run.offset + size
