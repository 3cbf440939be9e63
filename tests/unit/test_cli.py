"""The command line: one document on standard output, talk on standard error, codes that mean it."""

from __future__ import annotations

import errno
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from modeldiff import __version__
from modeldiff.changes import STATISTIC_NAMES, Progress
from modeldiff.cli import main
from modeldiff.cli.progress_bar import ProgressBar
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import table_lines
from modeldiff.results import load_result
from modeldiff.results.store.result_parquet import decode_result
from tests.support.planted import add_noise, llama_values, write_values
from tests.support.results import cache_at, write_model

ROOT = Path(__file__).parents[2]
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def results(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as folder:
        yield folder


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "base", seed=1))


@pytest.fixture
def target(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "target", seed=1, layers=4, change=0.1))


def document(output: Output) -> Any:
    """Standard output as the one document that it has to be; standard error has to be empty."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    captured = output.readouterr()
    assert captured.err == ""
    return json.loads(captured.out, parse_constant=refuse)


def python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, **options
    )


class TestUsage:
    def test_help_and_version_need_nothing_heavy(self) -> None:
        code = (
            "import sys; from modeldiff.cli import main\n"
            "try: main(['--help'])\n"
            "except SystemExit: pass\n"
            "heavy = {'numpy', 'pandas', 'pyarrow', 'torch', 'numba', 'altair', 'streamlit'}\n"
            "print(heavy & set(sys.modules), file=sys.stderr)"
        )
        shown = python("-c", code)
        assert shown.stderr == "set()\n"
        for command in ("inspect", "compare", "diff", "demo"):
            assert command in shown.stdout

    def test_version(self, capsys: Output) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["--version"])
        assert caught.value.code == 0
        assert capsys.readouterr().out == f"modeldiff {__version__}\n"

    @pytest.mark.parametrize(
        "arguments", [[], ["guess"], ["diff", "a"], ["inspect"], ["diff", "a", "b", "--depth"]]
    )
    def test_wrong_usage(self, arguments: list[str], capsys: Output) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert capsys.readouterr().out == ""


class TestInspect:
    def test_json(self, base: str, capsys: Output) -> None:
        assert main(["inspect", base, "--json"]) == 0
        shown = document(capsys)
        assert list(shown) == [
            *("document", "reference", "fingerprint", "format", "parameters", "bytes"),
            *("facts", "tensors"),
        ]
        assert shown["reference"] == base
        assert shown["format"] == "safetensors"
        assert shown["parameters"] == 928
        assert shown["bytes"] == 4 * 928
        assert {"key": "layers", "value": 3}.items() <= shown["facts"][1].items()
        norm = shown["tensors"][-1]
        assert (norm["name"], norm["component"], norm["layer"]) == (
            "model.norm.weight",
            "norm",
            None,
        )
        assert (norm["shape"], norm["dtype"], norm["elements"]) == ([8], "F32", 8)

    def test_for_people(self, base: str, capsys: Output) -> None:
        assert main(["inspect", base]) == 0
        shown = capsys.readouterr().out
        assert "928 parameters, 3.71 kB in 1 safetensors file, 11 tensors" in shown
        lines = [line.split() for line in shown.splitlines()]
        assert ["mlp.up_proj", "0–2", "3", "24", "×", "8", "F32", "576"] in lines
        first = [line[0] for line in lines[lines.index(["Tensors"]) + 2 :]]
        assert first == [
            "embed_tokens",
            "input_layernorm",
            "self_attn.q_proj",
            "mlp.up_proj",
            "norm",
        ]


class TestCompare:
    def test_json(self, base: str, target: str, capsys: Output) -> None:
        assert main(["compare", base, target, "--json"]) == 0
        shown = document(capsys)
        assert list(shown) == ["document", "facts", "pairs", "summary", "companions"]
        parts = [part["part"] for part in shown["companions"]["parts"]]
        assert parts == ["tokenizer", "template", "generation", "config", "card"]
        facts = {fact.pop("fact"): fact for fact in shown["facts"]}
        known = {"one_sided": False}
        assert facts["layers"] == {"base": 3, "target": 4, "same": False, **known}
        assert facts["hidden_size"] == {"base": 8, "target": 8, "same": True, **known}
        assert shown["summary"]["statuses"] == {"compared": 11, "only_in_target": 3}
        assert [pair["name"] for pair in shown["pairs"] if pair["status"] != "compared"] == [
            f"model.layers.3.{name}.weight"
            for name in ("input_layernorm", "mlp.up_proj", "self_attn.q_proj")
        ]

    def test_for_people(self, base: str, target: str, capsys: Output) -> None:
        assert main(["compare", base, target]) == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert ["*", "Layers", "3", "4"] in lines
        assert ["Hidden", "size", "8", "8"] in lines
        missing = lines[lines.index(["Not", "compared:", "only", "in", "target"]) + 2 :]
        assert ["mlp.up_proj", "3", "1", "–", "24", "×", "8", "F32"] in missing


class TestDiff:
    def test_json(self, base: str, target: str, capsys: Output) -> None:
        assert main(["diff", base, target, "--json"]) == 0
        shown = document(capsys)
        assert list(shown)[:5] == ["document", "schema", "base", "target", "options"]
        assert {"summary", "tensors"} < set(shown)
        assert shown["base"]["reference"] == base
        assert len(shown["tensors"]) == 14
        pair_columns = (
            *("name", "target_name", "layer", "component", "parameter", "expert", "status"),
            *("base_shape", "target_shape", "base_dtype", "target_dtype", "elements"),
        )
        for row in shown["tensors"]:
            assert {*pair_columns, *STATISTIC_NAMES} <= set(row)
            assert (row["median_pct"] is None) == (row["status"] != "compared")

    def test_medians_are_those_of_a_plain_sort(
        self, base: str, target: str, capsys: Output
    ) -> None:
        from safetensors.numpy import load_file

        main(["diff", base, target, "--json"])
        sides = [load_file(Path(side) / "model.safetensors") for side in (base, target)]
        for row in document(capsys)["tensors"]:
            if row["status"] == "compared":
                a, b = (side[row["name"]].ravel() for side in sides)
                r = np.sort(np.abs(b - a) / np.abs(a))
                assert row["median_pct"] == 100.0 * float(r[(len(r) - 1) // 2])

    def test_for_people(self, base: str, target: str, capsys: Output) -> None:
        assert main(["diff", base, target]) == 0
        shown = capsys.readouterr().out
        assert f"{base} → {target}" in shown
        assert "14 tensors: 11 compared, 3 only in target" in shown
        for heading in ("Change in %", "Most changed", "Least changed", "Not compared"):
            assert heading in shown

    def test_a_model_against_itself(self, base: str, capsys: Output) -> None:
        assert main(["diff", base, base, "--json"]) == 0
        for row in document(capsys)["tensors"]:
            assert (row["median_pct"], row["unchanged_pct"]) == (0.0, 100.0)

    def test_identical_tensors_are_not_the_most_changed(
        self, tmp_path: Path, capsys: Output
    ) -> None:
        base = llama_values(2)
        sides = base, add_noise(base, 0.2, "layers.1.self_attn.q_proj", "layers.0.mlp.up_proj")
        pair = [
            str(write_values(tmp_path / name, values))
            for name, values in zip(("base", "target"), sides, strict=True)
        ]
        main(["diff", *pair])
        shown = capsys.readouterr().out
        most = shown.partition("Most changed")[2].partition("Least changed")[0]
        assert most.count("_proj") == 2 and "q_proj" in most and "up_proj" in most
        main(["diff", pair[0], pair[0]])
        assert "Most changed" not in capsys.readouterr().out

    def test_infinity(self, tmp_path: Path, capsys: Output) -> None:
        for name, value in (("zeros", 0.0), ("ones", 1.0)):
            folder = tmp_path / name
            folder.mkdir()
            weight = np.full((4, 4), value, np.float32)
            save_file({"model.norm.weight": weight}, folder / "model.safetensors")
        pair = str(tmp_path / "zeros"), str(tmp_path / "ones")
        main(["diff", *pair, "--json"])
        assert document(capsys)["tensors"][0]["median_pct"] == "inf"
        main(["diff", *pair])
        assert "∞" in capsys.readouterr().out

    def test_demo(self, capsys: Output) -> None:
        assert main(["demo", "--json"]) == 0
        shown = document(capsys)
        assert shown["base"]["reference"] == "demo:base"
        assert shown["target"]["reference"] == "demo:continued"
        assert main(["demo"]) == 0
        assert "demo:unrelated" in capsys.readouterr().out

    def test_quiet(self, base: str, target: str, tmp_path: Path, capsys: Output) -> None:
        output = tmp_path / "out.csv"
        assert main(["diff", base, target, "--quiet", "--output", str(output)]) == 0
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", "")
        assert output.exists()

    def test_no_cache(self, base: str, target: str, results: Path, capsys: Output) -> None:
        assert main(["diff", base, target, "--no-cache"]) == 0
        assert not results.exists()

    def test_output(self, base: str, target: str, tmp_path: Path, capsys: Output) -> None:
        paths = [tmp_path / f"out.{kind}" for kind in ("parquet", "csv", "json", "html")]
        for path in paths:
            assert main(["diff", base, target, "--json", "--output", str(path)]) == 0
            captured = capsys.readouterr()
            assert captured.err == f"Written to {path}\n"
        result = decode_result(paths[0].read_bytes())
        assert result == load_result(result.key)
        assert len(paths[1].read_text().splitlines()) == 15
        assert json.loads(paths[2].read_text()) == json.loads(captured.out)
        report = paths[3].read_text(encoding="utf-8")
        assert report.startswith("<!DOCTYPE html>") and base in report and target in report


class TestMistakes:
    def test_message_and_hint(self, base: str, capsys: Output) -> None:
        assert main(["diff", base, "/no/such/folder", "--json"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        error, hint = captured.err.splitlines()
        assert error.startswith("error: ") and "/no/such/folder" in error
        assert hint.startswith("hint: ")

    def test_an_output_that_cannot_be_written_is_refused_before_measuring(
        self, base: str, target: str, tmp_path: Path, results: Path, capsys: Output
    ) -> None:
        for output in (tmp_path / "missing" / "out.csv", tmp_path / "out.txt"):
            assert main(["diff", base, target, "--output", str(output)]) == 1
            assert str(output) in capsys.readouterr().err
        assert not results.exists()

    @pytest.mark.parametrize("kept", [False, True])
    def test_an_unknown_device(self, base: str, target: str, kept: bool, capsys: Output) -> None:
        if kept:
            assert main(["diff", base, target]) == 0
        assert main(["diff", base, target, "--device", "abacus"]) == 1
        assert "abacus" in capsys.readouterr().err

    def test_a_cache_that_cannot_be_written_to(
        self, base: str, target: str, tmp_path: Path, capsys: Output
    ) -> None:
        (tmp_path / "file").write_text("")
        with cache_at(tmp_path / "file"):
            assert main(["diff", base, target]) == 1
            assert "--no-cache" in capsys.readouterr().err
            assert main(["diff", base, target, "--no-cache"]) == 0

    def test_a_damaged_result_is_a_warning(
        self, base: str, target: str, results: Path, capsys: Output
    ) -> None:
        main(["diff", base, target, "--quiet"])
        (path,) = results.glob("*.parquet")
        path.write_bytes(b"damaged")
        assert main(["diff", base, target, "--json"]) == 0
        captured = capsys.readouterr()
        assert captured.err.startswith("warning: ") and str(path) in captured.err
        assert json.loads(captured.out)["tensors"]


# Ends itself with a signal after four rows, as if a user or the system had sent it then.
SIGNALLED = """
import os, runpy, signal, sys
from modeldiff.changes import measurer
real, number = measurer.measure_together, getattr(signal, sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
def measure(*arguments, **options):
    for row, change in enumerate(real(*arguments, **options)):
        if row == 4:
            os.kill(os.getpid(), number)
        yield change
measurer.measure_together = measure
sys.argv = ["modeldiff", "diff", *sys.argv[2:]]
runpy.run_module("modeldiff", run_name="__main__")
"""


class TestEnds:
    @pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
    def test_interrupted_and_taken_up_again(
        self, name: str, code: int, base: str, target: str, results: Path, capsys: Output
    ) -> None:
        ended = python("-c", SIGNALLED, name, base, target)
        assert ended.returncode == code
        assert ended.stdout == ""
        assert ended.stderr == (
            "Interrupted. What was measured is kept: the same command resumes there.\n"
        )
        assert main(["diff", base, target]) == 0
        assert capsys.readouterr().err == (
            "Resuming an interrupted diff: 4 of 11 tensors are already measured.\n"
        )
        assert not list(results.glob("*.journal"))

    def test_interrupted_without_a_cache(self, base: str, target: str) -> None:
        ended = python("-c", SIGNALLED, "SIGINT", base, target, "--no-cache")
        assert (ended.returncode, ended.stderr) == (130, "Interrupted.\n")

    def test_whoever_reads_has_enough(self, base: str) -> None:
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as stdout:
            process = subprocess.run(
                [sys.executable, "-m", "modeldiff", "inspect", base],
                cwd=ROOT,
                stdout=stdout,
                stderr=subprocess.PIPE,
            )
        assert process.returncode == 141
        assert process.stderr == b""

    def test_whoever_has_read_enough_has_the_file_too(
        self, base: str, target: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "result.csv"
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as stdout:
            process = subprocess.run(
                [sys.executable, "-m", "modeldiff", "diff", base, target, "--output", str(path)],
                cwd=ROOT,
                stdout=stdout,
                stderr=subprocess.PIPE,
            )
        assert process.returncode == 141
        assert path.is_file()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
    def test_no_room_for_the_output(self, base: str) -> None:
        with Path("/dev/full").open("wb") as full:
            process = subprocess.run(
                [sys.executable, "-m", "modeldiff", "inspect", base],
                cwd=ROOT,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert process.returncode == 1
        assert process.stderr.startswith("error: The output can't be written")
        assert "Traceback" not in process.stderr


def on_a_terminal(*arguments: str, columns: int, **environment: str) -> str:
    """What a terminal of this width is sent when the command runs on it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "modeldiff", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm", **environment},
    )
    os.close(theirs)
    received = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError as error:  # how Linux tells that the other end is closed
            assert error.errno == errno.EIO
            break
        if not part:
            break
        received += part
    os.close(ours)
    assert process.wait() == 0
    return received.decode()


