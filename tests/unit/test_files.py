"""Ground: files written whole or not at all, and the folder for what only saves time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import platformdirs
import pytest

from modeldiff.files.atomic import try_writing, write_atomically, write_if_possible
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.private import is_private, make_private_folder


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full once the bytes have to be there."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old, and longer", b"new"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert not write_if_possible(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_cache_write_that_fails_at_its_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """A folder stands where the file should go: only the last step, the renaming, fails."""
    in_the_way = tmp_path / "file"
    in_the_way.mkdir()
    assert not write_if_possible(in_the_way, b"content")
    assert list(tmp_path.rglob("*")) == [in_the_way]


def test_a_cache_write_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "of" / "caches" / "file"
    assert write_if_possible(path, b"content")
    assert path.read_bytes() == b"content"
    assert not write_if_possible(path / "below a file", b"content")


def test_trying_leaves_nothing_and_tells_of_a_missing_folder(tmp_path: Path) -> None:
    try_writing(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        try_writing(tmp_path / "missing")


def test_what_is_written_can_be_read_by_those_whom_the_umask_allows(tmp_path: Path) -> None:
    """A cache on a shared server is made by one user and read by others."""
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "file", b"content")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_file_gets_the_permissions_asked_for(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"content", mode=0o600)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_the_cache_is_where_its_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MODELDIFF_CACHE", "~/caches")
    assert cache_folder("hub") == tmp_path / "caches" / "hub"
    monkeypatch.setenv("MODELDIFF_CACHE", "~nobody-of-this-name/x")
    assert cache_folder("hub") == Path("~nobody-of-this-name/x/hub")
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("MODELDIFF_CACHE")
        else:
            monkeypatch.setenv("MODELDIFF_CACHE", unset)
        assert cache_folder("hub") == platformdirs.user_cache_path("modeldiff") / "hub"


class TestPrivate:
    """What others could change is told from what only this user and root can."""

    def test_a_folder_of_ours_in_a_sticky_one_is_private(self, tmp_path: Path) -> None:
        sticky = tmp_path / "sticky"
        sticky.mkdir()
        sticky.chmod(0o1777)
        assert make_private_folder(sticky / "ours")
        assert (sticky / "ours").stat().st_mode & 0o777 == 0o700
        assert is_private(sticky / "ours")
        assert not is_private(sticky / "missing")

    @pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o720, 0o702])
    def test_not_where_others_write_anywhere_on_the_way(self, mode: int, tmp_path: Path) -> None:
        folder = tmp_path / "a" / "b"
        folder.mkdir(parents=True)
        assert is_private(folder)
        folder.parent.chmod(mode)
        assert not is_private(folder)
        assert not make_private_folder(folder)

    def test_each_link_is_followed_through_what_it_passes(self, tmp_path: Path) -> None:
        (tmp_path / "ours").mkdir()
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        (theirs / "second").symlink_to("../ours")
        (tmp_path / "first").symlink_to(theirs / "second")
        assert is_private(tmp_path / "first")
        theirs.chmod(0o777)
        assert is_private(tmp_path / "ours")
        assert not is_private(tmp_path / "first")

    def test_a_loop_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        assert not is_private(tmp_path / "a")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    def test_what_another_user_owns_is_not(self, tmp_path: Path) -> None:
        folder = tmp_path / "a" / "b"
        folder.mkdir(parents=True)
        os.chown(folder.parent, 65534, 65534)
        assert not is_private(folder)
