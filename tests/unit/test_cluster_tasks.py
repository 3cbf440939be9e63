"""Tasks that travel to other machines: how pairs are cut, and what a node checks of its files."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff._version import __version__
from modeldiff.architectures import Place
from modeldiff.changes import Change, Pair, measure_together
from modeldiff.changes.cluster import same_files
from modeldiff.changes.cluster.node import measure_task
from modeldiff.changes.cluster.tasks import RemoteTask, cut_runs, remote_task
from modeldiff.changes.engine.work_units import Task, beside_each_other, sort_out
from modeldiff.checkpoints import Checkpoint, TensorInfo, open_checkpoint
from modeldiff.comparison import Comparison
from modeldiff.errors import ModeldiffError
from tests.support.results import write_model


@pytest.fixture(autouse=True)
def nothing_open() -> Iterator[None]:
    same_files.forget_opened()
    yield


@pytest.fixture
def pair(tmp_path: Path) -> Comparison:
    base = write_model(tmp_path / "base", seed=1)
    target = write_model(tmp_path / "target", seed=1, change=0.1)
    return Comparison.open(str(base), str(target))


def tasks_of(*comparisons: Comparison) -> list[Task]:
    return sort_out(beside_each_other([each.pairs for each in comparisons]))[0]


def travelled(tasks: Sequence[Task], *comparisons: Comparison, version: str = "") -> RemoteTask:
    """The task as a node gets it."""
    task = remote_task(
        tasks,
        comparisons[0].base.checkpoint,
        [each.target.checkpoint for each in comparisons],
        version=version or __version__,
        device="cpu",
        threads=1,
    )
    sent: RemoteTask = pickle.loads(pickle.dumps(task))
    return sent


def fails(task: RemoteTask) -> ModeldiffError:
    *_, last = measure_task(task, "10.0.0.7")
    assert isinstance(last, ModeldiffError)
    again: ModeldiffError = pickle.loads(pickle.dumps(last))
    assert again.message.startswith("On the node 10.0.0.7") and again.hint
    return again


class TestRuns:
    @given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 60))
    def test_neighbours_in_order_none_too_large_to_be_lost(
        self, sizes: list[int], task_bytes: int
    ) -> None:
        tasks = [make_task(at, str(at), size) for at, size in enumerate(sizes)]
        runs = list(cut_runs(tasks, task_bytes))
        assert [task.index for run in runs for task in run] == list(range(len(sizes)))
        for run in runs:
            assert len(run) == 1 or sum(task.nbytes for task in run) <= task_bytes
        for one, other in pairwise(runs):
            assert sum(task.nbytes for task in one) + other[0].nbytes > task_bytes

    def test_targets_of_one_tensor_stay_together_within_bounds(self) -> None:
        tasks = [make_task(at, "shared", 10) for at in range(20)]
        assert [len(run) for run in cut_runs(tasks, 20)] == [8, 8, 4]


def make_task(index: int, base: str, nbytes: int) -> Task:
    tensor = TensorInfo.stored(base, "F32", (1,), "f", 0, 4)
    task = sort_out([(0, Pair(Place(None, "x"), "compared", tensor, tensor))])[0][0]
    task.index, task.nbytes = index, nbytes
    return task


class TestANode:
    def test_it_measures_what_this_machine_would(self, pair: Comparison, tmp_path: Path) -> None:
        other = Comparison.open(pair.references[0], str(tmp_path / "base"))
        comparisons = (pair, other)
        tasks = tasks_of(*comparisons)
        answers = list(measure_task(travelled(tasks, *comparisons)))
        rows = [row for answer in answers if isinstance(answer, tuple) for row in answer]
        wanted = measured(pair.base.checkpoint, comparisons)
        assert len(rows) == len(tasks)
        for row in rows:
            assert row.statistics == wanted[row.index].statistics and row.statistics is not None

    def test_a_copy_with_other_times_serves(self, pair: Comparison, tmp_path: Path) -> None:
        task = travelled(tasks_of(pair), pair)
        replace_folder(tmp_path / "target")
        assert open_checkpoint(pair.references[1]).fingerprint != task.targets[0].fingerprint
        assert all(isinstance(answer, tuple) for answer in measure_task(task))

    @pytest.mark.parametrize("at", [0, 0.5, 1])
    def test_a_file_of_which_one_tensor_differs_does_not(
        self, at: float, pair: Comparison, tmp_path: Path
    ) -> None:
        tensors = pair.target.checkpoint.tensors
        tensor = tensors[round(at * (len(tensors) - 1))]
        tasks = [task for task in tasks_of(pair) if task.target == tensor]
        task = travelled(tasks, pair)
        replace_folder(tmp_path / "target")
        with (tmp_path / "target" / tensor.file).open("r+b") as file:
            file.seek(tensor.offset)
            file.write(bytes(tensor.nbytes))
        error = fails(task)
        assert "its content differs" in error.message and tensor.file in error.message

    @pytest.mark.parametrize(
        ("harm", "says"),
        [
            (lambda file: os.truncate(file, file.stat().st_size - 1), "bytes"),
            (lambda file: file.unlink(), "holds no"),
            (lambda file: shutil.rmtree(file.parent), "There is no"),
        ],
    )
    def test_what_is_not_whole_there_is_named(
        self, harm: Callable[[Path], None], says: str, pair: Comparison, tmp_path: Path
    ) -> None:
        task = travelled(tasks_of(pair), pair)
        harm(next((tmp_path / "target").glob("*.safetensors")))
        assert says in fails(task).message

    def test_another_version_measures_nothing(self, pair: Comparison) -> None:
        error = fails(travelled(tasks_of(pair), pair, version="99"))
        assert f"modeldiff {__version__} is installed, and 99" in error.message

    def test_what_was_mended_is_opened_anew(self, pair: Comparison, tmp_path: Path) -> None:
        task = travelled(tasks_of(pair), pair)
        file = next((tmp_path / "target").glob("*.safetensors"))
        content = file.read_bytes()
        file.write_bytes(content[:-4] + b"\x01\x02\x03\x04")
        fails(task)
        file.write_bytes(content)
        assert all(isinstance(answer, tuple) for answer in measure_task(task))


def measured(base: Checkpoint, comparisons: Sequence[Comparison]) -> dict[int, Change]:
    targets = [(each.target.checkpoint, each.pairs) for each in comparisons]
    changes = measure_together(base, targets, device="cpu")
    return {index: change for index, (_, change) in enumerate(changes)}


def replace_folder(folder: Path) -> None:
    """A copy in its place, as another disk would have it."""
    copy = folder.with_name("copied")
    shutil.copytree(folder, copy, copy_function=shutil.copy)
    shutil.rmtree(folder)
    copy.rename(folder)
