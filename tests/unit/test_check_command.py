"""``modeldiff check``: exit codes that CI can trust, and what it leaves for people and machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from modeldiff.cli import main
from tests.support import faulty_pairs
from tests.support.faulty_pairs import faulty, write
from tests.support.results import cache_at

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def results(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as folder:
        yield folder


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    base, target = faulty("only_in_target")
    return write(tmp_path / "base", base), write(tmp_path / "target", target)


class TestExitCodes:
    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["--fail-if", "median_pct > 5", "--allow", "only_in_target"], 0),
            (["--fail-if", "median_pct > 5", "--only", "layers.1-2.*"], 0),
            (["--fail-if", "median_pct > 0.5"], 3),
            (["--fail-if", "median_pct > 5", "--fail-if", "median_pct > 0.5"], 3),
            (["--fail-if", "median_pct > 5"], 4),
            (["--fail-if", "whole.median_pct > 5"], 4),
            (["--fail-if", "whole.coverage_pct < 100"], 3),
            (["--fail-if", "whole.only_in_target > 1"], 0),
            (["--fail-if", "median_pct > 5", "--only", "layers.9.*"], 1),
            (["--fail-if", "median_pct > 5", "--junit", "/no/such/folder/x.xml"], 1),
        ],
    )
    def test_codes(self, arguments: list[str], code: int, pair: tuple[str, str]) -> None:
        assert main(["check", *pair, *arguments]) == code

    @pytest.mark.parametrize(
        "arguments",
        [[], ["--fail-if", "median > 5"], ["--fail-if", "median_pct > 5", "--allow", "tied"]],
    )
    def test_wrong_usage(self, arguments: list[str], pair: tuple[str, str], capsys: Output) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["check", *pair, *arguments])
        assert caught.value.code == 2
        assert capsys.readouterr().out == ""

    def test_a_mistyped_pattern_is_refused_before_anything_is_measured(
        self, pair: tuple[str, str], results: Path, capsys: Output
    ) -> None:
        assert main(["check", *pair, "--fail-if", "median_pct > 5", "--only", "layer.0.*"]) == 1
        assert "'layer.0.*' matches no tensor" in capsys.readouterr().err
        assert not results.exists()


class TestWords:
    def test_say_what_failed_and_what_nobody_knows(
        self, pair: tuple[str, str], capsys: Output
    ) -> None:
        main(["check", *pair, "--fail-if", "median_pct > 5", "--fail-if", "unchanged_pct < 50"])
        shown = capsys.readouterr().out
        assert "UNDECIDED  fail if median_pct > 5" in shown
        assert "1 tensor: it is only in target (--allow only_in_target)" in shown
        assert "layers.0.self_attn.q_proj  it is only in target" in shown
        assert "FAILED  fail if unchanged_pct < 50" in shown
        assert "layers.1.self_attn.q_proj  unchanged_pct 0" in shown
        assert shown.endswith("Check failed\n")

    def test_quiet(self, pair: tuple[str, str], capsys: Output) -> None:
        assert main(["check", *pair, "--fail-if", "median_pct > 0.5", "--quiet"]) == 3
        assert capsys.readouterr() == ("", "")


class TestDocument:
    def test_every_tensor_that_did_not_pass_stands_in_it(
        self, pair: tuple[str, str], capsys: Output
    ) -> None:
        code = main(["check", *pair, "--json", "--fail-if", "median_pct > 5 or cosine < 0"])
        shown: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert (shown["verdict"], shown["exit_code"]) == ("undecided", code)
        (condition,) = shown["conditions"]
        assert condition["counts"] == {"undecided": 1, "passed": 11}
        (row,) = condition["tensors"]
        assert row["target_name"] == faulty_pairs.Q0
        assert row["gap"] == "only_in_target"
        assert row["values"] == {"cosine": None, "median_pct": None}
        assert shown["whole"]["whole.only_in_target"] == 1


class TestFiles:
    def written(self, pair: tuple[str, str], folder: Path, *arguments: str) -> tuple[Any, str]:
        junit, markdown = folder / "check.xml", folder / "check.md"
        main(["check", *pair, f"--junit={junit}", f"--markdown={markdown}", "--quiet", *arguments])
        return Xml.parse(junit).getroot(), markdown.read_text(encoding="utf-8")

    def test_junit_has_a_case_a_tensor(self, pair: tuple[str, str], tmp_path: Path) -> None:
        root, _ = self.written(
            pair,
            tmp_path,
            *("--fail-if", "median_pct > 0.5 and layer == 2", "--fail-if", "whole.tensors > 5"),
        )
        rows, whole = root.findall("testsuite")
        assert rows.attrib.items() >= {
            ("tests", "12"),
            ("failures", "3"),
            ("errors", "0"),
            ("skipped", "0"),
        }
        failed = [
            case.get("name") for case in rows.iter("testcase") if case.find("failure") is not None
        ]
        assert failed == [
            *("layers.2.input_layernorm", "layers.2.self_attn.q_proj", "layers.2.self_attn.o_proj")
        ]
        assert (whole.get("tests"), whole.get("failures")) == ("1", "1")

    def test_undecided_is_an_error_and_allowed_is_skipped(
        self, pair: tuple[str, str], tmp_path: Path
    ) -> None:
        root, markdown = self.written(pair, tmp_path, "--fail-if", "median_pct > 5")
        (suite,) = root.findall("testsuite")
        assert (suite.get("errors"), suite.get("failures"), suite.get("skipped")) == ("1", "0", "0")
        assert "| `layers.0.self_attn.q_proj` | undecided | it is only in target |" in markdown
        root, markdown = self.written(
            pair, tmp_path, "--fail-if", "median_pct > 5", "--allow", "only_in_target"
        )
        (suite,) = root.findall("testsuite")
        assert (suite.get("errors"), suite.get("failures"), suite.get("skipped")) == ("0", "0", "1")
        assert markdown.startswith("### modeldiff check passed, with what is allowed\n")

    def test_names_from_files_are_neither_markup_nor_commands(
        self, tmp_path: Path, capsys: Output
    ) -> None:
        name = "layer.\x1b[2J<b>|`@somebody`\n# heading.weight"
        values: faulty_pairs.Tensors = {name: np.ones((2, 2), np.float32)}
        pair = write(tmp_path / "a", values), write(tmp_path / "b", faulty_pairs.moved(values, 0.5))
        root, markdown = self.written(pair, tmp_path, "--fail-if", "median_pct > 5")
        (failure,) = root.iter("failure")
        assert r"\x1b[2J<b>" in failure.text
        (line,) = (line for line in markdown.splitlines() if "somebody" in line)
        assert line.count("`") == 4 and "\x1b" not in markdown
        assert line.replace("\\|", "").count("|") == 4
        main(["check", *pair, "--fail-if", "median_pct > 5"])
        assert "\x1b" not in capsys.readouterr().out
