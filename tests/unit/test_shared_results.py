"""Results, drill-downs and journals in an object store that a team shares: a real S3 server, two
machines (two caches), writers that die, stores that fail."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from modeldiff.architectures import Place
from modeldiff.changes import Change, Progress, Shard
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.errors import InvalidOption, ResultError
from modeldiff.results import (
    Result,
    delete_result,
    join_shards,
    list_results,
    load_result,
    open_result,
    run_diff,
    run_drill_down,
    run_shard,
)
from modeldiff.results.drilldown import load_drill_down
from modeldiff.results.drilldown_request import DrillDown
from modeldiff.results.shared import lease as leases
from modeldiff.results.shared import objects as shared
from modeldiff.results.shared.lease import Lease
from modeldiff.results.shared.objects import SharedObjects, shared_objects
from modeldiff.results.shared.segments import Segments, segment_folders
from modeldiff.results.store import measuring_alone
from modeldiff.results.store.journal import Entry, Journal, journal_path, merge_journals
from modeldiff.results.store.shared_headers import forget_shared_list
from tests.support import s3_server
from tests.support.results import cache_at
from tests.support.same_statistics import bits

Log = pytest.LogCaptureFixture
Patch = pytest.MonkeyPatch
Output = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]
MEASURES_SLOWLY = """
import sys, time
from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
from modeldiff.results.shared import lease
lease.SECONDS_BETWEEN_BEATS = 0.2
rows = 0
def row(change):
    global rows
    rows += 1
    if rows == 40:
        print("forty", flush=True)
        sys.stdin.readline()
run_diff(Comparison.open("demo:base", "demo:tuned"), on_change=row)
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server.s3_server() as address:
        yield address


@dataclass(frozen=True)
class Team:
    """Machines that share a store: a prefix of its own for each test. ``comparison`` is what they
    measure, below ``folder`` each has its cache."""

    store: SharedObjects
    comparison: Comparison
    folder: Path

    def cache(self, number: int) -> Path:
        return self.folder / f"machine-{number}"

    def machine(self, number: int) -> AbstractContextManager[Path]:
        """As on this machine for as long as the block runs; yields where its results are."""
        return cache_at(self.cache(number))

    def names(self, folder: str = "") -> list[str]:
        """What is in the store."""
        return [each.name for each in self.store.below(folder)]


@pytest.fixture
def team(server: str, comparison: Comparison, tmp_path: Path, monkeypatch: Patch) -> Team:
    share(monkeypatch, server, tmp_path)
    objects = shared_objects()
    assert objects is not None
    return Team(objects, comparison, tmp_path)


@pytest.fixture
def store(team: Team) -> SharedObjects:
    return team.store