class TestTerminal:
    def test_tables_fit_and_headings_are_bold(self, base: str, target: str) -> None:
        shown = on_a_terminal("compare", base, target, columns=60)
        assert "\x1b[1mTensors\x1b[0m" in shown
        tables = [line for line in shown.splitlines() if "  " in line]
        assert max(map(len, tables)) <= 60
        assert "\x1b" not in on_a_terminal("compare", base, target, columns=60, NO_COLOR="1")

    def test_progress_is_drawn_and_wiped(self, base: str, target: str) -> None:
        shown = on_a_terminal("diff", base, target, columns=100)
        assert "measuring" in shown
        before, _, after = shown.rpartition("\r\x1b[K")
        assert "measuring" in before
        assert "measuring" not in after
        assert "Most changed" in after

    def test_quiet_draws_nothing(self, base: str, target: str) -> None:
        assert on_a_terminal("diff", base, target, "--quiet", columns=100) == ""

    def test_names_from_files_are_no_commands(self, tmp_path: Path, capsys: Output) -> None:
        name = "\x1b]0;owned\x07\x1b[2J\u202eevil\nlines.weight"
        save_file({name: np.zeros((2, 2), np.float32)}, tmp_path / "model.safetensors")
        assert main(["inspect", str(tmp_path)]) == 0
        shown = capsys.readouterr().out
        assert not set("\x1b\x07\u202e") & set(shown)
        assert r"\x1b[2J\u202eevil\nlines" in shown
        assert main(["inspect", str(tmp_path), "--json"]) == 0
        assert document(capsys)["tensors"][0]["name"] == name

    def test_an_output_that_knows_ascii_only(self, base: str, target: str) -> None:
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        shown = python("-m", "modeldiff", "diff", base, target, env=environment)
        assert shown.returncode == 0
        assert f"{base} -> {target}" in shown.stdout
        assert "24 x 8" in shown.stdout
        assert shown.stdout.isascii()


