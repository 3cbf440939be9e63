"""A file's bytes where the system holds them, to be looked at without a copy.

Only what the system seems to hold in its memory already (the last byte is asked for) is looked at
so, and a file system that cannot tell is left alone, as RAM disks and those of a network mostly
are: what has to come from a disk is read, for that comes in larger pieces and says what fails. A
file that is cut short while it is looked at gives zeros, which ``FileView.is_sound`` knows of
(``native/bus_errors.py``).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from modeldiff.native.bus_errors import list_range, stay_asked
from modeldiff.processes.late_dataclass import dataclass

_PAGE = mmap.PAGESIZE
_ONLY_IN_MEMORY = 8
"""Linux's ``RWF_NOWAIT``, which Python has not where it was compiled for older systems than it
runs on, as those are that are made to run on many."""
_MOST_HELD = 64 << 20
"""Bytes of a file that are looked at before its pages are given back: all at once, since each time
every processor has to forget what it knows of this process's memory."""


@dataclass(frozen=True)
class FileView:
    """A file's bytes from ``offset`` on, which are ``octets``, at the address ``at``."""

    file: MappedFile
    offset: int
    octets: npt.NDArray[np.uint8]
    at: int

    def is_sound(self) -> bool:
        """Whether all that was read of it so far were the file's bytes."""
        return self.file.is_sound(self.offset, self.octets.size)


class MappedFile:
    """The open file ``descriptor`` of ``size`` bytes, mapped until it is closed. Any thread may
    look at it; nobody may when it is closed. Raises ``OSError`` where it cannot be mapped."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        libc = _libc()
        if not hasattr(libc, "preadv2"):
            raise OSError("there is no word of what the system holds")
        if _is_address_space_limited():
            raise OSError("what is mapped is missing elsewhere")
        at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE, descriptor, 0)
        if at is None or at == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "cannot be mapped")
        listed = list_range(at, at + -(-size // _PAGE) * _PAGE)
        if listed is None:
            libc.munmap(at, size)
            raise OSError("there is no answer to bus errors here")
        self._at = at
        self._listed = listed
        octets = (ctypes.c_uint8 * size).from_address(at)
        self._octets = np.frombuffer(memoryview(octets).cast("B"), np.uint8)
        self._lock = threading.Lock()
        self._is_open = True
        self._looked_at = 0

    def view(self, offset: int, nbytes: int) -> FileView | None:
        """These bytes; None where the system does not hold them, or part of them was lost."""
        at = self._at + offset
        if self._listed.faults(at, at + nbytes) or not self.lies_in_memory(offset + nbytes - 1):
            return None
        self._count(nbytes)
        return FileView(self, offset, self._octets[offset : offset + nbytes], at)

    def lies_in_memory(self, offset: int) -> bool:
        """Whether the system holds this byte; False where it does not say. What is read in a file's
        order is there up to some place, so one byte tells of those before it. To ask may have the
        system begin to read it."""
        there = _libc().preadv2(
            self._descriptor, ctypes.byref(_one_byte), 1, offset, _ONLY_IN_MEMORY
        )
        return bool(there == 1)

    def copy(self, offset: int, octets: npt.NDArray[np.uint8]) -> None:
        """Copies bytes from ``offset`` on; zeros where there are none, see ``is_sound``."""
        octets[:] = self._octets[offset : offset + octets.size]

    def is_sound(self, offset: int, nbytes: int) -> bool:
        """Whether all that was read of these bytes so far were the file's."""
        # The page in which a file ends has zeros behind it, which are no error.
        if os.fstat(self._descriptor).st_size < self._size:
            return False
        return not self._listed.faults(self._at + offset, self._at + offset + nbytes)

    def _count(self, nbytes: int) -> None:
        """Takes the file's pages out of this process's memory now and then; the system keeps them,
        and who looks at them again gets them again. As often it is seen to that bus errors are
        still answered."""
        with self._lock:
            self._looked_at += nbytes
            if self._looked_at > _MOST_HELD and self._is_open:
                self._looked_at = nbytes
                stay_asked()
                _libc().madvise(self._at, self._size, mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._listed.strike()
                _libc().munmap(self._at, self._size)


class _Vector(ctypes.Structure):
    """``struct iovec``: where bytes go to, and how many."""

    _fields_ = (("at", ctypes.c_void_p), ("size", ctypes.c_size_t))


_byte = ctypes.c_uint8()
_one_byte = _Vector(ctypes.addressof(_byte), 1)
"""Room for what nobody looks at: any thread may write to it."""


def _is_address_space_limited() -> bool:
    """Whether this process may have so much address space and no more, as batch systems have it:
    there a mapped file takes the place of memory that is needed."""
    import resource  # not there on Windows

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int64,
    )
    if hasattr(libc, "preadv2"):
        libc.preadv2.restype = ctypes.c_ssize_t
        libc.preadv2.argtypes = (
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_int64,
            ctypes.c_int,
        )
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return libc
