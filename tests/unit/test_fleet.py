"""A fleet: base read once for many targets, results as single diffs give them, and one table."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.architectures.place import Place
from modeldiff.changes import Pair, Progress, measure, measure_together
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.checkpoints.hub.tunes import tunes_of
from modeldiff.checkpoints.local.reader import LocalReader
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.drawings.report.fleet import fleet_report_html
from modeldiff.errors import Cancelled, CheckpointChanged, HubUnreachable, InvalidOption
from modeldiff.findings.conditions.expression import parse_condition
from modeldiff.model import Model
from modeldiff.results import list_results, load_result, run_diff
from modeldiff.results.fleet import measuring
from modeldiff.results.fleet.files import FLEET_FILES
from modeldiff.results.fleet.measuring import run_fleet
from modeldiff.results.fleet.rows import (
    FLEET_COLUMNS,
    Fleet,
    FleetRow,
    chosen_fleet_rows,
    fleets_of,
)
from modeldiff.results.fleet.targets import read_targets
from tests.support.local_hub import LocalHub
from tests.support.results import cache_at, write_model
from tests.support.slow_statistics import encode
from tests.support.small_checkpoints import Stored, normal, write_checkpoint

SMALLEST_CHUNK = LEAF * 2
SIZES = (5, 0, 3 * LEAF + 11, 70, 1, 2 * LEAF, 4096, LEAF + 1, 30)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[None]:
    with cache_at(tmp_path / "cache"):
        yield


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Bytes that were read for measuring, by the folder that they are in."""
    counts: Counter[str] = Counter()
    readinto = LocalReader.readinto

    def counting(reader: LocalReader, buffer: memoryview, offset: int) -> None:
        counts[reader.path.parent.name] += buffer.nbytes
        readinto(reader, buffer, offset)

    monkeypatch.setattr(LocalReader, "readinto", counting)
    return counts


def varied(seed: int, *dtypes: str) -> dict[str, Stored]:
    """Tensors of many sizes, the largest of several small chunks, of these types in turn."""
    return {
        f"tensor.{at}": (
            dtype,
            encode(normal(size, 1) + (0.1 * normal(size, 2 + seed) if seed else 0.0), dtype),
        )
        for at, size in enumerate(SIZES)
        for dtype in (dtypes[at % len(dtypes)],)
    }


def pairs_by_name(base: Checkpoint, target: Checkpoint) -> list[Pair]:
    """A pair for each tensor of base, measured where target has it."""
    partner = {tensor.name: tensor for tensor in target.tensors}
    return [
        Pair(
            Place(None, tensor.name),
            "compared" if tensor.name in partner else "only_in_base",
            tensor,
            partner.get(tensor.name),
        )
        for tensor in base.tensors
    ]


def models(folder: Path, count: int) -> list[str]:
    write_model(folder / "base", seed=1)
    return [
        str(write_model(folder / f"target-{number}", seed=1, change=0.01 * (number + 1)))
        for number in range(count)
    ]


def stored_bytes(folder: Path) -> int:
    return sum(tensor.nbytes for tensor in open_checkpoint(str(folder)).tensors)


