"""What is kept, and what somebody brings, made to mislead: sealed as it should be, and nested so
deeply that whoever reads it runs out of stack."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeldiff.errors import ResultError
from modeldiff.files.sealed_parquet import seal
from modeldiff.results import list_results, load_result
from modeldiff.results.housekeeping.verifying import verify_cache
from modeldiff.results.store.untrusted import read_result
from tests.support.results import a_change, a_result, cache_at

DEEP = b"[" * 200_000
RESULT = a_result(a_change(1.0, layer=0))


def _nested(where: str) -> bytes:
    table = RESULT.changes.to_arrow()
    if where == "header":
        table = table.replace_schema_metadata({b"modeldiff": DEEP})
    else:
        table = table.replace_schema_metadata({b"modeldiff": _header()})
        place = table.column_names.index("relation")
        table = table.set_column(place, "relation", pa.array([DEEP.decode()]))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return seal(sink.getvalue().to_pybytes())


def _header() -> bytes:
    from modeldiff.results.store.result_parquet import encode_result

    content = pa.BufferReader(encode_result(RESULT))
    header: bytes = pq.read_schema(content).metadata[b"modeldiff"]
    return header


@pytest.mark.parametrize("where", ["header", "relation"])
def test_a_result_that_is_nested_too_deeply_is_none(where: str, tmp_path: Path) -> None:
    content = _nested(where)
    with pytest.raises(ResultError):
        read_result(content, "given.parquet")
    with cache_at(tmp_path / "cache") as results:
        results.mkdir(parents=True)
        path = results / f"{RESULT.key}.parquet"
        path.write_bytes(content)
        list_results()
        _, faults = verify_cache()
        assert [fault.entry.path for fault in faults] == [path]
        assert load_result(RESULT.key) is None and not path.exists()


def test_a_kept_config_that_is_nested_too_deeply_is_a_fault(tmp_path: Path) -> None:
    with cache_at(tmp_path / "cache"):
        path = tmp_path / "cache" / "configs" / "x.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(DEEP)
        _, faults = verify_cache()
        assert [fault.entry.path for fault in faults] == [path]