def share(monkeypatch: Patch, address: str, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, text in s3_server.environment(address).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("MODELDIFF_SHARED", f"s3://{s3_server.BUCKET}/team/{tmp_path.name}")
    shared._objects.cache_clear()
    forget_shared_list()


@pytest.fixture
def comparison() -> Comparison:
    return Comparison.open("demo:base", "demo:tuned")


def rows_of(result: Result) -> list[object]:
    return [change.statistics and bits(change.statistics) for change in result.changes]


def no_measuring(*arguments: object, **options: object) -> None:
    raise AssertionError("it was measured, and is shared")


class TestSharing:
    def test_what_one_measured_another_opens_lists_and_names(
        self, team: Team, monkeypatch: Patch, capsys: Output
    ) -> None:
        with team.machine(1):
            measured = run_diff(team.comparison)
        assert team.names() == [f"results/{team.comparison.key}.parquet"]
        monkeypatch.setattr("modeldiff.changes.measurer.measure_together", no_measuring)
        with team.machine(2) as results:
            assert [header.key for header in list_results()] == [team.comparison.key]
            assert rows_of(open_result(team.comparison.key[:6])) == rows_of(measured)
            assert run_diff(team.comparison).header == measured.header
            assert (results / f"{team.comparison.key}.parquet").exists()
        with team.machine(3):
            assert main(["open", "last", "--quiet"]) == 0
            assert main(["list", "results"]) == 0
            assert team.comparison.key[:12] in capsys.readouterr().out
            delete_result(team.comparison.key)
            assert list_results() == () and load_result(team.comparison.key) is None
        assert team.names() == []

    def test_a_list_fetches_the_end_of_each_file_once(self, team: Team, monkeypatch: Patch) -> None:
        with team.machine(1):
            run_diff(team.comparison)
        with team.machine(2):
            first = list_results()
            assert len(first) == 1
            forget_shared_list()
            monkeypatch.setattr(SharedObjects, "get_part", no_measuring)
            assert list_results() == first

    def test_drill_downs_go_with_their_results(self, team: Team) -> None:
        request = DrillDown(Place(1, "mlp.up_proj", "weight"), "rows")
        with team.machine(1):
            run_diff(team.comparison)
            run_drill_down(team.comparison, request)
        with team.machine(2):
            assert load_drill_down(team.comparison.key, request) is not None
            first, second = (team.cache(number).rglob("details/*/*.parquet") for number in (1, 2))
            assert next(first).read_bytes() == next(second).read_bytes()
            delete_result(team.comparison.key)
        with team.machine(3):
            assert load_drill_down(team.comparison.key, request) is None

    def test_bytes_that_are_not_what_was_written_are_not_opened_and_make_room(
        self, team: Team, monkeypatch: Patch, caplog: Log
    ) -> None:
        with team.machine(1):
            run_diff(team.comparison)
        name = f"results/{team.comparison.key}.parquet"
        whole, tag = team.store.get(name, 1 << 30) or (b"", "")
        broken = bytearray(whole)
        broken[len(broken) // 3] ^= 1
        assert team.store.replace(name, bytes(broken), tag) is not None
        with team.machine(2), monkeypatch.context() as patched:
            patched.setattr("modeldiff.results.store.result_parquet.decode_result", no_measuring)
            assert load_result(team.comparison.key) is None
        assert "its content is not what was written" in caplog.text
        with team.machine(2):
            assert main(["cache", "verify", "--shared"]) == 1
            run_diff(team.comparison)
            assert main(["cache", "verify", "--shared"]) == 0

    def test_the_cache_command_shows_and_clears_what_is_shared(
        self, team: Team, monkeypatch: Patch, capsys: Output
    ) -> None:
        with team.machine(1):
            with monkeypatch.context() as alone:
                alone.delenv("MODELDIFF_SHARED")
                run_diff(team.comparison)
            assert team.names() == []
            assert main(["cache", "share"]) == 0
            assert team.names() == [f"results/{team.comparison.key}.parquet"]
            assert main(["cache", "list", "--shared"]) == 0
            assert main(["cache", "clear", "--shared"]) == 1  # not without a word on what goes
            assert main(["cache", "clear", "results", "--shared", "--dry-run"]) == 0
            assert len(team.names()) == 1
            Lease(team.store, "of-somebody").take()
            later = time.time() + 2 * 86_400
            monkeypatch.setattr(time, "time", lambda: later)
            assert main(["cache", "prune", "--shared"]) == 0
            assert len(team.names()) == 1  # the lease is over a day old, the result has no limit
            assert main(["cache", "clear", "results", "--shared"]) == 0
        assert team.names() == []
        assert f"{team.store.address}: " in capsys.readouterr().out


class TestLeases:
    def test_of_many_at_once_one_gets_it(self, store: SharedObjects) -> None:
        contenders = [Lease(store, "wanted") for _ in range(8)]
        with ThreadPoolExecutor(8) as threads:
            taken = [*threads.map(lambda lease: lease.take(), contenders)]
        assert taken.count(True) == 1
        holder = contenders.pop(taken.index(True))
        assert holder.beat() and not contenders[0].take()
        holder.release()
        assert contenders[0].take() and not holder.beat()

    def test_of_many_who_wait_for_a_dead_one_one_gets_it(
        self, store: SharedObjects, monkeypatch: Patch
    ) -> None:
        sleeper = Lease(store, "wanted")
        assert sleeper.take()
        waiting = [Lease(store, "wanted") for _ in range(4)]
        assert not any(lease.take() for lease in waiting)
        monkeypatch.setattr(leases, "SECONDS_TO_EXPIRY", 0.0)
        with ThreadPoolExecutor(4) as threads:
            taken = [*threads.map(lambda lease: lease.take(), waiting)]
        # With no time to expire in, one may take it from another that has it: the last one holds.
        assert True in taken
        assert sum(lease.beat() for lease in waiting) == 1 and not sleeper.beat()
        sleeper.release()
        assert sum(lease.beat() for lease in waiting) == 1

    def test_those_of_a_dead_machine_are_waited_for_at_once(
        self, store: SharedObjects, monkeypatch: Patch
    ) -> None:
        now = 0.0
        monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: now))
        dead, alive = ([Lease(store, f"{kind}{n}") for n in range(3)] for kind in ("dead", "alive"))
        assert all(lease.take() for lease in (*dead, *alive))
        names = [f"{kind}{n}" for kind in ("dead", "alive") for n in range(3)]
        leases.look_at_leases(store, [*names, "nobody's"])
        now = leases.SECONDS_TO_EXPIRY - 1
        assert all(lease.beat() for lease in alive)
        assert not any(Lease(store, name).take() for name in names)
        now += 1
        taken = [name for name in names if Lease(store, name).take()]
        assert taken == names[:3]
        assert Lease(store, "nobody's").take()

    def test_a_writer_that_lost_its_file_cannot_add_to_it(self, store: SharedObjects) -> None:
        first, second = Segments(store, "journals/k/1/"), Segments(store, "journals/k/1/")
        assert first.add(b"one\n") and second.read_on() == b"one\n"
        assert second.add(b"two\n") and not first.add(b"TWO\n")
        assert Segments(store, "journals/k/1/").read_on() == b"one\ntwo\n"


