"""``modeldiff list`` and ``open``, and the choice of tensors that are listed one by one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import modeldiff
from modeldiff.cli import main
from modeldiff.results import open_result
from modeldiff.results.store.result_parquet import encode_result
from tests.support.results import cache_at, write_model

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def results(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as folder:
        yield folder


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    base = write_model(tmp_path / "base", seed=1)
    return str(base), str(write_model(tmp_path / "target", seed=1, layers=4, change=0.1))


class TestOpen:
    def test_a_result_outlives_its_checkpoints(
        self, pair: tuple[str, str], tmp_path: Path, capsys: Output
    ) -> None:
        exported, report = tmp_path / "result.parquet", tmp_path / "report.html"
        main(["diff", *pair, "--output", str(exported)])
        told = capsys.readouterr().out
        for folder in pair:
            shutil.rmtree(folder)
        key = open_result("last").key
        for name in ("last", key, key[:6], str(exported)):
            assert main(["open", name]) == 0
            assert capsys.readouterr().out == told
        assert main(["open", "last", "--quiet", "--output", str(report)]) == 0
        html = report.read_text(encoding="utf-8")
        assert "The checkpoints were not opened" in html
        assert 'class="heatmap"' in html and "mlp.up_proj" in html

    @pytest.mark.parametrize(
        "name",
        [
            "last",
            "0123abcd",
            "result",
            "/no/such.parquet",
            "../x",
            "\x1b[2J",
            "0" * 64,
            "~nobody/x",
            "x" * 5000,
        ],
    )
    def test_what_is_not_there(self, name: str, capsys: Output) -> None:
        assert main(["open", name]) == 1
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ") and hint.startswith("hint: ")
        assert "\x1b" not in error


class TestHostileFiles:
    def damaged(self, tmp_path: Path, change: Any) -> str:
        result_path = tmp_path / "result.parquet"
        main(["diff", "demo:base", "demo:lora", "--quiet", "--output", str(result_path)])
        change(result_path)
        return str(result_path)

    def refused(self, path: str, capsys: Output) -> None:
        assert main(["open", path]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "can't be read as a result" in captured.err
        assert "Traceback" not in captured.err

    @pytest.mark.parametrize(
        "content", [b"", b"PAR1", b"no parquet", b"PAR1" + bytes(99) + b"PAR1"]
    )
    def test_no_parquet(self, content: bytes, tmp_path: Path, capsys: Output) -> None:
        path = tmp_path / "x.parquet"
        path.write_bytes(content)
        self.refused(str(path), capsys)

    def test_cut(self, tmp_path: Path, capsys: Output) -> None:
        def cut(path: Path) -> None:
            path.write_bytes(path.read_bytes()[:-100])

        self.refused(self.damaged(tmp_path, cut), capsys)

    def test_another_table(self, tmp_path: Path, capsys: Output) -> None:
        def replace(path: Path) -> None:
            table = pq.read_table(path)
            pq.write_table(table.select(["name", "layer"]), path)

        self.refused(self.damaged(tmp_path, replace), capsys)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("seconds", "many"), ("created", 5), ("options", []), ("version", None), ("extra", 1)],
    )
    def test_a_lying_header(self, field: str, value: Any, tmp_path: Path, capsys: Output) -> None:
        def lie(path: Path) -> None:
            table = pq.read_table(path)
            metadata = json.loads(table.schema.metadata[b"modeldiff"]) | {field: value}
            pq.write_table(
                table.replace_schema_metadata({b"modeldiff": json.dumps(metadata)}), path
            )

        self.refused(self.damaged(tmp_path, lie), capsys)

    def test_an_unknown_status(self, tmp_path: Path, capsys: Output) -> None:
        def lie(path: Path) -> None:
            table = pq.read_table(path)
            at = table.schema.get_field_index("status")
            lies = table.column("status").to_pylist()
            lies[0] = "\x1b[2Jequal"
            import pyarrow as pa

            pq.write_table(table.set_column(at, table.schema.field(at), pa.array(lies)), path)

        self.refused(self.damaged(tmp_path, lie), capsys)


class TestList:
    def test_names_that_can_be_opened(self, capsys: Output) -> None:
        main(["list", "--json"])
        shown = json.loads(capsys.readouterr().out)
        assert shown["results"] == []
        for entry in (*shown["demos"], shown["catalog"][0]):
            assert modeldiff.open(entry["reference"]).reference == entry["reference"]

    def test_for_people(self, pair: tuple[str, str], capsys: Output) -> None:
        main(["list", "results"])
        assert capsys.readouterr().out.splitlines()[-1] == "none"
        main(["diff", *pair, "--quiet"])
        main(["list"])
        shown = capsys.readouterr().out
        for words in ("catalog:llama-3-8b", "demo:lora", *pair, open_result("last").key[:12]):
            assert words in shown


def rows_of(arguments: list[str], capsys: Output) -> list[Any]:
    assert main([*arguments, "--json"]) == 0
    rows: list[Any] = json.loads(capsys.readouterr().out)["tensors"]
    return rows


class TestChosenTensors:
    def test_sorted_as_a_plain_sort_does(self, pair: tuple[str, str], capsys: Output) -> None:
        every = rows_of(["diff", *pair], capsys)
        known = [row for row in every if row["cosine"] is not None]
        ascending = sorted(known, key=lambda row: row["cosine"])
        unknown = [row for row in every if row["cosine"] is None]
        assert unknown
        shown = rows_of(["diff", *pair, "--sort", "cosine", "--reverse"], capsys)
        assert shown[: len(known)] == ascending
        assert {row["name"] for row in shown[len(known) :]} == {row["name"] for row in unknown}
        assert (
            rows_of(["diff", *pair, "--sort", "cosine", "--top", "2"], capsys) == ascending[:-3:-1]
        )
        names = [row["name"] for row in rows_of(["diff", *pair, "--sort", "name"], capsys)]
        assert names == sorted(names)

    def test_filtered(self, pair: tuple[str, str], capsys: Output) -> None:
        every = rows_of(["diff", *pair], capsys)
        middle = sorted(row["median_pct"] for row in every if row["median_pct"])[4]
        shown = rows_of(["diff", *pair, "--filter", f"median_pct > {middle!r}"], capsys)
        assert {row["name"] for row in shown} == {
            row["name"] for row in every if row["median_pct"] and row["median_pct"] > middle
        }
        shown = rows_of(["diff", *pair, "--only", "layers.1-3.*", "--only", "norm"], capsys)
        assert {row["name"] for row in shown} == {
            row["name"]
            for row in every
            if row["name"] == "model.norm.weight" or row["target_layer"] in (1, 2, 3)
        }

    def test_what_the_filter_cannot_answer_is_said(
        self, pair: tuple[str, str], capsys: Output
    ) -> None:
        main(["diff", *pair, "--filter", "median_pct > 0", "--top", "3"])
        shown = capsys.readouterr().out
        assert "Tensors: first 3 of 11 by median_pct" in shown
        assert "For 3 more the filter has no answer" in shown
        assert "\nMost changed\n" not in shown

    def test_the_column_of_the_order_is_shown(self, pair: tuple[str, str], capsys: Output) -> None:
        main(["diff", *pair, "--sort", "max_abs_delta", "--top", "1"])
        header, row = capsys.readouterr().out.partition("Tensors: ")[2].splitlines()[1:3]
        assert header.split()[-1] == "max_abs_delta"
        (largest,) = rows_of(["diff", *pair, "--sort", "max_abs_delta", "--top", "1"], capsys)
        assert float(row.split()[-1]) == pytest.approx(largest["max_abs_delta"], rel=1e-5)

    @pytest.mark.parametrize(
        "arguments", [["--sort", "medain_pct"], ["--top", "0"], ["--filter", "whole.tensors > 1"]]
    )
    def test_wrong_usage(self, arguments: list[str], pair: tuple[str, str], capsys: Output) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["diff", *pair, *arguments])
        assert caught.value.code == 2
        assert capsys.readouterr().out == ""

    def test_a_shard_lists_nothing(self, pair: tuple[str, str], capsys: Output) -> None:
        assert main(["diff", *pair, "--shard", "1/2", "--top", "3"]) == 1


def test_the_table_of_a_result_is_not_touched_by_a_look(
    pair: tuple[str, str], results: Path
) -> None:
    main(["diff", *pair, "--quiet"])
    (path,) = results.glob("*.parquet")
    before = path.read_bytes()
    main(["open", "last", "--quiet", "--top", "3"])
    assert path.read_bytes() == before
    assert encode_result(open_result(str(path))) == before
