"""The cache: what goes and what stays, what is damaged, and a folder that a group shares."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest

from modeldiff.cli import main
from modeldiff.files.atomic import write_atomically, write_if_possible
from modeldiff.results.housekeeping.entries import cache_entries
from modeldiff.results.housekeeping.pruning import clear_cache, prune_cache, prune_daily
from modeldiff.results.housekeeping.verifying import verify_cache
from modeldiff.results.store.journal import Journal, journal_path
from modeldiff.results.store.result_files import save_result
from tests.support.results import a_change, a_result, cache_at

DAY = 86_400
KEY = "ab" * 32


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as results:
        results.mkdir(parents=True)
        yield results.parent


def put(path: Path, *, days: float = 0, nbytes: int = 10) -> Path:
    """A file that was last used so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * nbytes)
    used = time.time() - days * DAY
    os.utime(path, (used, used))
    return path


class TestPruning:
    def test_by_age(self, cache: Path) -> None:
        old = [
            put(cache / "hub" / "0123456789abcdef", days=91),
            put(cache / "results" / f"{KEY}.journal", days=91),
            put(cache / "results" / f"{KEY}.lock", days=2),
            put(cache / "results" / ".modeldiff-0a.tmp", days=2),
            put(cache / "results" / "details" / KEY / ".modeldiff-0b.tmp", days=2),
            put(cache / "results" / f"{KEY}.bad", days=31),
        ]
        kept = [
            put(cache / "results" / f"{KEY}.parquet", days=1000),
            put(cache / "hub" / "123456789abcdef0", days=89),
            put(cache / "results" / "notes.txt", days=1000),
            put(cache / "somebody" / "else.parquet", days=1000),
        ]
        assert {entry.path for entry in prune_cache(delete=False)} == set(old)
        assert all(path.exists() for path in old)
        prune_cache()
        assert not any(path.exists() for path in old)
        assert all(path.exists() for path in kept)
        assert not (cache / "results" / "details" / KEY).exists()

    def test_results_by_the_setting(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODELDIFF_CACHE_DAYS", "30")
        old = put(cache / "results" / f"{KEY}.parquet", days=31)
        kept = put(cache / "results" / "details" / KEY / "cd.parquet", days=29)
        prune_cache()
        assert not old.exists() and kept.exists()

    def test_by_size_the_longest_unused_goes_first(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        paths = [put(cache / "results" / f"{n}.parquet", days=n, nbytes=1000) for n in range(5)]
        journal = put(cache / "results" / f"{KEY}.journal", days=80, nbytes=1000)
        monkeypatch.setenv("MODELDIFF_CACHE_SIZE", "3500 B")
        prune_cache()
        assert [path.exists() for path in paths] == [True, True, False, False, False]
        assert journal.exists()

    def test_what_a_running_diff_needs_stays(self, cache: Path) -> None:
        lock = put(cache / "results" / f"{KEY}.lock", days=100)
        journal = put(cache / "results" / f"{KEY}.journal", days=100)
        fresh = put(cache / "results" / ".modeldiff-0a.tmp")
        with filelock.FileLock(lock):
            clear_cache()
            assert journal.exists() and lock.exists() and fresh.exists()
        clear_cache()
        assert not journal.exists() and not lock.exists()

    def test_links_are_not_followed(self, cache: Path, tmp_path: Path) -> None:
        outside = put(tmp_path / "outside.parquet", days=1000)
        (cache / "results" / "link.parquet").symlink_to(outside)
        assert clear_cache() == ()
        assert outside.exists()

    def test_once_a_day(self, cache: Path) -> None:
        prune_daily()
        old = put(cache / "hub" / "0123456789abcdef", days=91)
        prune_daily()
        assert old.exists()
        put(cache / "pruned", days=1.1)
        prune_daily()
        assert not old.exists()

    def test_whoever_of_a_group_comes_first_prunes(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        marks = put(cache / "pruned", days=1.1)
        anothers = marks.stat().st_ino
        set_times = os.utime

        def utime(path: Path, *arguments: Any, **options: Any) -> None:
            if Path(path).stat().st_ino == anothers:  # the times of a file are its owner's to set
                raise PermissionError(1, "Operation not permitted", str(path))
            set_times(path, *arguments, **options)

        old = put(cache / "hub" / "0123456789abcdef", days=91)
        monkeypatch.setattr(os, "utime", utime)
        prune_daily()
        assert not old.exists()

    def test_a_clock_that_is_months_ahead_deletes_nothing_fresh(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MODELDIFF_CACHE_DAYS", "30")
        put(cache / "pruned", days=1.1)
        fresh = [
            put(cache / "results" / f"{KEY}.parquet", days=1),
            put(cache / "results" / f"{KEY}.journal", days=1),
            put(cache / "hub" / "0123456789abcdef", days=14),
            put(cache / "queue" / "0123456789abcdef.json", days=0.1),
        ]
        old = put(cache / "hub" / "123456789abcdef0", days=100)
        now = time.time()
        for days in (300, 300.1, 301.5, 0):
            monkeypatch.setattr(time, "time", lambda ahead=days: now + ahead * 86_400)
            prune_daily()
            assert all(path.exists() for path in fresh[:3]), days
            assert fresh[3].exists() or days > 300.1
            assert not old.exists()

    def test_what_is_looked_at_daily_goes_in_its_time(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MODELDIFF_CACHE_DAYS", "30")
        result = put(cache / "results" / f"{KEY}.parquet")
        now = time.time()
        days = 0
        while result.exists():
            days += 1
            monkeypatch.setattr(time, "time", lambda at=now + days * 86_401: at)
            prune_daily()
        assert days == 30


class TestVerifying:
    def test_whole_and_damaged(self, cache: Path) -> None:
        save_result(a_result(a_change(1.0)))
        (path,) = (cache / "results").glob("*.parquet")
        with Journal(journal_path(cache / "results", KEY), KEY):
            pass
        assert verify_cache() == (2, ())
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with journal_path(cache / "results", KEY).open("ab") as journal:
            journal.write(b"00000000 {}\n")
        _, faults = verify_cache()
        assert {fault.entry.kind.name for fault in faults} == {"results", "journals"}
        assert not list((cache / "results").glob("*.lock"))


class TestCommand:
    def test_list_prune_clear_verify(self, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
        put(cache / "hub" / "0123456789abcdef", days=91, nbytes=2000)
        kept = put(cache / "results" / "x.parquet", nbytes=3000)
        assert main(["cache", "list"]) == 0
        shown = capsys.readouterr().out
        assert "91 days" in shown and "2.00 kB" in shown
        assert main(["cache", "prune", "--dry-run"]) == 0
        assert "1 file of 2.00 kB would be deleted" in capsys.readouterr().out
        assert main(["cache", "verify"]) == 1
        assert str(kept) in capsys.readouterr().out
        assert main(["cache", "clear", "hub"]) == 0
        assert [entry.path for entry in cache_entries()] == [kept]

    def test_a_kind_that_is_none(self, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["cache", "clear", "everything"]) == 1
        assert "drill-downs" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="groups are POSIX's")
class TestGroup:
    """A folder that its group may write to."""

    def test_what_one_makes_all_can_use(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o2770)
        script = (
            "import os; os.umask(0o077)\n"
            "import modeldiff\n"
            "modeldiff.diff('demo:base', 'demo:tuned', device='cpu')\n"
            "from pathlib import Path\n"
            "from modeldiff.results.store.journal import Journal\n"
            f"Journal(Path({str(shared)!r}) / 'results' / 'a.journal', 'a')\n"
        )
        environment = {**os.environ, "MODELDIFF_CACHE": str(shared)}
        subprocess.run([sys.executable, "-c", script], check=True, env=environment)
        made = [path for path in shared.rglob("*") if "kernels" not in path.parts]
        assert {path.suffix for path in made} >= {".parquet", ".journal", ".lock", ""}
        for path in made:
            mode = path.stat().st_mode
            assert mode & stat.S_IWGRP and mode & stat.S_IRGRP, path
            assert not stat.S_ISDIR(mode) or (mode & stat.S_IXGRP and mode & stat.S_ISGID), path

    @pytest.mark.parametrize("link", ["configs", "results/details/x"])
    def test_what_another_ones_link_offers_is_not_deleted(
        self, link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        for name in ("kept.json", "kept.parquet"):
            (theirs / name).write_bytes(b"{}")
        place = tmp_path / "cache" / link
        place.parent.mkdir(parents=True)
        place.symlink_to(theirs)
        monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
        assert len(cache_entries()) == 1  # an own link: a larger disk, say
        if me := os.geteuid():
            monkeypatch.setattr(os, "geteuid", lambda: me + 1)
        else:
            os.chown(place, 12345, 12345, follow_symlinks=False)
        assert cache_entries() == ()

    def test_elsewhere_the_umask_holds(self, tmp_path: Path) -> None:
        before = os.umask(0o077)
        try:
            assert write_if_possible(tmp_path / "own" / "file", b"")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "own" / "file").stat().st_mode) == 0o600

    def test_what_is_private_stays_so(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o2770)
        write_atomically(tmp_path / "kernels.o", b"", mode=0o600)
        assert stat.S_IMODE((tmp_path / "kernels.o").stat().st_mode) == 0o600