class TestTogether:
    @pytest.mark.parametrize(
        ("threads", "chunk", "misses"),
        [(1, SMALLEST_CHUNK, False), (3, SMALLEST_CHUNK, True), (2, 0, False)],
    )
    def test_each_target_has_the_statistics_that_it_has_alone(
        self,
        tmp_path: Path,
        threads: int,
        chunk: int,
        misses: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if misses:  # then medians need a second look
            monkeypatch.setattr(
                "modeldiff.changes.backends.cpu.bracket_of", lambda *_: Bracket(1 << 16, 1 << 16)
            )
        backend = CpuBackend(threads, chunk) if chunk else CpuBackend(threads)
        monkeypatch.setattr("modeldiff.changes.engine.engine.backend_for", lambda *_: backend)
        sides = {
            "base": varied(0, "BF16", "BF16", "F32"),
            "same types": varied(1, "BF16", "BF16", "F32"),
            "other types": varied(2, "F32", "F16"),
            "wide": varied(3, "F64"),
            "some": dict(list(varied(4, "BF16").items())[2:6]),
        }
        base, *targets = (
            open_checkpoint(str(write_checkpoint(tmp_path / name, tensors)))
            for name, tensors in sides.items()
        )
        wanted = [
            [
                (each.pair, each.statistics)
                for each in measure(pairs_by_name(base, target), base, target)
            ]
            for target in targets
        ]
        together: list[list[object]] = [[] for _ in targets]
        asked = [(target, pairs_by_name(base, target)) for target in targets]
        for number, change in measure_together(base, asked):
            together[number].append((change.pair, change.statistics))
        for alone, rows in zip(wanted, together, strict=True):
            assert len(alone) == len(rows) and all(row in rows for row in alone)

    def test_base_is_read_once_and_progress_counts_it_once(
        self, tmp_path: Path, bytes_read: Counter[str]
    ) -> None:
        folders = [
            write_checkpoint(tmp_path / name, varied(seed, "BF16"), shards=3)
            for seed, name in enumerate(("base", "one", "two", "three"))
        ]
        base, *targets = (open_checkpoint(str(folder)) for folder in folders)
        seen: list[Progress] = []
        asked = [(target, pairs_by_name(base, target)) for target in targets]
        assert len(list(measure_together(base, asked, progress=seen.append))) == 3 * len(SIZES)
        size = 2 * sum(SIZES)
        assert dict(bytes_read) == dict.fromkeys(("base", "one", "two", "three"), size)
        assert {report.bytes_total for report in seen} == {4 * size}
        assert (seen[-1].bytes_done, seen[-1].tensors_done) == (4 * size, 3 * len(SIZES))


class TestRun:
    def test_results_are_those_of_single_diffs(
        self, tmp_path: Path, bytes_read: Counter[str]
    ) -> None:
        targets = models(tmp_path, 4)
        base = Model.open(str(tmp_path / "base"))
        fleet = run_fleet(base, targets, device="cpu")
        size = stored_bytes(tmp_path / "base")
        assert set(bytes_read.values()) == {size}, "base and each target once"
        assert (fleet.bytes_read, fleet.bytes_apart) == (5 * size, 8 * size)
        assert [row.target for row in fleet.rows] == targets and not fleet.failures
        for row in fleet.rows:
            kept = load_result(row.key)
            alone = run_diff(Comparison(base, Model.open(row.target)), device="cpu", cache=False)
            assert kept is not None
            assert (kept.key, kept.changes) == (alone.key, alone.changes)
            assert kept.changes.whole is not None
            assert row.median_pct == kept.changes.whole.median_pct

    def test_what_is_kept_is_not_read_again(self, tmp_path: Path, bytes_read: Counter[str]) -> None:
        targets = models(tmp_path, 3)
        base = Model.open(str(tmp_path / "base"))
        first = run_fleet(base, targets[:2], device="cpu")
        bytes_read.clear()
        fleet = run_fleet(base, targets, device="cpu")
        assert fleet.rows[:2] == first.rows and len(fleet.rows) == 3
        assert set(bytes_read) == {"base", "target-2"}
        bytes_read.clear()
        assert run_fleet(base, targets, device="cpu").bytes_read == 0 and not bytes_read

    def test_groups_bound_how_many_are_open(
        self, tmp_path: Path, bytes_read: Counter[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(measuring, "MOST_TOGETHER", 2)
        targets = models(tmp_path, 5)
        fleet = run_fleet(Model.open(str(tmp_path / "base")), targets, device="cpu")
        size = stored_bytes(tmp_path / "base")
        assert bytes_read["base"] == 3 * size and len(fleet.rows) == 5

    def test_a_killed_run_goes_on_where_it_was(
        self, tmp_path: Path, bytes_read: Counter[str]
    ) -> None:
        targets = models(tmp_path, 3)
        script = (
            "import os, sys\n"
            "from modeldiff.model import Model\n"
            "from modeldiff.results.fleet.measuring import run_fleet\n"
            "from modeldiff.results.store.journal import Journal\n"
            "append, left = Journal.append, [16]\n"
            "def counting(*arguments):\n"
            "    append(*arguments)\n"
            "    left[0] -= 1\n"
            "    left[0] or os._exit(9)\n"
            "Journal.append = counting\n"
            "run_fleet(Model.open(sys.argv[1]), sys.argv[2:], device='cpu')\n"
        )
        command = [sys.executable, "-c", script, str(tmp_path / "base"), *targets]
        assert subprocess.run(command, timeout=300, check=False).returncode == 9
        assert not list_results()
        seen: list[Progress] = []
        base = Model.open(str(tmp_path / "base"))
        fleet = run_fleet(base, targets, device="cpu", progress=seen.append)
        size = stored_bytes(tmp_path / "base")
        assert sum(bytes_read.values()) < 4 * size and max(bytes_read.values()) < size
        assert seen[-1].resumed_bytes > 0 and len(fleet.rows) == 3
        for row in fleet.rows:
            kept = load_result(row.key)
            alone = run_diff(Comparison(base, Model.open(row.target)), device="cpu", cache=False)
            assert kept is not None and kept.changes == alone.changes
        assert not list((tmp_path / "cache" / "results").glob("*.journal"))

    def test_what_cannot_be_measured_stops_no_other(self, tmp_path: Path) -> None:
        targets = models(tmp_path, 2)
        broken = tmp_path / "broken"
        broken.mkdir()
        (broken / "model.safetensors").write_bytes(b"\xff" * 100)
        wrong = [str(broken), str(tmp_path / "nowhere"), "catalog:gpt2-124m", "a b\x1b[2J"]
        base = Model.open(str(tmp_path / "base"))
        fleet = run_fleet(base, [wrong[0], targets[0], *wrong[1:], targets[1]], device="cpu")
        assert [row.target for row in fleet.rows] == targets
        assert [failure.target for failure in fleet.failures] == wrong
        assert all(failure.message and failure.hint for failure in fleet.failures)

    def test_a_target_that_changes_meanwhile_is_named(self, tmp_path: Path) -> None:
        targets = models(tmp_path, 3)

        def spoil(_: Progress) -> None:
            path = Path(targets[1]) / "model.safetensors"
            path.write_bytes(path.read_bytes()[:-4])

        fleet = run_fleet(Model.open(str(tmp_path / "base")), targets, device="cpu", progress=spoil)
        assert [row.target for row in fleet.rows] == [targets[0], targets[2]]
        assert [failure.target for failure in fleet.failures] == [targets[1]]

    def test_what_single_diffs_would_have_read_counts_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A group that is given up in the middle is measured one by one, but for what it did."""
        targets = models(tmp_path, 2)
        name = "modeldiff.changes.measurer.measure_together"

        def half(base: Checkpoint, of: Sequence[Any], **options: Any) -> Iterator[Any]:
            monkeypatch.setattr(name, measure_together)
            changes = measure_together(base, of, **options)
            yield from itertools.islice(changes, 7)
            changes.close()
            raise CheckpointChanged("half", hint="")

        monkeypatch.setattr(name, half)
        fleet = run_fleet(Model.open(str(tmp_path / "base")), targets, device="cpu")
        assert len(fleet.rows) == 2
        assert fleet.bytes_apart == 2 * 2 * stored_bytes(tmp_path / "base")

    def test_the_same_content_twice_is_measured_once(
        self, tmp_path: Path, bytes_read: Counter[str]
    ) -> None:
        (target,) = models(tmp_path, 1)
        again = f"{target}/model.safetensors"
        fleet = run_fleet(Model.open(str(tmp_path / "base")), [target, again], device="cpu")
        assert len(fleet.rows) == 2
        assert len(list_results()) == len({row.key for row in fleet.rows})

    def test_it_can_be_cancelled(self, tmp_path: Path) -> None:
        def cancel(_: Progress) -> None:
            raise Cancelled("enough")

        targets = models(tmp_path, 2)
        with pytest.raises(Cancelled):
            run_fleet(Model.open(str(tmp_path / "base")), targets, progress=cancel)


class TestTargets:
    def test_lists_folders_and_references(self, tmp_path: Path) -> None:
        run = tmp_path / "run"
        for step in (1000, 500, 20):
            write_model(run / f"checkpoint-{step}", seed=step)
        (run / "logs").mkdir()
        (tmp_path / "list.txt").write_text(
            f"\ufeff# tunes\n\n owner/name@v1 \r\n{run / 'checkpoint-20'}\n@other\n", "utf-8"
        )
        steps = [str(run / f"checkpoint-{step}") for step in (20, 500, 1000)]
        targets = read_targets([str(run), f"@{tmp_path / 'list.txt'}", "demo:lora"], steps[1])
        assert targets == (steps[0], steps[2], "owner/name@v1", "@other", "demo:lora")
        assert read_targets([steps[0]], "demo:base") == (steps[0],)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"# nothing\n",
            b"\xff\xfe\x00",
            b"a\x00b",
            b"\x1b[2J\n",
            b"x" * 5_000,
            b"a\n" * 3_000_000,
        ],
    )
    def test_a_hostile_list_is_refused(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "list.txt"
        path.write_bytes(content)
        with pytest.raises(InvalidOption):
            read_targets([f"@{path}"], "demo:base")

    @pytest.mark.parametrize("name", ["/dev/zero", "/nowhere", "/", "", "a\x00b"])
    def test_what_is_no_list_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidOption, match="can't be read"):
            read_targets([f"@{name}"], "demo:base")

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InvalidOption, match="regular"):
            read_targets([f"@{tmp_path / 'pipe'}"], "demo:base")

    def test_too_many(self, tmp_path: Path) -> None:
        (tmp_path / "list").write_text("\n".join(f"owner/name-{n}" for n in range(10_001)))
        with pytest.raises(InvalidOption, match="10,000"):
            read_targets([f"@{tmp_path / 'list'}"], "demo:base")


ROW = FleetRow("a", "a", "0" * 64, 1.0, 2.0, 50.0, 100.0, 0.0, "x", 3.0, 4.0, "Like tuning.")
HOSTILE = "=cmd|'<script>alert(1)</script>' [x](http://evil.example) \u202e"


class TestTable:
    @given(st.lists(st.none() | st.floats(0, allow_nan=False), max_size=8), st.booleans())
    def test_order(self, medians: list[float | None], reverse: bool) -> None:
        rows = [replace(ROW, median_pct=median) for median in medians]
        ordered = chosen_fleet_rows(rows, sort="median_pct", reverse=reverse)
        known = sorted((m for m in medians if m is not None), reverse=not reverse)
        unknown = [None] * (len(medians) - len(known))
        assert [row.median_pct for row in ordered] == [*known, *unknown]

    @pytest.mark.parametrize("reverse", [False, True])
    def test_checkpoints_of_a_run_are_in_the_order_of_their_steps(self, reverse: bool) -> None:
        names = ["checkpoint-1000", "Checkpoint-500", "a", "checkpoint-20", "7b-chat"]
        rows = [replace(ROW, name=name) for name in names]
        chosen = [row.name for row in chosen_fleet_rows(rows, sort="name", reverse=reverse)]
        wanted = ["7b-chat", "a", "checkpoint-20", "Checkpoint-500", "checkpoint-1000"]
        assert chosen == (wanted[::-1] if reverse else wanted)

    def test_filter_and_top(self) -> None:
        rows = [
            replace(ROW, name=name, unchanged_pct=pct)
            for name, pct in (("x-dpo", 9.0), ("y-dpo", None), ("z", 1.0))
        ]
        condition = parse_condition("unchanged_pct < 50 and name like '*dpo'", FLEET_COLUMNS)
        assert [row.name for row in chosen_fleet_rows(rows, filter=condition)] == ["x-dpo"]
        assert [row.name for row in chosen_fleet_rows(rows, sort="name", top=2)] == [
            "x-dpo",
            "y-dpo",
        ]

    @pytest.mark.parametrize("ending", list(FLEET_FILES))
    def test_hostile_names_in_files(self, ending: str, tmp_path: Path) -> None:
        row = replace(ROW, name=HOSTILE, target=HOSTILE, median_pct=float("inf"))
        content = FLEET_FILES[ending](Fleet("demo:base", "f", (row,)))
        path = tmp_path / f"fleet{ending}"
        path.write_bytes(content)
        if ending == ".parquet":
            assert pq.read_table(path).to_pylist() == [vars(row)]
        elif ending == ".json":
            assert json.loads(content)["pairs"][0]["median_pct"] == "inf"
        elif ending == ".csv":
            assert (
                content.decode().splitlines()[1].startswith(""""'=cmd|""")
                or "'=cmd" in content.decode()
            )
        else:
            assert content.decode().count("\n") == 5

    def test_the_report_loads_and_runs_nothing(self, tmp_path: Path) -> None:
        targets = models(tmp_path, 2)
        fleet = run_fleet(Model.open(str(tmp_path / "base")), targets, device="cpu")
        rows = (replace(fleet.rows[0], name=HOSTILE, likeness=HOSTILE), fleet.rows[1])
        page = fleet_report_html(replace(fleet, rows=rows))
        assert page.count('<svg class="heatmap"') == 2
        assert "<script" not in page and "\u202e" not in page
        assert not re.search(
            r"""(?:src|href)\s*=\s*["'](?!data:|#)|url\(\s*["']?(?!data:|#)|@import""", page
        )

    def test_fleets_among_kept_results(self, tmp_path: Path) -> None:
        targets = models(tmp_path, 2)
        run_fleet(Model.open(str(tmp_path / "base")), targets, device="cpu")
        run_diff(Comparison.open(targets[0], targets[1]), device="cpu")
        ((_, headers),) = fleets_of(list_results()).items()
        assert {header.target_reference for header in headers} == set(targets)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = models(tmp_path, 3)
    path = tmp_path / "fleet.csv"
    arguments = ["fleet", str(tmp_path / "base"), *targets, "--sort", "median_pct", "--top", "2"]
    assert main([*arguments, "--output", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "3 targets" in shown and "2 of them shown" in shown
    lines = path.read_text("utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["name", "target-2", "target-1"]
    assert main(["fleet", str(tmp_path / "base"), targets[0], str(tmp_path / "no"), "--json"]) == 1
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert [len(document[part]) for part in ("pairs", "failures")] == [1, 1]
    assert f"error: {tmp_path / 'no'}" in printed.err
    with pytest.raises(SystemExit):
        main(["fleet", str(tmp_path / "base"), targets[0], "--sort", "medain_pct"])
    # Not "kept before": of two architectures nothing is compared, the first time, too.
    other = write_checkpoint(tmp_path / "other", {"x": ("F32", encode(normal(4, 1), "F32"))})
    assert main(["fleet", str(tmp_path / "base"), str(other)]) == 0
    assert "Nothing was left to measure." in capsys.readouterr().out


def test_shards_of_a_fleet_measure_each_target_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = models(tmp_path, 3)
    fleet = ["fleet", str(tmp_path / "base"), *targets]
    for number in (2, 1, 4, 3):
        assert main([*fleet, "--shard", f"{number}/4"]) == 0
        measured = len(list_results())
        assert measured == {2: 1, 1: 1, 4: 2, 3: 3}[number]
        assert f"→ {0 if number == 1 else 1} target" in capsys.readouterr().out
    assert main(fleet) == 0
    shown = capsys.readouterr().out
    assert "3 targets" in shown and "Nothing was left to measure." in shown


class TestOfAnAuthor:
    @pytest.fixture
    def hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
        with LocalHub(tmp_path / "hub") as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            write_model(hub.root / "them/base", seed=1)
            for name, base in (("one", "them/base"), ("two", "them/base"), ("other", "x/y")):
                folder = write_model(hub.root / "us" / name, seed=1, change=0.01)
                (folder / "README.md").write_text(f"---\nbase_model: {base}\n---\n")
            (hub.root / "them/base/README.md").write_text("---\nbase_model: them/base\n---\n")
            yield hub

    def test_what_its_cards_name(self, hub: LocalHub, capsys: pytest.CaptureFixture[str]) -> None:
        assert tunes_of("them/base", "us") == ("us/one", "us/two")
        assert main(["fleet", "them/base", "--author", "us", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert [row["target"] for row in document["pairs"]] == ["us/one", "us/two"]

    @pytest.mark.parametrize(
        ("base", "owner", "says"),
        [
            ("demo:base", "us", "knows nothing"),
            ("them/base", "us&filter=x", "no name of an owner"),
            ("them/base", "nobody", "no model at the Hub"),
        ],
    )
    def test_what_can_have_none(self, hub: LocalHub, base: str, owner: str, says: str) -> None:
        with pytest.raises(InvalidOption, match=says):
            tunes_of(base, owner)

    def test_an_answer_is_not_taken_for_granted(self, hub: LocalHub) -> None:
        tags = ["base_model:them/base"]
        hub.page = json.dumps(
            [
                {"id": "us/fine", "tags": tags},
                {"id": "others/one", "tags": tags},
                {"id": "us/untagged", "tags": ["base_model:x/y"]},
                {"id": "../../etc", "tags": tags},
                {"id": 1, "tags": tags},
                None,
            ]
        ).encode()
        assert tunes_of("them/base", "us") == ("us/fine",)
        for page in (b"{}", b"<html>", b"[" * 100_000):
            hub.page = page
            with pytest.raises(HubUnreachable, match="not as a Hub does"):
                tunes_of("them/base", "us")
