"""Results on disk: nothing is lost, and what is damaged counts as absent."""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.changes import Change
from modeldiff.comparison import comparison_key
from modeldiff.errors import ResultError
from modeldiff.results import Result, list_results, load_result
from modeldiff.results.store.result_files import save_result
from modeldiff.results.store.result_parquet import decode_result, encode_result
from tests.support.results import CHANGES, a_change, a_result, cache_at
from tests.support.same_statistics import bits

MEDIAN = 1.2345678901


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as folder:
        yield folder


class TestRoundTrip:
    @given(st.lists(CHANGES, max_size=5))
    def test_every_value_comes_back(self, changes: list[Change]) -> None:
        result = a_result(*changes)
        back = decode_result(encode_result(result))
        assert back == result
        for before, after in zip(changes, back.changes, strict=True):
            if before.statistics is not None and after.statistics is not None:
                assert bits(before.statistics) == bits(after.statistics)

    def test_types_come_back(self) -> None:
        back = decode_result(encode_result(a_result(a_change(float("inf"))))).changes[0]
        assert back.statistics is not None and back.statistics.histogram is not None
        assert back.statistics.median_pct == float("inf")
        assert back.statistics.histogram.buckets.dtype == np.uint16
        assert back.statistics.histogram.counts.dtype == np.int64
        assert type(back.pair.place.layer) is int
        assert type(back.pair.base and back.pair.base.shape) is tuple

    def test_through_the_folder(self, results: Path) -> None:
        result = a_result(a_change(), a_change(None, layer=None))
        save_result(result)
        assert load_result(result.key) == result
        assert [path.name for path in results.iterdir()] == [f"{result.key}.parquet"]

    def test_saving_again_replaces(self, results: Path) -> None:
        save_result(a_result(a_change(1.0)))
        save_result(a_result(a_change(2.0)))
        assert load_result(a_result().key) == a_result(a_change(2.0))


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def bit_flipped(content: bytes) -> bytes:
    """Wrong in a value, which only a checksum tells."""
    value = struct.pack("<d", MEDIAN)
    return content.replace(value, bytes([value[0] ^ 1]) + value[1:])


def with_header(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        table = pq.read_table(pa.BufferReader(content))
        header = json.loads(table.schema.metadata[b"modeldiff"])
        change(header)
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata({"modeldiff": json.dumps(header)}), sink)
        return bytes(sink.getvalue().to_pybytes())

    return damage


def foreign(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"name": ["somebody else's"]}), sink)
    return bytes(sink.getvalue().to_pybytes())


def other_columns(content: bytes) -> bytes:
    table = pq.read_table(pa.BufferReader(content)).drop_columns(["median_pct"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


class TestDamage:
    @pytest.mark.parametrize(
        "damage",
        [
            truncated,
            bit_flipped,
            foreign,
            other_columns,
            lambda content: b"",
            lambda content: b"not Parquet at all",
            lambda content: content[:-1],
            with_header(lambda header: header.update(schema=header["schema"] + 1)),
            with_header(lambda header: header.update(base_fingerprint="local:other")),
            with_header(lambda header: header.pop("device")),
            with_header(lambda header: header.update(surprise=1)),
        ],
    )
    def test_counts_as_absent_and_is_set_aside(
        self,
        damage: Callable[[bytes], bytes],
        results: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        result = a_result(a_change(MEDIAN))
        save_result(result)
        path = results / f"{result.key}.parquet"
        path.write_bytes(damage(path.read_bytes()))
        with caplog.at_level(logging.WARNING):
            assert load_result(result.key) is None
        assert str(path) in caplog.text
        assert [each.suffix for each in results.iterdir()] == [".bad"]
        save_result(result)
        assert load_result(result.key) == result

    def test_under_another_key(self, results: Path) -> None:
        result = a_result(a_change())
        save_result(result)
        other = "0" * 64
        (results / f"{result.key}.parquet").rename(results / f"{other}.parquet")
        assert load_result(other) is None

    def test_what_cannot_be_read_stays_where_it_is(self, results: Path) -> None:
        key = a_result().key
        (results / f"{key}.parquet").mkdir(parents=True)
        assert load_result(key) is None
        assert (results / f"{key}.parquet").is_dir()

    @pytest.mark.parametrize("key", ["", "../" * 8 + "etc/passwd", "A" * 64, "0" * 63])
    def test_what_is_no_key_has_no_result(self, key: str, results: Path) -> None:
        assert load_result(key) is None


class TestFolder:
    def test_that_cannot_be_written_to(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with (
            cache_at(tmp_path / "file"),
            pytest.raises(ResultError, match=str(tmp_path)) as caught,
        ):
            save_result(a_result())
        assert "MODELDIFF_CACHE" in caught.value.hint
        assert "--no-cache" in caught.value.hint

    def test_a_failed_save_leaves_nothing(self, results: Path) -> None:
        result = a_result(a_change())
        (results / f"{result.key}.parquet").mkdir(parents=True)
        with pytest.raises(ResultError):
            save_result(result)
        assert len(list(results.iterdir())) == 1

    def test_lists_newest_first_and_skips_what_is_damaged(self, results: Path) -> None:
        assert list_results() == ()
        stored = [
            a_result(base="older", created="2026-01-01T00:00:00+00:00"),
            a_result(base="newer", created="2026-02-01T00:00:00+00:00"),
        ]
        for result in stored:
            save_result(result)
        (results / f"{'0' * 64}.parquet").write_bytes(b"no")
        assert list_results() == (stored[1].header, stored[0].header)
        assert list_results()[0].key == stored[1].key

    def test_all_of_another_version_are_one_warning(
        self, results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        for base in ("one", "two", "three"):
            save_result(a_result(base=base))
        monkeypatch.setattr("modeldiff.results.store.result_parquet.SCHEMA", 999)
        assert list_results() == ()
        (record,) = caplog.records
        assert record.getMessage().endswith("left out: 3")


class TestKey:
    def test_is_the_question(self) -> None:
        def key(base: str, target: str, **options: object) -> str:
            return comparison_key(base, target, options)

        keys = [key("a", "b"), key("b", "a"), key("a", "c"), key("a", "b", overlap=True)]
        assert len(set(keys)) == len(keys)
        assert key("a", "b", x=1, y=2) == key("a", "b", y=2, x=1)
        assert all(len(each) == 64 for each in keys)


def test_a_result_says_which_key_it_has() -> None:
    result = a_result()
    assert isinstance(result, Result)
    assert result.key == result.header.key
