"""Jobs: one worker, one answer a question, whatever is asked, cancelled or broken meanwhile."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modeldiff import model as models
from modeldiff.changes import Progress
from modeldiff.checkpoints import Checkpoint, Reference, open_checkpoint
from modeldiff.comparison import Comparison
from modeldiff.errors import CheckpointNotFound, ResultError
from modeldiff.results import JobSnapshot, load_result
from modeldiff.results import diff as answering
from modeldiff.results.jobs import lanes
from modeldiff.results.jobs import manager as jobs
from modeldiff.results.jobs.job import LARGE_DIFF
from modeldiff.results.jobs.manager import JobManager
from modeldiff.results.jobs.throughput import Pace
from modeldiff.results.store.lock import held_alone
from tests.support.results import cache_at, write_model

OVER = ("done", "failed", "cancelled")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[JobManager]:
    with cache_at(tmp_path / "cache"):
        yield JobManager()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    base = write_model(tmp_path / "base", seed=1)
    target = write_model(tmp_path / "target", seed=1, change=0.1)
    return str(base), str(target)


class Gate:
    """The real ``answer``, which tells when it is asked and waits at its first row to be let on."""

    def __init__(self) -> None:
        self.calls = 0
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self, *sides: Any, on_change: Callable[[Any], None], **options: Any) -> Any:
        self.calls += 1

        def at_the_gate(change: Any) -> None:
            on_change(change)
            self.reached.set()
            assert self.open.wait(60)

        return answering.run_diff(*sides, on_change=at_the_gate, **options)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(lanes, "run_diff", gate)
    yield gate
    gate.open.set()


def until(
    manager: JobManager, job: JobSnapshot, reached: Callable[[JobSnapshot], bool]
) -> JobSnapshot:
    """The job once ``reached`` is true of it, looked at as a page does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        snapshot = manager.job(job.id)
        assert snapshot is not None
        if reached(snapshot):
            return snapshot
        time.sleep(0.005)
    raise AssertionError(f"after a minute: {manager.job(job.id)}")


def finished(manager: JobManager, job: JobSnapshot) -> JobSnapshot:
    return until(manager, job, lambda snapshot: snapshot.state in OVER)


def test_answers(manager: JobManager, pair: tuple[str, str]) -> None:
    job = manager.submit(Comparison.open(*pair))
    assert (job.base_reference, job.target_reference, job.device) == (*pair, "auto")
    done = finished(manager, job)
    assert done.state == "done"
    assert done.error is None
    assert done.key is not None
    result = load_result(done.key)
    assert result is not None
    assert done.changes == tuple(result.changes)
    assert done.progress is not None
    assert done.progress.bytes_done == done.progress.bytes_total > 0
    assert done.elapsed > 0
    assert manager.job(job.id) == done
    assert manager.find(Comparison.open(*pair)) == done


def test_whoever_asks_the_same_joins(
    manager: JobManager, pair: tuple[str, str], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(pair[0]).parent)
    first = manager.submit(Comparison.open(*pair))
    assert gate.reached.wait(60)
    assert manager.submit(Comparison.open(*pair)).id == first.id
    assert manager.submit(Comparison.open("./base", "./target")).id == first.id
    found = manager.find(Comparison.open(*pair))
    assert found is not None and found.id == first.id
    reverse = manager.submit(Comparison.open(*reversed(pair)))
    assert reverse.id != first.id
    assert reverse.state == "queued"
    assert manager.submit(Comparison.open(*reversed(pair))).id == reverse.id
    gate.open.set()
    assert finished(manager, first).state == finished(manager, reverse).state == "done"
    assert gate.calls == 2


def test_many_threads_that_ask_at_once_join(
    manager: JobManager, pair: tuple[str, str], gate: Gate
) -> None:
    start = threading.Barrier(8)
    ids: list[str] = []

    def ask() -> None:
        start.wait()
        ids.append(manager.submit(Comparison.open(*pair)).id)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 1


def test_rows_come_while_it_runs(manager: JobManager, pair: tuple[str, str], gate: Gate) -> None:
    job = manager.submit(Comparison.open(*pair))
    assert gate.reached.wait(60)
    running = manager.job(job.id)
    assert running is not None
    assert running.state == "measuring"
    assert len(running.changes) == 1
    again = manager.job(job.id)
    assert again is not None and again.changes is running.changes
    gate.open.set()
    assert len(finished(manager, job).changes) == 11
    assert len(running.changes) == 1


