"""One question answered: kept as it goes, taken up again, never measured twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from modeldiff import changes
from modeldiff.changes import Change, Progress
from modeldiff.changes.measurer import TargetPairs
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.comparison import Comparison
from modeldiff.errors import Cancelled, CheckpointChanged, InvalidOption, ResultError
from modeldiff.results import load_result, run_diff
from tests.support.results import cache_at, write_model

Sides = tuple[Checkpoint, Checkpoint]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as folder:
        yield folder


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    base = write_model(tmp_path / "base", seed=1)
    target = write_model(tmp_path / "target", seed=1, change=0.1)
    return open_checkpoint(str(base)), open_checkpoint(str(target))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pairs that were given to be measured, whoever asked."""
    names: list[str] = []

    def measure(
        base: Checkpoint, targets: Sequence[TargetPairs], **options: Any
    ) -> Iterator[tuple[int, Change]]:
        names.extend(pair.base.name for _, pairs in targets for pair in pairs if pair.base)
        return changes.measure_together(base, targets, **options)

    monkeypatch.setattr("modeldiff.changes.measurer.measure_together", measure)
    return names


class StopAfter:
    """Cancels a diff after so many rows."""

    def __init__(self, rows: int) -> None:
        self.names: list[str] = []
        self._rows = rows

    def __call__(self, change: Change) -> None:
        assert change.pair.base is not None
        self.names.append(change.pair.base.name)
        if len(self.names) == self._rows:
            raise Cancelled("enough")


def names(rows: Sequence[Change]) -> list[str]:
    return [change.pair.base.name for change in rows if change.pair.base]


