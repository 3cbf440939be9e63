"""What viewers bring, held in bounds.

Streamlit keeps in memory whatever is sent to it in the name of a tab, any number of files, whether
or not the page asks for one and whether or not its viewer has logged in.
"""

from __future__ import annotations

import asyncio
import threading
from functools import cache

from starlette.datastructures import UploadFile
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

_MOST_A_TAB = 2
"""Files: the one that its page shows, and the next, which comes before that goes."""
_MOST_BYTES = 1 << 30


@cache
def begin_bounding_uploads() -> None:
    """Bound what this process' server holds, from now on. Where the app runs without Streamlit's
    server, as in tests, nothing is changed."""
    if runtime.exists():
        manager = runtime.get_instance().uploaded_file_mgr
        if isinstance(manager, MemoryUploadedFileManager):
            bound_uploads(manager)
            read_in_turn(UploadFile)


def read_in_turn(kind: type[UploadFile]) -> None:
    """Let files of this ``kind``, which lie on the disk until all of one has come, be read into
    memory one at a time: Streamlit hands each over before the next one's turn, and any number may
    have come at one moment."""
    read = kind.read
    turn = asyncio.Semaphore(1)

    async def read_alone(self: UploadFile, size: int = -1) -> bytes:
        async with turn:
            return await read(self, size)

    kind.read = read_alone  # type: ignore[method-assign]


def bound_uploads(manager: MemoryUploadedFileManager) -> None:
    """Let ``manager`` hold two files a tab and a gigabyte in all, but always the file that came
    last: those that came first make room."""
    add = manager.add_file
    lock = threading.Lock()
    held: dict[tuple[str, str], int] = {}
    """The bytes of each file by its tab and its own id, in the order in which they came."""

    def is_there(tab: str, file_id: str) -> bool:
        return bool(manager.get_files(tab, [file_id]))

    def drop(tab: str, file_id: str) -> None:
        manager.remove_file(tab, file_id)
        del held[tab, file_id]

    def add_file(session_id: str, file: UploadedFileRec) -> None:
        with lock:
            for gone in [each for each in held if not is_there(*each)]:
                del held[gone]
            add(session_id, file)
            held.pop((session_id, file.file_id), None)
            held[session_id, file.file_id] = len(file.data)
            own = [each for each in held if each[0] == session_id]
            for each in own[:-_MOST_A_TAB]:
                drop(*each)
            while len(held) > 1 and sum(held.values()) > _MOST_BYTES:
                drop(*next(iter(held)))

    manager.add_file = add_file  # type: ignore[method-assign]
