"""Every JSON document has a published schema, and is what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modeldiff.cli import main
from modeldiff.cli.schemas.published import DOCUMENTS, document_id
from modeldiff.results.export.documents import DIFF_DOCUMENT
from modeldiff.results.fleet.files import FLEET_DOCUMENT
from tests.support.faulty_pairs import faulty, write
from tests.support.results import cache_at
from tests.support.schemas import require_valid

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def results(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as folder:
        yield folder


COMMANDS: list[tuple[str, list[str]]] = [
    ("inspect", ["inspect", "{base}"]),
    ("inspect", ["inspect", "catalog:gemma-3-4b"]),
    ("compare", ["compare", "{base}", "{target}"]),
    ("compare", ["compare", "catalog:llama-3-8b", "catalog:qwen3-30b-a3b"]),
    ("compare", ["compare", "demo:base", "demo:continued"]),
    ("diff", ["diff", "{base}", "{target}"]),
    ("diff", ["diff", "{base}", "{target}", "--filter", "median_pct > 0", "--top", "2"]),
    ("diff", ["demo"]),
    ("shard", ["diff", "{base}", "{target}", "--shard", "1/2"]),
    ("check", ["check", "{base}", "{target}", "--fail-if", "median_pct / 0 > 5"]),
    ("check", ["check", "{base}", "{base}", "--fail-if", "whole.unchanged_pct < 100"]),
    ("fleet", ["fleet", "{base}", "{target}", "./nowhere"]),
    ("list", ["list"]),
    ("list", ["list", "demos"]),
]


@pytest.mark.parametrize("fault", ["not_finite", "different_shape", "only_in_target", "no_value"])
@pytest.mark.parametrize(("name", "arguments"), COMMANDS)
def test_what_is_printed_is_what_the_schema_says(
    name: str, arguments: list[str], fault: str, tmp_path: Path, capsys: Output
) -> None:
    if fault != "not_finite" and not any("{" in each for each in arguments):
        pytest.skip("the same for all pairs")
    base, target = faulty(fault)
    pair = {"base": write(tmp_path / "base", base), "target": write(tmp_path / "target", target)}
    main([*(each.format(**pair) for each in arguments), "--json"])
    require_valid(json.loads(capsys.readouterr().out), name)


def test_kept_results_are_listed_and_opened(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "result.json"
    main(["diff", "demo:base", "demo:lora", "--quiet", "--output", str(path)])
    require_valid(json.loads(path.read_text(encoding="utf-8")), "diff")
    main(["list", "--json"])
    listed = json.loads(capsys.readouterr().out)
    require_valid(listed, "list")
    (kept,) = listed["results"]
    assert (kept["base"]["reference"], kept["target"]["reference"]) == ("demo:base", "demo:lora")
    assert main(["open", kept["key"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(path.read_text(encoding="utf-8"))


def test_schemas_are_printed_and_listed(capsys: Output) -> None:
    main(["schema"])
    shown = capsys.readouterr().out
    for name in DOCUMENTS:
        assert document_id(name) in shown
        main(["schema", name])
        schema = json.loads(capsys.readouterr().out)
        assert schema["properties"]["document"] == {"const": document_id(name)}
    assert main(["schema", "chekc"]) == 1
    assert "'check'" in capsys.readouterr().err


def test_one_name_for_the_diff_on_both_floors() -> None:
    assert document_id("diff") == DIFF_DOCUMENT
    assert document_id("fleet") == FLEET_DOCUMENT
