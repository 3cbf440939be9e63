"""Options of a plan that no site has, measuring that comes to nothing, and a cache for programs
that are timed: each ends in words, and changes nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.planning import command
from benchmarks.planning.command import plan_command
from benchmarks.planning.rates import RATES, NoRates, Rates, a_cache

Output = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    "wrong",
    [
        *("--read inf", "--kernel inf", "--storage 1e-320", "--storage-all 1e-310"),
        *("--failures 0.9999999999", "--targets 100000000000", "--restart 1e308", "--price 1e308"),
        *(f"--cores 1{'0' * 400}", f"--machines 1{'0' * 400}", "--runs 0"),
    ],
)
def test_what_arithmetic_cannot_bear_is_refused(wrong: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as refused:
        plan_command(["demo:base", *wrong.split()])
    assert refused.value.code == 2
    assert wrong.split()[0] in capsys.readouterr().err


def test_the_ends_of_what_is_allowed_make_a_plan(capsys: Output) -> None:
    least = "--read 1e-6 --kernel 1e-6 --storage 1e6 --storage-all inf --cores 1000000"
    most = "--read 1e6 --kernel 1e6 --storage 1e-6 --storage-all 1e-6 --failures 0.99 --price 1e9"
    for site in (least, most):
        assert plan_command(["demo:base", *site.split(), "--machines", "1", "3"]) == 0
        assert "nan" not in capsys.readouterr().out


def test_a_small_pair_has_its_size(capsys: Output) -> None:
    assert plan_command(["demo:base"]) == 0
    assert capsys.readouterr().out.startswith("demo:base: 5.91 MB and 75 tensors a pair.")


@pytest.mark.parametrize("act", ["--measure", "--check"])
def test_a_folder_that_is_none_ends_in_words(act: str, tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "file"
    file.touch()
    before = RATES.read_bytes()
    assert plan_command([act, "--folder", str(file)]) == 1
    assert "Not a directory" in capsys.readouterr().err
    assert RATES.read_bytes() == before


def test_rates_that_make_no_sense_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    rates = Rates.kept()
    rates.require_sense()
    nonsense = replace(rates, kernel=-0.1, join=0.0)
    with pytest.raises(NoRates, match="kernel, join"):
        nonsense.require_sense()

    def measured(*arguments: object) -> Rates:
        nonsense.require_sense()
        return nonsense

    monkeypatch.setattr(command, "measure_rates", measured)
    before = RATES.read_bytes()
    assert plan_command(["--measure", "--runs", "1"]) == 1
    assert "too much other work" in capsys.readouterr().err
    assert RATES.read_bytes() == before


def test_programs_that_are_timed_know_no_results_and_keep_their_kernels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODELDIFF_KERNELS", str(tmp_path))
    monkeypatch.setenv("MODELDIFF_SHARED", "s3://team/modeldiff")
    monkeypatch.delenv("MODELDIFF_CACHE", raising=False)
    before = dict(os.environ)
    with a_cache() as cache:
        assert os.environ["MODELDIFF_CACHE"] == str(cache)
        assert os.environ["MODELDIFF_KERNELS"] == str(tmp_path)
        assert "MODELDIFF_SHARED" not in os.environ
    assert dict(os.environ) == before
