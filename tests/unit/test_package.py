"""The package: what it needs, what its extras add, and what it does without them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from modeldiff.cli import main
from modeldiff.cli.serving.app import serve_app
from modeldiff.cli.terminal import Terminal
from modeldiff.errors import MissingExtra
from modeldiff.extras import DISTRIBUTION, EXTRAS, require

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OPTIONAL: dict[str, list[str]] = PROJECT["optional-dependencies"]
ABSENT = ("streamlit", "torch", "transformers", "altair", "pandas", "vl_convert", "safetensors")
"""All that only extras bring, and a library that none of it needs."""


def without(modules: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.absent", ",".join(modules), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def requirements(lines: list[str]) -> list[Requirement]:
    """The packages that these lines ask for, those of the extras that they name included."""
    wanted = []
    for requirement in map(Requirement, lines):
        if requirement.name == DISTRIBUTION:
            for extra in requirement.extras:
                wanted += requirements(OPTIONAL[extra])
        else:
            wanted.append(requirement)
    return wanted


class TestTheDeclaration:
    def test_the_pins_are_of_what_the_package_asks_for_and_in_its_ranges(self) -> None:
        lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
        pins = dict(line.split("==") for line in lines if not line.startswith("#"))
        asked = requirements([*PROJECT["dependencies"], *OPTIONAL["all"]])
        assert {each.name for each in asked} == set(pins)
        for each in asked:
            assert Version(pins[each.name]) in each.specifier, each

    def test_the_errors_know_the_extras(self) -> None:
        assert PROJECT["name"] == DISTRIBUTION
        assert set(OPTIONAL) == {*EXTRAS, "all"}
        for extra, modules in EXTRAS.items():
            packages = {each.name for each in requirements(OPTIONAL[extra])}
            names = {"vl_convert": "vl-convert-python", "prometheus_client": "prometheus-client"}
            assert packages == {names.get(name, name) for name in modules}

    def test_all_is_all_but_what_a_cluster_decides(self) -> None:
        chosen = [extra for extra in EXTRAS if extra != "ray"]
        every = requirements([line for extra in chosen for line in OPTIONAL[extra]])
        assert set(map(str, requirements(OPTIONAL["all"]))) == set(map(str, every))


class TestWithoutTheExtras:
    def test_the_library_measures(self) -> None:
        code = (
            "import modeldiff\n"
            "changes = list(modeldiff.diff('demo:base', 'demo:continued', cache=False))\n"
            "print(len(changes), all(change.statistics for change in changes))"
        )
        shown = without(ABSENT, "-c", code)
        assert (shown.stderr, shown.stdout) == ("", "75 True\n")

    def test_the_command_line_measures_and_tells(self) -> None:
        shown = without(ABSENT, "diff", "demo:base", "demo:continued")
        assert (shown.stderr, shown.returncode) == ("", 0)
        for words in ("75 tensors: 75 compared", "What the numbers say", "Most changed"):
            assert words in shown.stdout

    def test_it_compares_and_writes_tables(self, tmp_path: Path) -> None:
        assert without(ABSENT, "compare", "demo:base", "demo:unrelated").returncode == 0
        for suffix in ("csv", "json", "parquet"):
            path = tmp_path / f"table.{suffix}"
            written = without(ABSENT, "demo", "--quiet", "--output", str(path))
            assert (written.stderr, written.returncode) == ("", 0)
            assert path.stat().st_size > 0

    @pytest.mark.parametrize(
        ("extra", "arguments"),
        [
            ("app", ["app"]),
            ("report", ["diff", "demo:base", "demo:lora", "--output", "report.html"]),
            ("gpu", ["diff", "demo:base", "demo:lora", "--no-cache", "--device", "cuda"]),
            ("configs", ["inspect", "{config}"]),
        ],
    )
    def test_what_is_missing_is_named(
        self, extra: str, arguments: list[str], tmp_path: Path
    ) -> None:
        config = tmp_path / "config.json"
        config.write_text('{"model_type": "llama", "hidden_size": 8}', encoding="utf-8")
        shown = without(ABSENT, *(each.format(config=config) for each in arguments))
        assert shown.returncode == 1
        assert "not installed" in shown.stderr
        assert f'hint: Install it: pip install "{DISTRIBUTION}[{extra}]".' in shown.stderr
        assert shown.stdout == ""
        assert not (ROOT / "report.html").exists()

    def test_a_report_needs_no_more_than_its_extra(self, tmp_path: Path) -> None:
        others = tuple(name for name in ABSENT if name not in EXTRAS["report"])
        path = tmp_path / "report.html"
        shown = without(others, "demo", "--quiet", "--output", str(path))
        assert (shown.stderr, shown.returncode) == ("", 0)
        assert path.stat().st_size > 100_000

    def test_a_data_frame_names_what_it_needs(self) -> None:
        code = (
            "import modeldiff\n"
            "try: modeldiff.diff('demo:base', 'demo:base').to_pandas()\n"
            "except modeldiff.errors.MissingExtra as error: print(error.hint)"
        )
        assert "[report]" in without(ABSENT, "-c", code).stdout


def test_asking_for_what_is_here_imports_nothing() -> None:
    code = (
        "import sys\n"
        "from modeldiff.extras import EXTRAS, require\n"
        "for extra in EXTRAS: require(extra, 'A test')\n"
        "print({'torch', 'streamlit', 'altair', 'pandas', 'transformers'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert shown.stdout == "set()\n"


class TestTheApp:
    """``modeldiff app``; that a page then works is a test of the installed wheel."""

    @pytest.fixture
    def replaced(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """The programs that this process would have become."""
        programs: list[list[str]] = []
        monkeypatch.setattr(os, "execv", lambda path, command: programs.append(command))
        return programs

    def test_options_are_passed_on(self, replaced: list[list[str]]) -> None:
        main(["app", "--server.port", "8600", "--theme.base=dark"])
        (command,) = replaced
        script, *options = command[command.index("run") + 1 :]
        assert Path(script) == ROOT / "streamlit_app.py"
        assert options == ["--server.port", "8600", "--theme.base=dark"]

    def test_other_commands_take_no_unknown_options(
        self, replaced: list[list[str]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["demo", "--server.port", "8600"])
        assert caught.value.code == 2
        assert "unrecognized arguments: --server.port 8600" in capsys.readouterr().err
        assert replaced == []

    def test_its_help_says_that(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["app", "--help"])
        shown = capsys.readouterr().out
        assert "--server.port 8600" in shown

    def test_nothing_is_started_without_its_libraries(
        self, replaced: list[list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("modeldiff.extras.find_spec", lambda _: None)
        with pytest.raises(MissingExtra, match="streamlit"):
            serve_app(Namespace(passed_on=[]), Terminal(quiet=True))
        assert replaced == []


def test_one_missing_library_reads_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeldiff.extras.find_spec", lambda name: name != "torch" or None)
    with pytest.raises(MissingExtra) as caught:
        require("gpu", "The card")
    assert caught.value.message == "The card needs torch, which is not installed."