class TestProgressBar:
    class Screen(StringIO):
        def isatty(self) -> bool:
            return True

    def test_one_line_that_fits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "60")
        screen = self.Screen()
        with ProgressBar(Terminal(), screen) as bar:
            bar(Progress("measuring", 250, 1000, 1, 4, current="\x1b[2J" + "long." * 50))
        drawn, wiped, rest = screen.getvalue().removeprefix("\r\x1b[K").partition("\r\x1b[K")
        assert "25%" in drawn and "250 B of 1.00 kB" in drawn
        assert len(drawn) < 60 and "\x1b" not in drawn
        assert wiped and not rest

    def test_a_log_gets_lines_and_no_drawing(self, capsys: Output) -> None:
        stream = StringIO()
        with ProgressBar(Terminal(), stream) as bar:
            for _ in range(3):
                bar(Progress("waiting", 0, 1000, 0, 4))
            for done in range(500, 1000):
                bar(Progress("measuring", done, 1000, 2, 4, resumed_bytes=500))
        assert stream.getvalue() == ""
        assert capsys.readouterr().err.splitlines() == [
            "Another process has taken this pair: waiting for its result.",
            "Resuming an interrupted diff: 2 of 4 tensors are already measured.",
        ]


class TestTables:
    def test_aligned(self) -> None:
        lines = table_lines(("name", "n"), [("a", "1"), ("long", "1,000")], right=(1,))
        assert lines == ["name      n", "a         1", "long  1,000"]

    @pytest.mark.parametrize("width", [50, 40, 34, 30])
    def test_neither_names_nor_numbers_lose_a_character(self, width: int) -> None:
        name = "model.layers.31.self_attn.q_proj.weight"
        rows = [(name, "a reason of some length", "1,234,567")]
        lines = table_lines(("tensor", "reason", "n"), rows, right=(2,), width=width)
        assert max(map(len, lines)) <= width
        edge = lines[0].index("reason")
        assert "".join(line[:edge].strip() for line in lines[1:]) == name
        assert lines[1].endswith("1,234,567")

    def test_only_what_fits_nowhere_is_cut_and_numbers_go_last(self) -> None:
        name = f"layers.{'x' * 40}.weight"
        headers, rows = ("tensor", "median", "p95"), [(name, "12.3", "1,234,567")]
        lines = table_lines(headers, rows, right=(1, 2), width=36)
        assert "…" in "".join(lines) and lines[1].split()[-2:] == ["12.3", "1,234,567"]
        lines = table_lines(headers, rows, right=(1, 2), width=20)
        assert max(map(len, lines)) <= 20
        assert lines[0].split() == ["tensor", "median"] and "12.3" in lines[1]

    def test_a_hostile_name_takes_few_lines(self) -> None:
        rows = [("a." * 50_000, "1")]
        assert len(table_lines(("tensor", "n"), rows, right=(1,), width=40)) < 10
        assert table_lines(("tensor", "n"), rows, right=(1,))[1].startswith(rows[0][0])

    def test_a_spare_column_goes_before_a_name_is_cut(self) -> None:
        rows = [("model.layers.31.mlp.up_proj.weight", "4096 × 4096", "1.23", "200")]
        headers = ("tensor", "shape", "median", "p95")
        wide, narrow, least = (
            table_lines(headers, rows, right=(2, 3), spare=(1, 3), width=width)[1].split()
            for width in (80, 50, 42)
        )
        assert wide == [rows[0][0], "4096", "×", "4096", "1.23", "200"]
        assert narrow == [rows[0][0], "1.23", "200"]
        assert least == [rows[0][0], "1.23"]

    def test_sentences_go_on_below_and_names_stay_whole(self) -> None:
        name, sentence = "post_attention_layernorm", "one sentence that is much too long for this"
        lines = table_lines(("name", "n", ""), [(name, "12", sentence)], right=(1,), width=44)
        assert max(map(len, lines)) <= 44
        assert lines[1].split()[:2] == [name, "12"]
        words = [line[28:].strip() for line in lines[1:]]
        assert len(words) > 2 and " ".join(words).removeprefix("12 ").strip() == sentence

    def test_a_terminal_too_narrow_for_anything(self) -> None:
        lines = table_lines(("tensor", "n"), [("x" * 40, "123456789")], right=(1,), width=10)
        assert "123456789" in lines[1]

    def test_no_rows(self) -> None:
        assert table_lines(("a", "b"), []) == ["a  b"]
