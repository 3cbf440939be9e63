"""Files that viewers bring do not fill the server's memory, however many there are."""

from __future__ import annotations

import asyncio
import io

import pytest
from starlette.datastructures import UploadFile
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from modeldiff.ui.shell import uploads
from modeldiff.ui.shell.uploads import bound_uploads, read_in_turn


def _file(name: str, nbytes: int) -> UploadedFileRec:
    return UploadedFileRec(name, f"{name}.parquet", "", bytes(nbytes))


@pytest.fixture
def manager() -> MemoryUploadedFileManager:
    manager = MemoryUploadedFileManager("/upload")
    bound_uploads(manager)
    return manager


def _held(manager: MemoryUploadedFileManager) -> set[tuple[str, str]]:
    return {(tab, each) for tab, files in manager.file_storage.items() for each in files}


def test_of_one_tab_the_last_two_are_held(manager: MemoryUploadedFileManager) -> None:
    manager.add_file("other", _file("a", 1))
    for number in range(20):
        manager.add_file("tab", _file(str(number), 10))
        assert manager.get_files("tab", [str(number)])
    assert _held(manager) == {("other", "a"), ("tab", "18"), ("tab", "19")}


def test_of_all_tabs_so_many_bytes_are_held(
    manager: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_MOST_BYTES", 100)
    for number in range(20):
        manager.add_file(f"tab {number}", _file("a", 40))
    assert _held(manager) == {("tab 18", "a"), ("tab 19", "a")}
    manager.add_file("large", _file("a", 500))
    assert _held(manager) == {("large", "a")}


def test_what_a_tab_took_back_or_left_makes_room(
    manager: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_MOST_BYTES", 100)
    manager.add_file("gone", _file("a", 60))
    manager.add_file("tab", _file("a", 40))
    manager.remove_session_files("gone")
    manager.add_file("tab", _file("b", 60))
    assert _held(manager) == {("tab", "a"), ("tab", "b")}
    manager.add_file("tab", _file("b", 60))  # sent once more, it is one file
    assert _held(manager) == {("tab", "a"), ("tab", "b")}


def test_files_that_have_come_at_one_moment_are_read_in_turn() -> None:
    under_way = most = 0

    class Upload(UploadFile):
        async def read(self, size: int = -1) -> bytes:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            content = await super().read(size)
            under_way -= 1
            return content

    async def send_all() -> list[bytes]:
        return await asyncio.gather(*(Upload(io.BytesIO(b"%d" % n)).read() for n in range(8)))

    read_in_turn(Upload)
    assert asyncio.run(send_all()) == [b"%d" % number for number in range(8)]
    assert most == 1
