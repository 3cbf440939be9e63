"""The plan of a diff on machines that are not here: its simulation against what can be reckoned by
hand, and the work against what shards and fleets read."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.planning.command import plan_command
from benchmarks.planning.rates import Rates
from benchmarks.planning.simulation import Site, simulate
from benchmarks.planning.work import Unit, fleet, pairs_of, shards

RATES = Rates(
    start=1.0, keep=0.5, read=0.1, kernel=0.4, tensor=1e-4, join=1e-4, machine="none", load=0.0
)
UNITS = st.builds(Unit, st.floats(0.01, 50), st.floats(0.01, 50), st.integers(1, 50_000))
SITES = st.builds(
    Site,
    st.integers(1, 5),
    st.integers(1, 16),
    st.floats(0.1, 10),
    st.floats(0.1, 20),
    st.sampled_from([0.0, 0.3]),
    st.floats(0, 10),
)


def test_one_process_is_held_by_its_cores_its_tensors_or_its_storage() -> None:
    unit = Unit(read=10, measured=20, tensors=100)
    by_cores = simulate([unit], Site(1, 2), RATES)
    assert by_cores.seconds == pytest.approx(1 + (10 * 0.1 + 20 * 0.4) / 2)
    assert by_cores.limit == "cores"
    assert by_cores.processor == pytest.approx(1 + 9 + 0.01)
    assert simulate([replace(unit, keeps=True)], Site(1, 2), RATES).seconds == pytest.approx(6.0)
    by_storage = simulate([unit], Site(1, 2, storage=0.5), RATES)
    assert (
        by_storage.seconds == pytest.approx(1 + 20) and by_storage.limit == "storage of a machine"
    )
    by_tensors = simulate([Unit(0.1, 0.2, 100_000)], Site(1, 64), RATES)
    assert by_tensors.seconds == pytest.approx(1 + 10) and by_tensors.limit == "tensors"


def test_what_one_cannot_use_of_all_storage_the_others_have() -> None:
    # The first takes 10/9 GB/s by its core; the second gets what is left of 4, and all of it later.
    slow, fast = Unit(10, 20, 1), Unit(30, 1, 1)
    plan = simulate([slow, fast], Site(2, 1, storage_all=4.0), RATES)
    left = 30 - 9 * (4 - 10 / 9)
    assert plan.seconds == pytest.approx(1 + 9 + left / 4)


def test_more_units_than_machines_wait_for_their_turn() -> None:
    plan = simulate([Unit(1, 2, 1)] * 5, Site(2, 1), RATES)
    assert plan.seconds == pytest.approx(3 * (1 + 0.9))
    assert plan.busy == pytest.approx(5 * (1 + 0.9)) and plan.attempts == 5


def test_what_fails_is_begun_again_and_loses_its_start_and_not_its_work() -> None:
    units = [Unit(1, 2, 1)] * 50
    sound, failing = (simulate(units, Site(1, 1, failures=part), RATES) for part in (0.0, 0.5))
    assert failing.attempts > 75
    assert failing.processor - sound.processor == pytest.approx(failing.attempts - 50)
    assert failing.busy == pytest.approx(failing.attempts * 1.0 + 50 * 0.9)


@settings(max_examples=30, deadline=None)
@given(st.lists(UNITS, min_size=1, max_size=12), SITES, st.integers(0, 3))
def test_no_plan_is_quicker_than_its_limits_or_slower_than_one_after_the_other(
    units: list[Unit], site: Site, seed: int
) -> None:
    plan = simulate(units, site, RATES, seed)
    alone = [
        max(*unit.seconds(RATES, site.cores), unit.read / min(site.storage, site.storage_all))
        for unit in units
    ]
    assert plan.seconds >= max(alone) + RATES.start - 1e-6
    assert plan.seconds >= plan.read / site.storage_all - 1e-6
    assert plan.busy <= plan.seconds * site.machines + 1e-6
    pauses = plan.attempts * (RATES.start + site.restart)
    # Those that share the storage are slower than alone, but together they use all of it.
    assert plan.seconds <= sum(alone) + pauses + plan.read / site.storage_all + 1e-6
    assert math.isclose(sum(plan.limits.values()), 1)


def test_shards_and_fleets_read_what_the_product_reads() -> None:
    pairs = pairs_of("demo:base", "demo:tuned")
    both = sum(each.nbytes for each in pairs) / 1e9
    base = sum(each.base.nbytes for each in pairs if each.base) / 1e9
    parts = shards(pairs, 4)
    assert len(parts) == 4 and sum(unit.tensors for unit in parts) == len(pairs)
    assert sum(unit.read for unit in parts) == pytest.approx(both)
    groups = fleet(pairs, 100, 1)  # 64 and 36: base is read twice
    assert sum(unit.read for unit in groups) == pytest.approx(2 * base + 100 * (both - base))
    assert sum(unit.measured for unit in groups) == pytest.approx(100 * both)
    assert len(fleet(pairs, 100, 8)) == 8


def test_the_command_prints_a_row_for_each_number_of_machines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sites = ["--machines", "1", "8", "--storage", "3", "--price", "2"]
    assert plan_command(["catalog:llama-3.1-405b", *sites]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == ["| machines", "| ---", "| 1", "| 8"]
    assert "storage of a machine" in rows[2] and "1.62 TB" in rows[2]
    assert plan_command(["catalog:nobody"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        *("--machines 0", "--cores 0", "--targets -3", "--targets 10 --machines 0", "--shards -2"),
        *("--storage 0", "--storage nan", "--storage-all -1", "--read -1", "--price nan"),
        *("--failures 1", "--failures nan", "--restart -5", "--targets 5 --shards 4"),
    ],
)
def test_what_no_site_can_be_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        plan_command(["demo:base", *wrong.split()])
    assert refused.value.code == 2
    assert wrong.split()[0] in capsys.readouterr().err


def test_a_pair_without_a_tensor_in_common_is_no_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan_command(["demo:base", "catalog:gpt2-124m"]) == 1
    assert "no tensors to compare" in capsys.readouterr().err


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[list[str]]:
    """The cells of the rows that the command prints."""
    assert plan_command(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    return [line.strip("| ").split(" | ") for line in lines if re.match(r"\| [0-9]", line)]


FROM_A_STORE = ("--storage", "3.1", "--storage-all", "23", "--read", "1.28")


@pytest.mark.parametrize(
    ("row", "plan"),
    [
        ("a pair of 405B", ["catalog:llama-3.1-405b"]),
        ("1,000 tunes of 8B", ["catalog:llama-3-8b", "--targets", "1000"]),
    ],
)
def test_the_page_has_what_the_program_prints(
    row: str, plan: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "scale.md").read_text("utf-8")
    [line] = re.findall(rf"^\| {row} \| (.*) \|$", page, re.MULTILINE)
    read, *walls, hours, requests = line.split(" | ")
    rows = printed(capsys, *plan, *FROM_A_STORE, "--machines", "1", "8", "64")
    assert [rounded(wall) for wall in walls] == [rounded(each[1]) for each in rows]
    assert rounded(read) == rounded(rows[0][4])
    assert rounded(hours) == rounded(rows[1][2])
    assert rounded(requests) == rounded(rows[1][5])


def test_the_page_has_the_rates_that_the_program_reckons_with() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scale.md").read_text("utf-8")
    rates = Rates.kept()
    for what, rate in (
        ("to start", rates.start),
        ("to keep results, beside its start (a fleet, `join`)", rates.keep),
        ("for a GB that is read from the page cache", rates.read),
        ("for a GB of a bf16 pair, both sides, that is measured", rates.kernel),
        ("for a tensor beside its bytes", rates.tensor),
        ("for a tensor that is joined", rates.join),
    ):
        [number] = re.findall(rf"^\| {re.escape(what)} \| ([0-9.]+) \|$", page, re.MULTILINE)
        assert rounded(f"{number} s") == rounded(f"{rate} s")


def rounded(text: str) -> tuple[str, str]:
    """Two digits of a number, and its unit."""
    number, _, unit = text.replace(",", "").partition(" ")
    return f"{float(number):.1e}", unit