def lines_in(store: SharedObjects, begin: str) -> int:
    """The rows of the journal in the store whose folder begins so."""
    folders = segment_folders(store, begin)
    return sum(Segments(store, folder).read_on().count(b"\n") - 1 for folder in folders)


def measuring_slowly(cache: Path) -> subprocess.Popen[str]:
    """Another machine that measures, and has paused after forty rows."""
    process = subprocess.Popen(
        [sys.executable, "-c", MEASURES_SLOWLY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "MODELDIFF_CACHE": str(cache)},
        cwd=ROOT,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "forty\n"
    return process


class TestTwoMachines:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: Patch) -> None:
        monkeypatch.setattr(leases, "SECONDS_BETWEEN_BEATS", 0.2)
        monkeypatch.setattr(measuring_alone, "_SECONDS_BETWEEN_LOOKS", 0.1)

    def test_who_waits_sees_the_rows_and_takes_the_result(
        self, team: Team, monkeypatch: Patch
    ) -> None:
        monkeypatch.setattr("modeldiff.changes.measurer.measure_together", no_measuring)
        other = measuring_slowly(team.cache(1))
        rows: list[Change] = []

        def go_on(progress: Progress) -> None:
            assert other.stdin is not None
            if len(rows) >= 30 and not other.stdin.closed:
                other.stdin.close()

        with other, team.machine(2):
            taken = run_diff(team.comparison, on_change=rows.append, progress=go_on)
        assert other.returncode == 0 and len(rows) >= 30
        with team.machine(1):
            assert load_result(team.comparison.key) == taken
        assert team.names() == [f"results/{team.comparison.key}.parquet"]

    def test_a_machine_that_dies_is_followed_by_one_that_goes_on(
        self, team: Team, monkeypatch: Patch
    ) -> None:
        other = measuring_slowly(team.cache(1))
        pieces = f"journals/{team.comparison.key}/"
        deadline = time.monotonic() + 60
        with other:
            while lines_in(team.store, pieces) < 40 and time.monotonic() < deadline:
                time.sleep(0.1)
            other.send_signal(signal.SIGKILL)
        monkeypatch.setattr(leases, "SECONDS_TO_EXPIRY", 1.0)
        said: list[Progress] = []
        with team.machine(2):
            result = run_diff(team.comparison, progress=said.append)
        assert any(each.resumed_bytes for each in said if each.phase == "measuring")
        assert {each.phase for each in said} >= {"waiting", "measuring"}
        with team.machine(3):
            monkeypatch.delenv("MODELDIFF_SHARED")
            assert rows_of(run_diff(team.comparison)) == rows_of(result)
        assert team.names() == [f"results/{team.comparison.key}.parquet"]

    def test_shards_of_three_machines_are_joined_by_a_fourth(
        self, team: Team, monkeypatch: Patch
    ) -> None:
        for number in (1, 3):
            with team.machine(number):
                run_shard(team.comparison, Shard(number=number, count=3))
        with team.machine(4):
            with pytest.raises(ResultError, match="shard 2 of 3") as missing:
                join_shards(team.comparison)
            assert "--shard 2/3" in missing.value.hint
        with team.machine(2):
            run_shard(team.comparison, Shard(number=2, count=3))
        with team.machine(4):
            joined = join_shards(team.comparison)
        assert team.names() == [f"results/{team.comparison.key}.parquet"]
        monkeypatch.delenv("MODELDIFF_SHARED")
        with team.machine(5):
            assert rows_of(run_diff(team.comparison)) == rows_of(joined)

    def test_a_fleet_measures_what_nobody_has_measured(self, team: Team, capsys: Output) -> None:
        with team.machine(1):
            assert main(["diff", "demo:base", "demo:lora", "--quiet"]) == 0
        with team.machine(2):
            assert main(["fleet", "demo:base", "demo:lora", "demo:tuned", "--json"]) == 0
        fleet = json.loads(capsys.readouterr().out)
        assert len(fleet["pairs"]) == 2
        assert fleet["bytes_apart"] == Comparison.open("demo:base", "demo:tuned").nbytes
        assert len(team.names("results/")) == 2 and not team.names("leases/")


