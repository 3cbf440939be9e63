"""Reading a file of this machine at any place, from any thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modeldiff.errors import CheckpointChanged

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from modeldiff.checkpoints.local.mapped_file import FileView, MappedFile


class LocalReader:
    """Reads ``path``, which is ``file``, of ``size`` bytes, of what ``reference`` names; opened at
    the first read. ``verify`` raises ``CheckpointChanged`` if it is no longer the file that was
    opened. ``may_be_mapped``: what the system holds of it may be looked at where that lies."""

    may_be_mapped = True

    def __init__(
        self, path: Path, size: int, file: str, reference: str, verify: Callable[[], None]
    ) -> None:
        self.path = path
        self.verify = verify
        self._size = size
        self._file = file
        self._reference = reference
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._mapped: MappedFile | None = None

    def readinto(self, buffer: memoryview, offset: int) -> None:
        """As ``ByteReader`` has it."""
        descriptor = self._descriptor
        if descriptor is None:
            descriptor = self._opened()
        while buffer:
            count = os.preadv(descriptor, [buffer], offset)
            if count == 0:
                raise self._changed("became shorter")
            buffer = buffer[count:]
            offset += count

    def view(self, offset: int, nbytes: int) -> FileView | None:
        """These bytes where the system holds them; None where it does not, and they are to be
        read. Raises as ``readinto`` does where the file cannot be opened."""
        mapped = self._as_mapped()
        return mapped.view(offset, nbytes) if mapped else None

    def copy_runs(self, offsets: Sequence[int], buffer: npt.NDArray[np.uint8]) -> bool:
        """Fills the buffer with equal runs of bytes, from these offsets on, if the system holds the
        first and the last of them; otherwise False, and they are to be read. Raises as ``view``
        does."""
        mapped = self._as_mapped()
        size = buffer.size // len(offsets)
        begin, end = min(offsets), max(offsets) + size
        if mapped is None or not all(mapped.lies_in_memory(at) for at in (begin, end - 1)):
            return False
        for number, offset in enumerate(offsets):
            mapped.copy(offset, buffer[number * size : (number + 1) * size])
        return mapped.is_sound(begin, end - begin)

    def expect(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Everything is here."""

    def forget(self, offset: int, nbytes: int) -> None:
        """Lets the system give up the pages that hold these bytes, where it can be told to."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._opened(), offset, nbytes, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Close the file, if it is open."""
        with self._lock:
            if self._mapped is not None:
                self._mapped.close()
                self._mapped = None
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _as_mapped(self) -> MappedFile | None:
        mapped = self._mapped
        if mapped is None and self.may_be_mapped:
            # Readers are made wherever files are opened, most of them to read a few bytes.
            from modeldiff.checkpoints.local.mapped_file import MappedFile

            descriptor = self._opened()
            with self._lock:
                if self._mapped is None and self._descriptor == descriptor:
                    try:
                        self._mapped = MappedFile(descriptor, self._size)
                    except OSError:
                        self.may_be_mapped = False
                mapped = self._mapped
        return mapped

    def _opened(self) -> int:
        with self._lock:
            if self._descriptor is None:
                try:
                    self._descriptor = os.open(self.path, os.O_RDONLY)
                except OSError as error:
                    raise self._changed("can no longer be opened") from error
                if os.fstat(self._descriptor).st_size != self._size:
                    raise self._changed("has another size")
            return self._descriptor

    def _changed(self, what: str) -> CheckpointChanged:
        return CheckpointChanged(
            f"{self._file} of {self._reference} {what} while it was compared.",
            hint="Wait until nothing writes to it any more, then compare again: what was measured "
            "of other files is kept.",
            path=self.path,
            reference=self._reference,
        )
