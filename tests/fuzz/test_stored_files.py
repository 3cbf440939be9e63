"""What is kept between runs: a bent file gives what was stored, or counts as not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.architectures import Place
from modeldiff.changes import Progress
from modeldiff.errors import ResultError
from modeldiff.files.sealed_file import read_sealed, write_sealed
from modeldiff.files.sealed_parquet import seal
from modeldiff.results import DrillDown, list_results, load_result
from modeldiff.results.drilldowns.registry import drill_down_kind
from modeldiff.results.jobs.job import QueuePlace
from modeldiff.results.jobs.queue_folder import (
    QueuedRequest,
    QueuedStatus,
    read_requests,
    read_status,
    write_status,
)
from modeldiff.results.result import is_key
from modeldiff.results.store.asked import asked_by, note_asked
from modeldiff.results.store.drilldown_files import read_drill_down, write_drill_down
from modeldiff.results.store.journal import Entry, Journal, journal_fault, read_journal
from modeldiff.results.store.result_files import save_result
from modeldiff.results.store.result_parquet import encode_result
from modeldiff.results.store.untrusted import read_result
from tests.fuzz.bending import bent_bytes, bent_json
from tests.support.results import a_change, a_result, cache_at

FUZZ = settings.get_profile("fuzz")
KEY = "0" * 64
ROWS = [a_change(float(layer), layer=layer) for layer in range(4)]
STRANGE_COLUMNS = ([1, 2, 3, 4], ["", "\x1b", "x" * 999, None], [None] * 4, [[1], [], None, [2]])
KINDS = ("units", "rows", "image", "spectrum", "weights")


def entries(path: Path) -> list[tuple[Any, Entry]]:
    with Journal(path, KEY) as journal:
        return list(journal.entries.items())


@FUZZ
@given(st.data())
def test_journals(tmp_path: Path, data: st.DataObject) -> None:
    """The rows before the first line that is not what was written, and none other."""
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    with Journal(path, KEY) as journal:
        for row in ROWS:
            assert row.statistics is not None
            journal.append(row.pair, Entry(row.statistics, "cpu", 0.5))
    whole = entries(path)
    assert len(whole) == len(ROWS)
    path.write_bytes(data.draw(bent_bytes(path.read_bytes())))
    read = list(read_journal(path, KEY).items())
    assert read == whole[: len(read)]
    journal_fault(path, KEY)
    assert entries(path) == read
    with Journal(path, KEY) as journal:  # and what comes after it is kept
        row = a_change(9.0, layer=9)
        assert row.statistics is not None
        journal.append(row.pair, Entry(row.statistics, "cpu", 0.5))
    assert len(entries(path)) == len(read) + 1


@FUZZ
@given(st.data())
def test_results(tmp_path: Path, data: st.DataObject) -> None:
    result = a_result(*ROWS)
    with cache_at(tmp_path / "cache") as results:
        save_result(result)
        path = results / f"{result.key}.parquet"
        path.write_bytes(data.draw(bent_bytes(path.read_bytes())))
        list_results()
        assert load_result(result.key) in (None, result)


@FUZZ
@given(st.data())
def test_results_of_others_that_are_sealed(data: st.DataObject) -> None:
    """The seal is against accidents; what somebody brings may be sealed and lie in its header, in
    its columns, in the bytes of the file."""
    table = a_result(*ROWS).changes.to_arrow()
    header = vars(a_result(*ROWS).header)
    lying = data.draw(bent_json(header))
    columns = data.draw(st.lists(st.sampled_from(table.column_names), max_size=2, unique=True))
    for name in columns:
        place = table.column_names.index(name)
        values = data.draw(
            st.sampled_from(([1, 2, 3, 4], ["", "\x1b", "x" * 999, None], [None] * 4))
        )
        table = table.set_column(place, name, pa.array(values))
    if data.draw(st.booleans()):
        table = table.drop_columns(data.draw(st.sampled_from(table.column_names)))
    content = _parquet(table.replace_schema_metadata({b"modeldiff": lying}))
    _is_read_or_refused(seal(content))


@FUZZ
@given(st.data())
def test_results_of_others_with_bent_bytes(data: st.DataObject) -> None:
    _is_read_or_refused(data.draw(bent_bytes(encode_result(a_result(*ROWS)))))


def _is_read_or_refused(content: bytes) -> None:
    try:
        read_result(content, "given.parquet")
    except ResultError as error:
        assert error.hint
        assert "\n" not in error.message


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("kind", KINDS)
@FUZZ
@given(st.data())
def test_drill_downs(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    """Also a whole file whose content is of something else."""
    request = DrillDown(Place(0, "mlp.up_proj"), kind)
    about = {"rows": 4, "columns": 4, "shape": [4, 4], "values": [0.5, 1.0], "more": None}
    table = pa.table({"values": [0.1, 0.2], "at": [1, 2], "text": ["", "x"]})
    with cache_at(tmp_path / "cache") as results:
        write_drill_down(KEY, request, table, json.loads(data.draw(bent_json(about))))
        read_drill_down(KEY, request, drill_down_kind(kind).decode)
        (path,) = results.rglob("*.parquet")
        path.write_bytes(data.draw(bent_bytes(path.read_bytes())))
        read_drill_down(KEY, request, drill_down_kind(kind).decode)


def test_the_fuzzed_drill_downs_are_all_there_are() -> None:
    from modeldiff.results.drilldowns import registry

    assert tuple(registry._kinds) == KINDS


REQUEST = {
    "base": "demo:base",
    "target": "demo:lora",
    "layers": "auto",
    "device": "cpu",
    "user": "ada@example.org",
    "name": "Ada",
    "drill_down": {
        "layer": 0,
        "component": "mlp",
        "parameter": "weight",
        "expert": None,
        "tower": "",
        "kind": "rows",
    },
}
STATUS = QueuedStatus(
    "measuring",
    Progress("measuring", 5, 9, 1, 2, 0, "a.weight"),
    3.0,
    KEY,
    ResultError("No.", hint="Try."),
    QueuePlace(2, "a → b", "ada", 7.0),
)


@FUZZ
@given(st.data())
def test_what_the_apps_processes_ask_a_worker(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / f"{'0' * 32}.json"
    path.write_bytes(data.draw(bent_json(REQUEST) | bent_bytes(json.dumps(REQUEST).encode())))
    (request,) = read_requests(tmp_path).values()
    assert isinstance(request, QueuedRequest | ResultError)


@FUZZ
@given(st.data())
def test_what_a_worker_answers(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "x.status"
    write_status(tmp_path, "x", STATUS)
    whole = path.read_bytes()
    path.write_bytes(data.draw(bent_json(json.loads(whole)) | bent_bytes(whole)))
    status = read_status(tmp_path, "x")
    if status is not None:
        write_status(tmp_path, "x", status)  # what is understood can be told
        assert read_status(tmp_path, "x") == status or status.error is not None
        assert 0 <= status.elapsed < 1e12
        assert status.progress is None or min(status.progress.bytes_done, 0) == 0


@FUZZ
@given(st.data())
def test_what_is_kept_of_the_hub_and_of_who_asked(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "kept"
    write_sealed(path, b"a header")
    path.write_bytes(data.draw(bent_bytes(path.read_bytes())))
    assert read_sealed(path) in (None, b"a header")
    with cache_at(tmp_path / "cache"):
        note_asked("ada", KEY)
        (asked,) = (tmp_path / "cache" / "asked").iterdir()
        bent = bent_json([KEY, "1" * 64]) | bent_bytes(asked.read_bytes())
        asked.write_bytes(data.draw(bent))
        assert all(is_key(key) for key in asked_by("ada"))
        asked.unlink()
