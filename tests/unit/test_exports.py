"""Results for others: every type of file says the same numbers, and where they come from."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modeldiff.architectures import Place
from modeldiff.changes import STATISTIC_NAMES, Change, ChangeTable, Pair
from modeldiff.checkpoints import TensorInfo
from modeldiff.errors import InvalidOption, ResultError
from modeldiff.results import (
    require_writable,
    result_document,
    write_result,
)
from modeldiff.results.store.result_parquet import decode_result
from tests.support.results import a_change, a_result


def only_in_target(name: str) -> Change:
    tensor = TensorInfo(name, "BF16", (2, 3), "f", 0, 12)
    return Change(Pair(Place(None, name, expert=1), "only_in_target", None, tensor))


RESULT = a_result(a_change(1 / 3), a_change(math.inf, layer=None), only_in_target("=cmd()"))


def strict(text: str) -> Any:
    """JSON without the names that JSON does not have."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


class TestDocument:
    def test_rows(self) -> None:
        document = strict(json.dumps(result_document(RESULT), allow_nan=False))
        finite, infinite, unpaired = document["tensors"]
        assert finite["name"] == finite["target_name"] == "model.layers.0.mlp.up_proj.weight"
        assert finite["status"] == "compared"
        assert (finite["layer"], finite["component"]) == (0, "mlp.up_proj")
        assert (finite["parameter"], finite["expert"]) == ("weight", None)
        assert finite["base_shape"] == finite["target_shape"] == [8]
        assert finite["base_dtype"] == finite["target_dtype"] == "F32"
        assert finite["elements"] == 8
        assert finite["median_pct"] == 1 / 3
        assert finite["cosine"] is None
        assert infinite["median_pct"] == "inf"
        assert (unpaired["name"], unpaired["target_name"]) == ("=cmd()", "=cmd()")
        assert (unpaired["base_shape"], unpaired["target_shape"]) == (None, [2, 3])
        assert (unpaired["base_dtype"], unpaired["target_dtype"]) == (None, "BF16")
        assert unpaired["elements"] == 6
        assert {unpaired[name] for name in STATISTIC_NAMES} == {None}

    def test_head(self) -> None:
        document = result_document(RESULT)
        assert document["schema"] == RESULT.header.schema
        assert document["base"] == {"reference": "/models/base", "fingerprint": "local:base"}
        assert document["target"] == {"reference": "/models/target", "fingerprint": "local:target"}
        assert document["options"] == {}
        assert document["version"] == "1.2.3"
        summary = document["summary"]
        assert summary["statuses"] == {"compared": 2, "only_in_target": 1}
        assert summary["elements"] == 16
        assert set(summary["statistics"]) == set(STATISTIC_NAMES)
        assert summary["most_changed"][0]["median_pct"] == "inf"


class TestTable:
    def test_columns_and_types(self) -> None:
        frame = RESULT.changes.to_pandas()
        assert list(frame["name"]) == [row["name"] for row in result_document(RESULT)["tensors"]]
        assert frame["median_pct"].dtype == "float64"
        assert frame["median_pct"].tolist()[:2] == [1 / 3, math.inf]
        assert frame["median_pct"].isna().tolist() == [False, False, True]
        assert frame["layer"].isna().tolist() == [False, True, True]
        assert frame["layer"][0] == 0
        assert frame["elements"].tolist() == [8, 8, 6]

    def test_of_nothing(self) -> None:
        assert set(STATISTIC_NAMES) < set(a_result().changes.to_pandas().columns)


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_every_file_says_where_it_comes_from(kind: str, tmp_path: Path) -> None:
    header = replace(RESULT.header, options={"overlap": True})
    write_result(replace(RESULT, header=header), tmp_path / f"out.{kind}")
    content = (tmp_path / f"out.{kind}").read_bytes()
    for text in ("/models/base", "local:base", "/models/target", "local:target", "1.2.3"):
        assert text.encode() in content
    assert b"overlap" in content


class TestFiles:
    def test_parquet_is_the_result(self, tmp_path: Path) -> None:
        write_result(RESULT, tmp_path / "out.parquet")
        assert decode_result((tmp_path / "out.parquet").read_bytes()) == RESULT

    def test_json_is_the_document(self, tmp_path: Path) -> None:
        write_result(RESULT, tmp_path / "out.JSON")
        assert strict((tmp_path / "out.JSON").read_text()) == result_document(RESULT)

    def test_csv_has_the_same_rows_and_says_where_they_come_from(self, tmp_path: Path) -> None:
        write_result(RESULT, tmp_path / "out.csv")
        with (tmp_path / "out.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert float(rows[0]["median_pct"]) == 1 / 3
        assert rows[1]["median_pct"] == "inf"
        assert rows[2]["median_pct"] == ""
        assert rows[0]["layer"] == "0"
        assert rows[1]["layer"] == ""
        assert json.loads(rows[2]["target_shape"]) == [2, 3]
        assert rows[2]["base_shape"] == ""
        for row in rows:
            assert row["base_reference"] == "/models/base"
            assert row["target_fingerprint"] == "local:target"
            assert (row["options"], row["version"], row["device"]) == ("{}", "1.2.3", "cpu")

    def test_a_name_in_csv_is_never_a_formula(self, tmp_path: Path) -> None:
        names = ["=cmd()", "+1", "-1", "@SUM(A1)", "\tx", "fine"]
        write_result(a_result(*map(only_in_target, names)), tmp_path / "out.csv")
        with (tmp_path / "out.csv").open(newline="") as file:
            assert [row["name"] for row in csv.DictReader(file)] == [
                *(f"'{name}" for name in names[:-1]),
                "fine",
            ]

    def test_replaces_what_is_there_and_leaves_nothing_else(self, tmp_path: Path) -> None:
        path = tmp_path / "out.json"
        path.write_text("old")
        require_writable(path)
        assert path.read_text() == "old"
        write_result(RESULT, path)
        other = replace(RESULT, changes=ChangeTable())
        write_result(other, path)
        assert strict(path.read_text())["tensors"] == []
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("out.xlsx", InvalidOption),
        ("out", InvalidOption),
        ("missing/out.csv", ResultError),
        ("file/out.csv", ResultError),
        ("folder.csv", ResultError),
    ],
)
def test_paths_that_are_refused(
    name: str, error: type[InvalidOption | ResultError], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(error, match=name) as early:
        require_writable(tmp_path / name)
    with pytest.raises(error, match=name) as late:
        write_result(RESULT, tmp_path / name)
    assert early.value.hint and late.value.hint
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder.csv"}