def test_cancelled_while_it_runs_and_asked_again(
    manager: JobManager, pair: tuple[str, str], gate: Gate
) -> None:
    job = manager.submit(Comparison.open(*pair))
    assert gate.reached.wait(60)
    manager.cancel(job.id)
    again = manager.submit(Comparison.open(*pair))
    assert again.id != job.id
    gate.open.set()
    stopped = finished(manager, job)
    assert (stopped.state, stopped.error) == ("cancelled", None)
    done = finished(manager, again)
    assert done.state == "done"
    assert done.progress is not None and done.progress.resumed_bytes > 0
    found = manager.find(Comparison.open(*pair))
    assert found is not None and found.id == again.id


def test_cancelled_while_queued(manager: JobManager, pair: tuple[str, str], gate: Gate) -> None:
    running = manager.submit(Comparison.open(*pair))
    assert gate.reached.wait(60)
    queued = manager.submit(Comparison.open(*reversed(pair)))
    manager.cancel(queued.id)
    stopped = manager.job(queued.id)
    assert stopped is not None
    assert (stopped.state, stopped.elapsed) == ("cancelled", 0.0)
    gate.open.set()
    assert finished(manager, running).state == "done"
    assert gate.calls == 1


def test_a_small_diff_does_not_wait_for_a_large_one(
    manager: JobManager, pair: tuple[str, str], gate: Gate
) -> None:
    def of_size(nbytes: int, *sides: str) -> Comparison:
        comparison = Comparison.open(*sides)
        vars(comparison)["nbytes"] = nbytes
        return comparison

    large = manager.submit(of_size(LARGE_DIFF, *pair))
    assert gate.reached.wait(60)
    waiting = manager.submit(of_size(LARGE_DIFF, pair[1], pair[1]))
    small = manager.submit(of_size(LARGE_DIFF - 1, *reversed(pair)))
    until(manager, small, lambda snapshot: snapshot.state == "measuring")
    queued = manager.job(waiting.id)
    assert queued is not None and queued.state == "queued"
    gate.open.set()
    for job in (large, waiting, small):
        assert finished(manager, job).state == "done"