class _Failing(http.server.BaseHTTPRequestHandler):
    status = 503

    def answer(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


class TestFailures:
    @pytest.mark.parametrize("failure", ["nobody", "503", "507", "403", "no bucket"])
    def test_a_diff_is_kept_here_and_a_shard_says_that_nobody_finds_it(
        self,
        failure: str,
        server: str,
        comparison: Comparison,
        tmp_path: Path,
        monkeypatch: Patch,
        caplog: Log,
    ) -> None:
        status = int(failure) if failure.isdigit() else 503
        handler = type("Handler", (_Failing,), {"status": status})
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as failing:
            threading.Thread(target=failing.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{failing.server_address[1]}"
            elsewhere = {"nobody": "http://127.0.0.1:9", "no bucket": server}
            share(monkeypatch, elsewhere.get(failure, address), tmp_path)
            if failure == "no bucket":
                monkeypatch.setenv("MODELDIFF_SHARED", "s3://nobodys-bucket/team")
            with cache_at(tmp_path / "machine"):
                with pytest.raises(ResultError, match="kept on this machine alone") as alone:
                    run_shard(comparison, Shard(number=1, count=2))
                result = run_diff(comparison)
                assert load_result(comparison.key) == result
                assert [header.key for header in list_results()] == [comparison.key]
                with pytest.raises(ResultError):
                    delete_result(comparison.key)
            failing.shutdown()
        warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
        said = sum("shared store" in each for each in warnings)
        assert said == (2 if failure == "403" else 1)  # writing and reading are refused apart
        assert s3_server.SECRET not in "".join(warnings) + str(alone.value) + alone.value.hint

    def test_a_store_that_fails_again_rests_for_longer(
        self, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        share(monkeypatch, "http://127.0.0.1:9", tmp_path)
        objects = shared_objects()
        assert objects is not None
        asked = []
        started = time.monotonic()
        for later in (0, 19, 25, 60, 70):  # rests until 20, and after the second failure until 65
            clock = SimpleNamespace(monotonic=partial(float, started + later))
            monkeypatch.setattr("modeldiff.results.shared.rest.time", clock)
            with pytest.raises(shared.SharedStoreError) as failed:
                objects.below("results/")
            asked.append(failed.value.is_new)
        assert asked == [True, False, True, False, True]

    def test_settings_name_folders_here_and_stores_there(self, monkeypatch: Patch) -> None:
        monkeypatch.setenv("MODELDIFF_CACHE", "s3://models/team")
        with pytest.raises(InvalidOption, match="MODELDIFF_SHARED"):
            list_results()
        monkeypatch.delenv("MODELDIFF_CACHE")
        for wrong in ("/srv/shared", "https://host/team", "s3://", "s3://a/../b", "s3://a//b"):
            monkeypatch.setenv("MODELDIFF_SHARED", wrong)
            with pytest.raises(InvalidOption, match="MODELDIFF_SHARED"):
                shared_objects()


class TestMergedJournals:
    @pytest.fixture
    def written(self, comparison: Comparison, tmp_path: Path) -> bytes:
        path = journal_path(tmp_path, comparison.key)
        with Journal(path, comparison.key) as journal:
            for number, pair in enumerate(comparison.pairs[:6]):
                journal.append(pair, Entry(None, "cpu", float(number), "a bad spot"))
        return path.read_bytes()

    @pytest.mark.parametrize("torn", [0, 1, 30])
    def test_two_beginnings_of_one_journal_make_the_longer_one(
        self, written: bytes, torn: int, comparison: Comparison
    ) -> None:
        lines = written.splitlines(keepends=True)
        short = b"".join(lines[:4]) + lines[4][:torn]
        assert merge_journals(comparison.key, short, written) == written
        assert merge_journals(comparison.key, written, short) == written
        assert merge_journals(comparison.key, b"", written) == written

    def test_journals_of_two_writers_keep_what_both_have(
        self, written: bytes, comparison: Comparison, tmp_path: Path
    ) -> None:
        other = tmp_path / "other.journal"
        with Journal(other, comparison.key) as journal:
            for pair in comparison.pairs[4:9]:
                journal.append(pair, Entry(None, "cuda", 1.0, "another"))
        other.write_bytes(merge_journals(comparison.key, written, other.read_bytes()))
        with Journal(other, comparison.key) as journal:
            assert {*journal.entries} == {pair.id for pair in comparison.pairs[:9]}
            assert journal.entries[comparison.pairs[4].id].device == "cpu"