def test_compiling_is_said_and_is_no_time_of_measuring(
    results: Path, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = [0.0]
    now = time.monotonic
    monkeypatch.setattr("modeldiff.results.pair_diff.time.monotonic", lambda: now() + hour[0])
    monkeypatch.setattr("modeldiff.results.pair_diff.are_compiled", lambda: False)
    said: list[str] = []

    def compile_for_an_hour(report: Callable[[int, int], None]) -> None:
        report(0, 3)
        assert said[-1] == "kernel 1 of 2"
        hour[0] += 3600

    monkeypatch.setattr("modeldiff.results.pair_diff.kernels", compile_for_an_hour)
    result = run_diff(
        Comparison.of(*sides), progress=lambda progress: said.append(progress.current)
    )
    assert hour == [3600] and 0 < result.header.seconds < 3600


class TestFirstTime:
    def test_measured_and_kept(self, sides: Sides, results: Path) -> None:
        seen: list[Change] = []
        result = run_diff(Comparison.of(*sides), on_change=seen.append)
        assert names(result.changes) == [tensor.name for tensor in sides[0].tensors]
        assert all(change.statistics is not None for change in result.changes)
        assert tuple(seen) == tuple(result.changes)
        assert result.key == Comparison.of(*sides).key
        assert result.header.device == "cpu"
        assert result.header.base_reference == sides[0].reference.text
        assert load_result(result.key) == result
        assert {path.suffix for path in results.iterdir()} == {".parquet", ".lock"}

    def test_progress_counts_both_sides(self, sides: Sides, results: Path) -> None:
        reports: list[Progress] = []
        run_diff(Comparison.of(*sides), progress=reports.append)
        total = sides[0].nbytes + sides[1].nbytes
        first, last = reports[0], reports[-1]
        assert (first.bytes_done, first.bytes_total) == (0, total)
        assert (last.bytes_done, last.bytes_total) == (total, total)
        assert (last.tensors_done, last.tensors_total) == (11, 11)
        assert {report.resumed_bytes for report in reports} == {0}

    def test_without_a_cache(self, sides: Sides, results: Path, measured: list[str]) -> None:
        first, second = (
            run_diff(Comparison.of(*sides), cache=False),
            run_diff(Comparison.of(*sides), cache=False),
        )
        assert first.changes == second.changes
        assert len(measured) == 2 * 11
        assert not results.exists()

    def test_a_cache_that_cannot_be_written_to(self, sides: Sides, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with cache_at(tmp_path / "file"):
            with pytest.raises(ResultError):
                run_diff(Comparison.of(*sides))
            assert run_diff(Comparison.of(*sides), cache=False).changes

    def test_an_unknown_device(self, sides: Sides, results: Path) -> None:
        with pytest.raises(InvalidOption):
            run_diff(Comparison.of(*sides), device="abacus")


class TestSecondTime:
    def test_nothing_is_measured(self, sides: Sides, results: Path, measured: list[str]) -> None:
        first = run_diff(Comparison.of(*sides))
        measured.clear()
        assert run_diff(Comparison.of(*sides), device="torch:cpu") == first
        assert measured == []

    def test_under_other_references_of_the_same_content(
        self, sides: Sides, results: Path, tmp_path: Path, measured: list[str]
    ) -> None:
        first = run_diff(Comparison.of(*sides))
        Path(sides[0].reference.location).rename(tmp_path / "moved")
        moved = open_checkpoint(str(tmp_path / "moved"))
        measured.clear()
        again = run_diff(Comparison.of(moved, sides[1]))
        assert measured == []
        assert again.header.base_reference == str(tmp_path / "moved")
        assert again.changes == first.changes

    def test_other_content_is_another_question(self, sides: Sides, results: Path) -> None:
        assert run_diff(Comparison.of(*sides)).key != run_diff(Comparison.of(*reversed(sides))).key


class TestInterrupted:
    def test_goes_on_where_it_was_cancelled(
        self, sides: Sides, results: Path, measured: list[str]
    ) -> None:
        undisturbed = run_diff(Comparison.of(*sides), cache=False)
        stop = StopAfter(4)
        with pytest.raises(Cancelled):
            run_diff(Comparison.of(*sides), on_change=stop)
        assert load_result(Comparison.of(*sides).key) is None
        measured.clear()
        seen: list[Change] = []
        reports: list[Progress] = []
        result = run_diff(Comparison.of(*sides), on_change=seen.append, progress=reports.append)
        assert len(stop.names) == 4
        assert measured == [name for name in names(result.changes) if name not in stop.names]
        assert result.changes == undisturbed.changes
        assert names(seen) == stop.names + measured
        total = sides[0].nbytes + sides[1].nbytes
        resumed = sum(change.pair.nbytes for change in seen[:4])
        assert {report.resumed_bytes for report in reports} == {resumed}
        assert (reports[0].bytes_done, reports[0].tensors_done) == (resumed, 4)
        assert (reports[-1].bytes_done, reports[-1].bytes_total) == (total, total)
        assert (reports[-1].tensors_done, reports[-1].tensors_total) == (11, 11)

    def test_more_than_once_and_on_two_devices(self, sides: Sides, results: Path) -> None:
        with pytest.raises(Cancelled):
            run_diff(Comparison.of(*sides), on_change=StopAfter(2), device="cpu")
        with pytest.raises(Cancelled):
            run_diff(Comparison.of(*sides), on_change=StopAfter(5), device="torch:cpu")
        result = run_diff(Comparison.of(*sides), device="torch:cpu")
        assert result.header.device == "cpu, torch:cpu"
        medians = [c.statistics.median_pct for c in result.changes if c.statistics]
        once = run_diff(Comparison.of(*sides), cache=False)
        assert medians == [c.statistics.median_pct for c in once.changes if c.statistics]

    def test_by_the_progress(self, sides: Sides, results: Path) -> None:
        def stop(progress: Progress) -> None:
            raise Cancelled("at once")

        with pytest.raises(Cancelled):
            run_diff(Comparison.of(*sides), progress=stop)
        assert run_diff(Comparison.of(*sides)).changes

    def test_the_journal_of_other_content_is_not_used(
        self, sides: Sides, results: Path, measured: list[str]
    ) -> None:
        with pytest.raises(Cancelled):
            run_diff(Comparison.of(*sides), on_change=StopAfter(4))
        (journal,) = results.glob("*.journal")
        swapped = sides[1], sides[0]
        journal.rename(results / f"{Comparison.of(*swapped).key}.journal")
        measured.clear()
        run_diff(Comparison.of(*swapped))
        assert len(measured) == 11

    def test_files_that_changed_meanwhile_give_no_result(
        self, sides: Sides, results: Path, tmp_path: Path
    ) -> None:
        os.utime(tmp_path / "target" / "model.safetensors", ns=(0, 0))
        with pytest.raises(CheckpointChanged):
            run_diff(Comparison.of(*sides))
        assert load_result(Comparison.of(*sides).key) is None


def run(code: str, *arguments: Path) -> subprocess.Popen[str]:
    """Another process of ours, in the same cache."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


KILLED = """
import os, signal, sys
from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
rows = []
def on_change(change):
    rows.append(change)
    if len(rows) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
run_diff(Comparison.open(*sys.argv[1:]), on_change=on_change)
"""

WAITS = """
import sys
from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
phases, rows = [], []
def progress(report):
    if report.phase not in phases:
        phases.append(report.phase)
        print(report.phase, flush=True)
result = run_diff(Comparison.open(*sys.argv[1:]), progress=progress, on_change=rows.append)
print(len(rows), len(result.changes), flush=True)
"""


class TestProcesses:
    def test_killed_in_the_middle(
        self, sides: Sides, results: Path, tmp_path: Path, measured: list[str]
    ) -> None:
        undisturbed = run_diff(Comparison.of(*sides), cache=False)
        measured.clear()
        process = run(KILLED, tmp_path / "base", tmp_path / "target")
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert load_result(Comparison.of(*sides).key) is None
        result = run_diff(Comparison.of(*sides))
        assert measured == names(undisturbed.changes)[5:]
        assert result.changes == undisturbed.changes
        assert load_result(result.key) == result
        assert not list(results.glob("*.journal"))

    def test_a_second_one_waits_and_takes_the_result(
        self, sides: Sides, results: Path, tmp_path: Path
    ) -> None:
        others: list[subprocess.Popen[str]] = []

        def on_change(change: Change) -> None:
            if not others:
                others.append(run(WAITS, tmp_path / "base", tmp_path / "target"))
                assert others[0].stdout is not None
                assert others[0].stdout.readline() == "waiting\n"

        run_diff(Comparison.of(*sides), on_change=on_change)
        output, _ = others[0].communicate()
        told, all_rows = map(int, output.split())
        assert all_rows == 11 and told <= all_rows, "those that the journal had meanwhile"

    def test_waiting_can_be_cancelled(self, sides: Sides, results: Path) -> None:
        def stop(progress: Progress) -> None:
            assert progress.phase == "waiting"
            raise Cancelled("no patience")

        def on_change(change: Change) -> None:
            with pytest.raises(Cancelled):
                run_diff(Comparison.of(*sides), progress=stop)

        assert run_diff(Comparison.of(*sides), on_change=on_change).changes