def test_too_many_are_told_to_come_back(
    manager: JobManager, pair: tuple[str, str], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDIFF_MAX_QUEUED", "1")
    running = manager.submit(Comparison.open(*pair))
    assert gate.reached.wait(60)
    queued = manager.submit(Comparison.open(*reversed(pair)))
    with pytest.raises(ResultError, match="1 other jobs wait"):
        manager.submit(Comparison.open(pair[0], pair[0]))
    assert manager.submit(Comparison.open(*reversed(pair))).id == queued.id  # joining is free
    gate.open.set()
    assert finished(manager, running).state == finished(manager, queued).state == "done"


def test_cancelling_what_is_over_or_unknown_does_nothing(
    manager: JobManager, pair: tuple[str, str]
) -> None:
    job = manager.submit(Comparison.open(*pair))
    done = finished(manager, job)
    manager.cancel(job.id)
    manager.cancel("nobody")
    assert manager.job(job.id) == done


def test_waits_for_another_process_and_can_be_cancelled(
    manager: JobManager, pair: tuple[str, str], tmp_path: Path
) -> None:
    first = manager.submit(Comparison.open(*pair))
    key = finished(manager, first).key
    folder = tmp_path / "cache" / "results"
    (folder / f"{key}.parquet").unlink()
    with held_alone(folder / f"{key}.lock", lambda: None):
        job = manager.submit(Comparison.open(*pair))
        until(manager, job, lambda snapshot: snapshot.state == "waiting")
        manager.cancel(job.id)
        assert finished(manager, job).state == "cancelled"
        patient = manager.submit(Comparison.open(*pair))
        until(manager, patient, lambda snapshot: snapshot.state == "waiting")
    assert finished(manager, patient).state == "done"


def test_a_mistake_fails_the_job_and_not_the_worker(
    manager: JobManager, pair: tuple[str, str], tmp_path: Path
) -> None:
    gone = write_model(tmp_path / "gone", seed=3)
    comparison = Comparison.open(str(gone), pair[1])
    shutil.rmtree(gone)
    failed = finished(manager, manager.submit(comparison))
    assert failed.state == "failed"
    assert type(failed.error) is CheckpointNotFound
    assert failed.error.hint
    again = manager.submit(comparison)
    assert again.id != failed.id
    assert finished(manager, manager.submit(Comparison.open(*pair))).state == "done"


def test_what_was_not_foreseen_fails_the_job_too(
    manager: JobManager,
    pair: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*sides: object, **options: object) -> None:
        raise ZeroDivisionError("seven over nothing")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(lanes, "run_diff", broken)
        failed = finished(manager, manager.submit(Comparison.open(*pair)))
    assert failed.state == "failed"
    assert failed.error is not None
    assert "seven over nothing" in failed.error.message
    assert "report" in failed.error.hint
    assert "Traceback" in caplog.text
    assert finished(manager, manager.submit(Comparison.open(*pair))).state == "done"


def test_history_is_bounded_and_only_the_last_one_over_keeps_its_rows(
    manager: JobManager, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_KEPT_JOBS", 3)
    over = [finished(manager, manager.submit(Comparison.open(*pair))) for _ in range(5)]
    assert len({job.id for job in over}) == 5
    kept = [manager.job(job.id) for job in over]
    assert kept[:2] == [None, None]
    assert [len(job.changes) for job in kept if job] == [0, 0, 11]
    assert manager.find(Comparison.open(*pair)) == kept[-1]


def test_unknown(manager: JobManager) -> None:
    assert manager.job("nobody") is None
    assert manager.find(Comparison.open("demo:base", "demo:lora")) is None


def test_what_is_open_is_neither_parsed_nor_opened_again_unless_it_changed(
    manager: JobManager, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = Comparison.open(*pair)
    opened: list[str] = []

    def count(reference: Reference, **options: Any) -> Checkpoint:
        opened.append(reference.text)
        return open_checkpoint(reference, **options)

    def parse(text: str) -> Reference:
        raise AssertionError(f"{text} was parsed again")

    monkeypatch.setattr(models, "open_checkpoint", count)
    monkeypatch.setattr(models, "parse_reference", parse)
    done = finished(manager, manager.submit(comparison))
    assert (done.state, done.key, opened) == ("done", comparison.key, [])
    shutil.rmtree(pair[1])
    write_model(Path(pair[1]), seed=5)
    other = finished(manager, manager.submit(comparison))
    assert (other.state, opened) == ("done", [pair[1]])
    assert other.key is not None and other.key != done.key
    result = load_result(other.key)
    assert result is not None and result.header.target_fingerprint != result.header.base_fingerprint


class TestPace:
    @staticmethod
    def at(done: int, resumed: int = 0, phase: Any = "measuring") -> Progress:
        return Progress(phase, done, 10_000, 0, 1, resumed_bytes=resumed)

    def test_nothing_can_be_said_at_first(self) -> None:
        pace = Pace()
        pace.update(self.at(0), 0.0)
        assert pace.bytes_per_second(0.0) is None
        assert pace.seconds_left(1.0) is None

    def test_rate_and_time_left(self) -> None:
        pace = Pace()
        pace.update(self.at(0), 100.0)
        pace.update(self.at(2000), 102.0)
        assert pace.bytes_per_second(102.0) == 1000
        assert pace.seconds_left(102.0) == 8

    def test_bytes_from_a_journal_took_no_time(self) -> None:
        pace = Pace()
        pace.update(self.at(0), 0.0)
        pace.update(self.at(5000, resumed=5000), 0.0)
        pace.update(self.at(5500, resumed=5000), 1.0)
        assert pace.bytes_per_second(1.0) == 500
        assert pace.seconds_left(1.0) == 9

    def test_only_the_last_seconds_count(self) -> None:
        pace = Pace()
        for second in range(101):
            pace.update(self.at(second if second <= 50 else 50 + 100 * (second - 50)), second)
        assert pace.bytes_per_second(100.0) == 100

    def test_it_sinks_while_nothing_moves(self) -> None:
        pace = Pace()
        pace.update(self.at(0), 0.0)
        pace.update(self.at(1000), 1.0)
        assert pace.bytes_per_second(10.0) == 100

    def test_another_phase_starts_anew(self) -> None:
        pace = Pace()
        pace.update(self.at(0, phase="fetching"), 0.0)
        pace.update(self.at(9000, phase="fetching"), 1.0)
        pace.update(self.at(0), 2.0)
        assert pace.bytes_per_second(2.0) is None

    def test_many_reports_are_few_samples(self) -> None:
        pace = Pace()
        for step in range(100_001):
            pace.update(self.at(step // 100), step / 10_000)
        assert len(pace._samples) < 200
        assert pace.bytes_per_second(10.0) == pytest.approx(100, rel=0.05)
