"""One process that measures for several: files as requests, the journal as progress."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from modeldiff.changes import Progress
from modeldiff.comparison import Comparison
from modeldiff.results import Asker, JobSnapshot, load_result
from modeldiff.results.diff import run_diff
from modeldiff.results.jobs import lanes, queue_folder
from modeldiff.results.jobs.asker import job_request
from modeldiff.results.jobs.delegation import Delegation
from modeldiff.results.jobs.manager import JobManager
from modeldiff.results.jobs.queue_folder import (
    QueuedRequest,
    QueuedStatus,
    read_requests,
    read_status,
    write_request,
    write_status,
)
from modeldiff.results.jobs.worker import QueueWorker
from modeldiff.results.store.journal import Entry, Journal, JournalTail, journal_path
from tests.support.results import cache_at, write_model

ROOT = Path(__file__).parents[2]
ADA = Asker("tab 1", "ada@example.org", "ada@example.org")
NAME = "0" * 31 + "a"
# The command, whose diff waits after three rows until a file is there.
_GATED = """
import sys, time
from pathlib import Path
from modeldiff.__main__ import run
from modeldiff.changes.change import Progress
from modeldiff.changes import measurer

gate, measure = Path(sys.argv.pop()), measurer.measure_together

def gated(*sides, progress, **options):
    compared = 0
    for number, change in measure(*sides, progress=progress, **options):
        yield number, change
        compared += change.statistics is not None
        while compared >= 3 and not gate.exists():
            progress(Progress("measuring", 0, 1, 0, 1))
            time.sleep(0.02)

