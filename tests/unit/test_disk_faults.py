"""Results and journals on a disk that fails, that loses its power, and that changes a bit."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from modeldiff import comparison as questions
from modeldiff.changes import ChangeTable, Pair, Progress
from modeldiff.comparison import Comparison
from modeldiff.errors import ModeldiffError
from modeldiff.results import list_results, load_result, run_diff
from modeldiff.results import pair_diff as diffs
from modeldiff.results.housekeeping import pruning
from modeldiff.results.store import journal as journals
from modeldiff.results.store import result_parquet
from tests.support.disk_faults import Disk

LAYERS = 3


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    numbers = np.random.default_rng(0)
    for side in ("base", "target"):
        tensors = {
            f"model.layers.{layer}.self_attn.{name}_proj.weight": numbers.standard_normal(
                (8, 8), dtype=np.float32
            )
            for layer in range(LAYERS)
            for name in "qk"
        }
        (tmp_path / side).mkdir()
        save_file(tensors, tmp_path / side / "model.safetensors")
    return Comparison.open(str(tmp_path / "base"), str(tmp_path / "target"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MODELDIFF_CACHE", str(folder))
    return folder


@pytest.fixture
def truth(comparison: Comparison) -> ChangeTable:
    return run_diff(comparison, device="cpu", cache=False).changes


def changes_of_a_diff(comparison: Comparison, cache: Path) -> int:
    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = Disk(cache, monkeypatch, lambda *_: None)
        run_diff(comparison, device="cpu")
    shutil.rmtree(cache)
    return disk.changes


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EPERM])
def test_whichever_change_fails_nothing_false_is_kept(
    code: int, comparison: Comparison, truth: ChangeTable, cache: Path
) -> None:
    """Each write, rename and deletion fails in turn, once. The diff says so or does without, and
    the next one gives what an undisturbed one gives, from what the first could keep."""
    for failing in range(changes_of_a_diff(comparison, cache)):
        refused: list[str] = []

        def fail(
            number: int, name: str, failing: int = failing, refused: list[str] = refused
        ) -> None:
            if number == failing:
                refused.append(name)
                raise OSError(code, os.strerror(code))

        with pytest.MonkeyPatch.context() as monkeypatch:
            Disk(cache, monkeypatch, fail)
            try:
                assert run_diff(comparison, device="cpu").changes == truth
            except ModeldiffError as error:
                assert os.strerror(code) in str(error)
                assert error.hint
        assert run_diff(comparison, device="cpu").changes == truth
        assert len(refused) == 1
        assert len([*cache.rglob("*.tmp")]) <= refused.count("unlink"), "a failure leaves nothing"
        shutil.rmtree(cache)


def snapshots(comparison: Comparison, cache: Path, folder: Path) -> Iterator[Path]:
    """The cache as it is before each of a diff's changes, and after all."""

    def copy(number: int, _: str = "") -> None:
        cache.mkdir(exist_ok=True)
        shutil.copytree(cache, folder / str(number))

    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = Disk(cache, monkeypatch, copy)
        run_diff(comparison, device="cpu")
    copy(disk.changes)
    yield from (folder / str(number) for number in range(disk.changes + 1))


def test_power_lost_between_any_two_changes_loses_no_row(
    comparison: Comparison, truth: ChangeTable, cache: Path, tmp_path: Path
) -> None:
    rows = -1
    for snapshot in [*snapshots(comparison, cache, tmp_path / "snapshots")]:
        shutil.rmtree(cache)
        shutil.copytree(snapshot, cache)
        reports: list[Progress] = []
        result = run_diff(comparison, device="cpu", progress=reports.append)
        assert result.changes == truth
        kept = reports[0].tensors_done if reports else len(truth)
        assert kept >= rows
        rows = kept
        assert len(list_results()) == 1
    assert rows == len(truth)


def test_any_changed_byte_of_a_stored_file_is_seen(
    comparison: Comparison, truth: ChangeTable, cache: Path
) -> None:
    """The file is set aside before anything else reads it, and the pair is measured again."""
    key = run_diff(comparison, device="cpu").key
    path = cache / "results" / f"{key}.parquet"
    content = path.read_bytes()
    for place in {*range(0, len(content), 37), *range(len(content) - 100, len(content))}:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert load_result(key) is None
        assert not path.exists()
    for size in (*range(0, len(content), 61), len(content) - 1):
        path.write_bytes(content[:size])
        assert list_results() == ()
        assert load_result(key) is None
    path.write_bytes(content + b"\0")
    assert load_result(key) is None
    assert run_diff(comparison, device="cpu").changes == truth


def stopped_after_a_row(comparison: Comparison) -> None:
    """A diff that is interrupted when a row is written."""
    append = journals.Journal.append

    def append_and_stop(journal: journals.Journal, pair: Pair, entry: journals.Entry) -> None:
        append(journal, pair, entry)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(KeyboardInterrupt):
        monkeypatch.setattr(journals.Journal, "append", append_and_stop)
        run_diff(comparison, device="cpu")


def another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the program is one whose numbers mean something else."""
    schema = questions.SCHEMA + 1
    for module in (questions, diffs, result_parquet):
        monkeypatch.setattr(module, "SCHEMA", schema)
    monkeypatch.setattr(questions.comparison_key, "__defaults__", (None, schema))
    monkeypatch.setattr(journals, "__version__", "99")


def test_two_versions_on_one_cache_leave_each_other_alone(
    comparison: Comparison, truth: ChangeTable, cache: Path
) -> None:
    """Each finds what it measured, and its unfinished rows, whatever the other did meanwhile."""
    base, target = (model.reference for model in (comparison.base, comparison.target))
    ours = run_diff(comparison, device="cpu")
    with pytest.MonkeyPatch.context() as monkeypatch:
        another_version(monkeypatch)
        theirs = Comparison.open(base, target)
        assert theirs.key != ours.key
        assert list_results() == ()
        stopped_after_a_row(theirs)
        key = theirs.key
    assert run_diff(comparison, device="cpu") == ours
    assert list_results() == (ours.header,)
    assert load_result(key) is None
    with pytest.MonkeyPatch.context() as monkeypatch:
        another_version(monkeypatch)
        reports: list[Progress] = []
        result = run_diff(theirs, device="cpu", progress=reports.append)
        assert result.changes == truth
        assert reports[0].tensors_done > 0
        assert list_results() == (result.header,)
    assert load_result(ours.key) == ours
    assert not [*cache.rglob("*.bad")]


@pytest.mark.parametrize("jump", [timedelta(days=-20 * 365), timedelta(hours=5)])
def test_a_clock_that_jumps_loses_nothing(
    jump: timedelta, comparison: Comparison, truth: ChangeTable, cache: Path
) -> None:
    """Between a diff's rows, between a result and the daily pruning, and back."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            moment = datetime.now(tz) + jump
            return cls(*moment.timetuple()[:6], tzinfo=tz)

    now = time.time
    stopped_after_a_row(comparison)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(diffs, "datetime", Clock)
        monkeypatch.setattr(f"{pruning.__name__}.time.time", lambda: now() + jump.total_seconds())
        reports: list[Progress] = []
        result = run_diff(comparison, device="cpu", progress=reports.append)
        assert (reports[0].tensors_done > 0, result.changes) == (True, truth)
        assert 0 <= result.header.seconds < 600
        pruning.prune_cache()
        assert load_result(result.key) == result
    pruning.prune_cache()
    assert run_diff(comparison, device="cpu") == result
    (header,) = list_results()
    created = datetime.fromisoformat(header.created)
    assert abs(created - datetime.now(UTC) - jump) < timedelta(minutes=10)
