"""A diff in shards: planned alike everywhere, measured anywhere, joined to what one run gives."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from modeldiff.architectures import Place
from modeldiff.changes import Change, Pair, Shard, Statistics, measure, plan_shards
from modeldiff.changes.backends.accumulator import Accumulator
from modeldiff.changes.engine.work_units import Passes, sort_out
from modeldiff.checkpoints import TensorInfo
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.errors import Cancelled, InvalidOption, ResultError
from modeldiff.results import (
    join_journals,
    join_shards,
    load_result,
    run_diff,
    run_shard,
)
from modeldiff.results.store.journal import Entry, journal_path
from tests.support.results import a_change, cache_at
from tests.support.same_statistics import bits_of_row, same

Output = pytest.CaptureFixture[str]
Log = pytest.LogCaptureFixture
ROOT = Path(__file__).parents[2]


def write_side(folder: Path, *, target: bool) -> Path:
    """Llama's names in two files, with rows of every status: a tied head, a tensor that only this
    side has, one of other types on the two sides, one of another shape, an empty one, NaN."""
    numbers = np.random.default_rng(1)
    files: list[dict[str, np.ndarray]] = [{}, {}]
    files[0]["model.embed_tokens.weight"] = numbers.normal(size=(16, 8))
    for layer in range(4):
        block = files[layer // 2], f"model.layers.{layer}"
        for name, shape in (("self_attn.q_proj", (8, 8)), ("mlp.up_proj", (24, 8))):
            block[0][f"{block[1]}.{name}.weight"] = numbers.normal(size=shape)
        block[0][f"{block[1]}.input_layernorm.weight"] = numbers.normal(size=8)
    files[1]["model.norm.weight"] = numbers.normal(size=8)
    noise = np.random.default_rng(2)
    for tensors in files:
        for name, values in tensors.items():
            changed = values + 0.1 * noise.normal(size=values.shape) if target else values
            tensors[name] = changed.astype(np.float32)
    files[0]["model.layers.0.mlp.up_proj.weight"][3] = np.nan if target else np.inf
    files[1]["model.layers.2.self_attn.empty.weight"] = np.zeros((0, 8), np.float32)
    files[1][f"model.layers.3.self_attn.{'k' if target else 'v'}_proj.weight"] = np.ones(
        (8, 8), np.float32
    )
    files[1]["model.layers.3.mlp.down_proj.weight"] = np.ones((8, 4 if target else 8), np.float32)
    files[0]["model.layers.1.mlp.gate_proj.weight"] = np.ones(
        (8, 8), np.int32 if target else np.float32
    )
    folder.mkdir()
    for number, tensors in enumerate(files, 1):
        save_file(tensors, folder / f"model-{number:05}-of-00002.safetensors")
    names = {
        name: f"model-{n:05}-of-00002.safetensors"
        for n, tensors in enumerate(files, 1)
        for name in tensors
    }
    index = {"metadata": {}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {"model_type": "llama", "tie_word_embeddings": True, "num_hidden_layers": 4}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("pair")
    base, target = (
        str(write_side(folder / name, target=name == "target")) for name in ("base", "target")
    )
    return Comparison.open(base, target)


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as folder:
        yield folder


@pytest.fixture
def bad_spot(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a tensor whose first byte the disk refuses to read."""
    tensor = next(
        each for each in comparison.base.checkpoint.tensors if "2.mlp.up_proj" in each.name
    )
    read = os.preadv

    def failing_read(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        inside = offset <= tensor.offset < offset + len(buffers[0])
        if inside and name.endswith(f"/base/{tensor.file}"):
            raise OSError(5, "Input/output error")
        return read(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", failing_read)
    return tensor.name


class StopAfter:
    """Ends a run after so many rows, as a kill does."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __call__(self, change: Change) -> None:
        self._rows -= 1
        if self._rows <= 0:
            raise Cancelled("killed")


SIZES = st.lists(st.integers(0, 50) | st.integers(0, 10**12), max_size=30)


def pairs_of(sizes: list[int]) -> list[Pair]:
    tensors = [
        TensorInfo.stored(f"t.{n}", "U8", (size,), "f", 0, size) for n, size in enumerate(sizes)
    ]
    return [Pair(Place(None, each.name), "compared", each, each) for each in tensors]


class TestPlan:
    @given(SIZES, st.integers(1, 40))
    def test_the_shards_in_a_row_are_the_pairs(self, sizes: list[int], n: int) -> None:
        pairs = pairs_of(sizes)
        shards = plan_shards(pairs, n)
        assert len(shards) == n
        assert [each for shard in shards for each in shard] == pairs

    @given(SIZES, st.integers(1, 40))
    def test_none_is_larger_than_its_share_and_a_tensor(self, sizes: list[int], n: int) -> None:
        shards = plan_shards(pairs_of(sizes), n)
        largest = max(sizes, default=0)
        for shard in shards:
            assert sum(each.nbytes for each in shard) <= 2 * (sum(sizes) / n + largest)

    def test_a_huge_tensor_takes_no_shard_from_the_others(self) -> None:
        shards = plan_shards(pairs_of([1000, *[10] * 63]), 64)
        assert [len(shard) for shard in shards] == [1] * 64

    @pytest.mark.parametrize("n", [-1, 0, 100_001])
    def test_no_plan_for_no_shards(self, n: int) -> None:
        with pytest.raises(InvalidOption):
            plan_shards([], n)

    def test_equal_tensors_are_dealt_evenly(self) -> None:
        assert {len(shard) for shard in plan_shards(pairs_of([7] * 96), 8)} == {12}

    @pytest.mark.parametrize(
        "text", ["", "3", "0/8", "9/8", "-1/8", "1/0", "1/100001", "٣/8", "1/8 "]
    )
    def test_what_is_no_shard(self, text: str) -> None:
        with pytest.raises(InvalidOption):
            Shard.parse(text)


class TestOtherProcesses:
    def test_what_is_sent_there_measures_the_same(self, comparison: Comparison) -> None:
        pairs, sides = comparison.pairs, comparison.checkpoints
        sent_pairs, *sent_sides = pickle.loads(pickle.dumps((pairs, *sides)))
        here = list(measure(pairs, *sides, device="cpu"))
        there = list(measure(sent_pairs, *sent_sides, device="cpu"))
        assert [bits_of_row(change) for change in there] == [bits_of_row(change) for change in here]
        assert pickle.loads(pickle.dumps(here)) is not None

    def test_a_task_arrives_as_one_that_nobody_has_begun(self, comparison: Comparison) -> None:
        tasks, _ = sort_out([(0, pair) for pair in comparison.pairs])
        for task in tasks:
            task.passes = Passes(Accumulator(task.elements, task.types), left=3)
            sent = pickle.loads(pickle.dumps(task))
            assert (sent.index, sent.pair, sent.types) == (task.index, task.pair, task.types)
            assert sent.passes is None


class TestJoin:
    @settings(
        max_examples=30,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(data=st.data())
    def test_any_shards_in_any_order_give_the_table_of_one_run(
        self,
        data: st.DataObject,
        comparison: Comparison,
        bad_spot: str,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        once = run_diff(comparison, cache=False)
        assert {change.pair.status for change in once.changes} == {
            *("compared", "different_shape", "only_in_base", "only_in_target", "tied"),
            "unreadable",
        }
        shards = st.integers(1, 20).flatmap(
            lambda count: st.integers(1, count).map(lambda n: Shard(number=n, count=count))
        )
        count = data.draw(st.integers(1, 20))
        full = [Shard(number=number, count=count) for number in range(1, count + 1)]
        runs = data.draw(st.permutations([*full, *data.draw(st.lists(shards, max_size=3))]))
        with cache_at(tmp_path_factory.mktemp("cache")) as folder:
            for shard in runs:
                rows = data.draw(st.none() | st.integers(1, 6))
                if rows is not None:
                    try:
                        run_shard(comparison, shard, device="cpu", on_change=StopAfter(rows))
                    except Cancelled:
                        journal = journal_path(folder, once.key, shard)
                        torn = data.draw(st.integers(0, 200))
                        os.truncate(journal, max(journal.stat().st_size - torn, 0))
                run_shard(comparison, shard, device="cpu")
            assert load_result(once.key) is None
            joined = join_shards(comparison)
            assert same(joined, once)
            stored = load_result(once.key)
            assert stored is not None and same(stored, once) and stored.header == joined.header
            assert sorted(path.suffix for path in folder.iterdir()) == [".lock", ".parquet"]

    def test_several_processes_one_of_them_killed(
        self, comparison: Comparison, results: Path, tmp_path: Path
    ) -> None:
        run_diff_once = run_diff(comparison, cache=False)
        arguments = list(comparison.references)
        code = (
            "import os, signal, sys\n"
            "from modeldiff.changes import Shard\n"
            "from modeldiff.comparison import Comparison\n"
            "from modeldiff.results import run_shard\n"
            "rows = []\n"
            "def on_change(change):\n"
            "    rows.append(change)\n"
            "    if len(rows) == 2 and sys.argv[4] == 'killed':\n"
            "        os.kill(os.getpid(), signal.SIGKILL)\n"
            "comparison = Comparison.open(*sys.argv[1:3])\n"
            "run_shard(comparison, Shard.parse(sys.argv[3]), device='cpu', on_change=on_change)\n"
        )
        runs = [("1/3", "whole"), ("2/3", "killed"), ("3/3", "whole"), ("3/3", "whole")]
        processes = [
            subprocess.Popen([sys.executable, "-c", code, *arguments, *run], cwd=ROOT)
            for run in runs
        ]
        assert [process.wait() for process in processes] == [0, -signal.SIGKILL, 0, 0]
        with pytest.raises(ResultError, match="shard 2 of 3"):
            join_shards(comparison)
        run_shard(comparison, Shard.parse("2/3"))
        assert same(join_shards(comparison), run_diff_once)

    def test_an_interrupted_diff_counts_too(self, comparison: Comparison, results: Path) -> None:
        once = run_diff(comparison, cache=False)
        with pytest.raises(Cancelled):
            run_diff(comparison, on_change=StopAfter(9))
        run_shard(comparison, Shard.parse("2/2"))
        assert same(join_shards(comparison), once)

    def test_what_could_not_be_read_is_tried_again(
        self, comparison: Comparison, results: Path, bad_spot: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def status() -> str:
            rows = run_shard(comparison, Shard.parse("1/1")).changes
            return next(
                change.pair.status
                for change in rows
                if change.pair.base and change.pair.base.name == bad_spot
            )

        assert status() == "unreadable"
        monkeypatch.undo()
        assert status() == "compared"
        assert same(join_shards(comparison), run_diff(comparison, cache=False))

    def test_a_journal_of_another_version_is_left_out(
        self, comparison: Comparison, results: Path, monkeypatch: pytest.MonkeyPatch, caplog: Log
    ) -> None:
        run_shard(comparison, Shard.parse("1/1"))
        monkeypatch.setattr("modeldiff.results.store.journal.__version__", "99")
        with pytest.raises(ResultError, match=r"shard 1 of 1"):
            join_shards(comparison)
        assert "no journal of modeldiff 99" in caplog.text

    def test_once_joined_nobody_measures_again(
        self, comparison: Comparison, results: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = run_diff(comparison)
        monkeypatch.setattr("modeldiff.changes.measurer.measure_together", None)
        assert join_shards(comparison) == whole
        parts = [run_shard(comparison, Shard(number=n, count=3)) for n in (1, 2, 3)]
        assert {part.journal for part in parts} == {None}
        assert [change for part in parts for change in part.changes] == list(whole.changes)

    def test_who_could_read_a_tensor_wins_and_each_journal_s_time_counts(self) -> None:
        one, other = a_change(1.0, layer=0), a_change(2.0, layer=1)
        assert one.statistics is not None and other.statistics is not None
        journals = [
            {one.pair.id: Entry(None, "cpu", 1.0, "bad disk")},
            {
                one.pair.id: Entry(one.statistics, "cuda:0", 2.0),
                other.pair.id: Entry(None, "cuda:0", 5.0, "bad disk"),
            },
            {one.pair.id: Entry(Statistics(median_pct=9.0), "cpu", 1.0)},
        ]
        third = a_change(layer=2).pair
        tied = replace(a_change(layer=3).pair, status="tied")
        joined = join_journals([one.pair, other.pair, third, tied], journals)
        assert joined.changes[0] == one
        assert (joined.changes[1].pair.status, joined.changes[1].pair.reason) == (
            "unreadable",
            "bad disk",
        )
        assert joined.changes[2:] == (Change(tied),)
        assert joined.missing == (third,)
        assert (joined.devices, joined.seconds) == (("cpu", "cuda:0"), 7.0)


class TestCommands:
    @pytest.fixture
    def arguments(self, comparison: Comparison, results: Path) -> list[str]:
        return list(comparison.references)

    def test_from_shards_to_the_document_of_one_run(
        self,
        comparison: Comparison,
        arguments: list[str],
        results: Path,
        capsys: Output,
        tmp_path: Path,
    ) -> None:
        for number in (2, 1):
            shard = ["--shard", f"{number}/2", "--json"]
            assert main(["diff", *arguments, *shard]) == 0
            shown = json.loads(capsys.readouterr().out)
            assert shown["shard"] == {"number": number, "count": 2}
            assert Path(shown["journal"]).is_file()
            assert sum(shown["statuses"].values()) == shown["tensors"] > 0
        output = tmp_path / "rows.csv"
        assert main(["join", *arguments, "--json", "--output", str(output)]) == 0
        captured = capsys.readouterr()
        joined = json.loads(captured.out)
        main(["diff", *arguments, "--no-cache", "--json"])
        whole = json.loads(capsys.readouterr().out)
        assert joined["tensors"] == whole["tensors"]
        assert output.read_text().count("\n") > len(whole["tensors"])

    def test_for_people_and_quiet(self, arguments: list[str], capsys: Output) -> None:
        assert main(["diff", *arguments, "--shard", "1/1"]) == 0
        shown = capsys.readouterr().out
        assert "Shard 1/1" in shown and ".shard-1-of-1.journal" in shown
        assert main(["diff", *arguments, "--shard", "1/2", "--quiet"]) == 0
        assert main(["join", *arguments, "--quiet"]) == 0
        assert capsys.readouterr() == ("", "")
        assert main(["diff", *arguments, "--shard", "1/1"]) == 0
        assert "already stored" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("measured", "expected"),
        [
            ([], "--shard I/N"),
            (["1/2"], "--shard 2/2, then"),
            (["1/9", "2/9", "5/9"], "--shard I/9 for each I of 3–4, 6–9, then"),
            (["1/2", "1/9", "9/9"], "--shard I/9 for each I of 5–8, then"),
            (["1/2", *[f"{n}/5" for n in (3, 4)]], "--shard 5/5, then"),
        ],
    )
    def test_what_is_missing_and_how_to_measure_it(
        self,
        measured: list[str],
        expected: str,
        arguments: list[str],
        comparison: Comparison,
        capsys: Output,
    ) -> None:
        pairs = comparison.pairs
        missing = {
            each.base.name: None for each in pairs if each.status == "compared" and each.base
        }
        compared = len(missing)
        for text in measured:
            main(["diff", *arguments, "--shard", text, "--quiet"])
            shard = Shard.parse(text)
            for each in plan_shards(pairs, shard.count)[shard.number - 1]:
                missing.pop(each.base.name if each.base else "", None)
        assert main(["join", *arguments]) == 1
        message, hint = capsys.readouterr().err.splitlines()
        assert f"{len(missing)} of {compared} tensors" in message
        assert ", ".join([*missing][:5]) in message
        assert expected in hint
        assert f"Run modeldiff diff {' '.join(arguments)}" in hint

    def test_wrong_usage(self, arguments: list[str], tmp_path: Path, capsys: Output) -> None:
        with pytest.raises(SystemExit) as wrong:
            main(["diff", *arguments, "--shard", "9/8"])
        assert wrong.value.code == 2
        assert "no shard 9/8" in capsys.readouterr().err
        for option in (["--no-cache"], ["--output", str(tmp_path / "x.csv")]):
            assert main(["diff", *arguments, "--shard", "1/8", *option]) == 1
            assert "journal" in capsys.readouterr().err