measurer.measure_together = gated
sys.argv.append("worker")
sys.exit(run())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The queue folder of a cache of its own."""
    with cache_at(tmp_path / "cache"):
        (tmp_path / "cache" / "queue").mkdir(parents=True)
        yield tmp_path / "cache" / "queue"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    base = write_model(tmp_path / "base", seed=1)
    return str(base), str(write_model(tmp_path / "target", seed=1, change=0.1))


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline, "not within two minutes"
        time.sleep(0.02)


@contextmanager
def worker_process(gate: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _GATED, str(gate)],
        cwd=ROOT,
        env=dict(os.environ),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def state_of(manager: JobManager, job: JobSnapshot) -> JobSnapshot:
    now = manager.job(job.id)
    assert now is not None
    return now


def test_a_worker_is_stopped_an_app_is_restarted_and_no_diff_is_lost(
    folder: Path, pair: tuple[str, str], tmp_path: Path
) -> None:
    comparison = Comparison.open(*pair)
    app = JobManager(Delegation)
    job = app.submit(comparison, asker=ADA)
    until(lambda: state_of(app, job).state == "unattended")
    with worker_process(tmp_path / "never") as worker:
        until(lambda: len(state_of(app, job).changes) == 3)
        seen = state_of(app, job)
        assert (seen.state, seen.key) == ("measuring", comparison.key)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    until(lambda: state_of(app, job).state == "unattended")
    assert app.shut_down(5)
    assert "being restarted" in str(state_of(app, job).error)

    next_app = JobManager(Delegation)
    found = next_app.find(comparison, asker=ADA)
    assert found is not None and found.active, "who comes back follows it"
    assert next_app.find(Comparison.open(*reversed(pair)), asker=ADA) is None
    gate = tmp_path / "gate"
    with worker_process(gate):
        until(lambda: state_of(next_app, found).state == "measuring")
        gate.touch()
        until(lambda: state_of(next_app, found).state == "done")
    result = load_result(comparison.key)
    assert result is not None
    assert len(result.changes) == 11
    alone = run_diff(comparison, cache=False)
    assert [row.statistics for row in result.changes] == [row.statistics for row in alone.changes]


def test_what_nobody_wants_any_more_ends(
    folder: Path, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()

    def endless(*_: object, progress: Callable[[Any], None], **__: object) -> None:
        started.set()
        while True:
            progress(Progress("measuring", 0, 1, 0, 1))
            time.sleep(0.01)

    monkeypatch.setattr(lanes, "run_diff", endless)
    now = [0.0]
    measuring = JobManager(clock=lambda: now[0])
    worker, app = QueueWorker(measuring), JobManager(Delegation)
    job = app.submit(Comparison.open(*pair), asker=ADA)
    until(lambda: bool(read_requests(folder)))
    worker.look()
    assert started.wait(60)
    app.cancel(job.id, ADA)
    assert state_of(app, job).state == "cancelled" and not read_requests(folder)
    worker.look()
    now[0] += 60
    worker.look()
    assert measuring.shut_down(60), "it has ended"
    assert not list(folder.glob("*.status"))


def test_a_request_that_is_not_renewed_is_dropped(folder: Path, pair: tuple[str, str]) -> None:
    request = QueuedRequest(NAME, (*pair, "auto", None), "auto", ADA)
    write_request(folder, request)
    assert list(read_requests(folder)) == [NAME]
    renewed = time.time() - queue_folder.SECONDS_UNRENEWED - 1
    os.utime(folder / f"{NAME}.json", (renewed, renewed))
    assert read_requests(folder) == {}


def _valid(**changes: Any) -> bytes:
    fields = {
        "base": "demo:base",
        "target": "demo:tuned",
        "layers": "auto",
        "drill_down": None,
        "device": "auto",
        "user": "",
        "name": "",
    }
    return json.dumps(fields | changes).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[" * 50_000,
        b"[]",
        b"{}",
        _valid(base=7),
        _valid(target="x" * 5_000),
        _valid(layers="by hand"),
        _valid(drill_down="all"),
        _valid(drill_down={"layer": True, "component": "", "parameter": "", "kind": "rows"}),
        _valid(name="x" * 100_000),
        _valid(user=["ada"]),
        # Like any text that somebody types:
        _valid(base="/etc"),
        _valid(base="demo:../../etc"),
        _valid(base="somebody/model"),
        _valid(drill_down={"layer": 0, "component": "q", "parameter": "w", "expert": None,
                           "tower": "", "kind": "no such kind"}),
    ],
)  # fmt: skip
def test_a_file_that_nobody_vouches_for_is_an_error_of_that_request(
    folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDIFF_ROOTS", str(ROOT / "demo"))
    monkeypatch.setenv("MODELDIFF_HUB", "off")
    (folder / f"{NAME}.json").write_bytes(content)
    worker = QueueWorker()

    def failed() -> bool:
        worker.look()
        status = read_status(folder, NAME)
        return status is not None and status.state == "failed"

    until(failed)
    status = read_status(folder, NAME)
    assert status is not None and status.error is not None and status.error.message


def test_what_is_no_file_is_no_request(folder: Path) -> None:
    (folder / "aside").write_bytes(_valid())
    (folder / f"{NAME}.json").symlink_to(folder / "aside")
    (folder / f"{NAME[:-1]}b.json").mkdir()
    os.mkfifo(folder / f"{NAME[:-1]}c.json")
    (folder / "..json").write_bytes(_valid())
    assert read_requests(folder) == {}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"state": "won"}', b"[" * 50_000])
def test_a_status_that_is_none_says_nothing(folder: Path, content: bytes) -> None:
    (folder / f"{NAME}.status").write_bytes(content)
    assert read_status(folder, NAME) is None


def test_what_is_written_is_read(folder: Path, pair: tuple[str, str]) -> None:
    with cache_at(folder.parent):
        manager = JobManager()
        job = manager.submit(Comparison.open(*pair), asker=ADA)
        until(lambda: state_of(manager, job).state == "done")
        status = QueuedStatus.of(state_of(manager, job))
    write_status(folder, NAME, status)
    assert read_status(folder, NAME) == status
    request = QueuedRequest(
        NAME, job_request(Comparison.open(*pair)), "cpu", Asker(NAME, "ada", "Ada")
    )
    write_request(folder, request)
    assert read_requests(folder) == {NAME: request}


def test_the_tail_reads_each_row_once_and_begins_anew_with_the_journal(
    folder: Path, pair: tuple[str, str]
) -> None:
    comparison = Comparison.open(*pair)
    path = journal_path(folder, comparison.key)
    tail = JournalTail(path, comparison.key)
    assert tail.read() == {}
    rows = [row for row in run_diff(comparison, cache=False).changes if row.statistics]
    with Journal(path, comparison.key) as journal:
        for row in rows:
            journal.append(row.pair, Entry(row.statistics, "cpu", 0.1))
            new = tail.read()
            assert [entry.change(row.pair) for entry in new.values()] == [row]
    assert tail.read() == {}
    path.unlink()
    with Journal(path, comparison.key) as journal:
        journal.append(rows[0].pair, Entry(rows[0].statistics, "cpu", 0.1))
        assert len(tail.read()) == 1
