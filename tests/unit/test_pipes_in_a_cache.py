"""Where a group shares the cache, one of it can put a pipe where a file is about to be read: who
opens it for reading would wait for a writer, and all pages with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modeldiff.checkpoints.given_configs import keep_given_config
from modeldiff.files.plain_file import read_plain
from modeldiff.results import list_results, load_result
from modeldiff.results.housekeeping.verifying import verify_cache
from modeldiff.results.store import drilldown_files
from modeldiff.results.store.asked import _path as asked_path
from modeldiff.results.store.asked import asked_by, note_asked
from modeldiff.results.store.given_files import load_given_result
from modeldiff.results.store.result_files import save_result
from tests.support.results import a_change, a_result, cache_at

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are POSIX's")
RESULT = a_result(a_change(1.0))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache"):
        yield tmp_path / "cache"


def _pipe(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def test_in_place_of_a_result_it_is_none_and_makes_room(cache: Path) -> None:
    path = _pipe(cache / "results" / f"{RESULT.key}.parquet")
    assert list_results() == () and load_result(RESULT.key) is None
    assert verify_cache() == (0, ())
    save_result(RESULT)
    assert path.is_file() and load_result(RESULT.key) is not None


def test_in_place_of_anything_else(cache: Path) -> None:
    assert drilldown_files._kept(_pipe(cache / "results" / "details" / "x.parquet")) is None
    _pipe(cache / "given" / f"{RESULT.key}.parquet")
    assert load_given_result(RESULT.key) is None
    note_asked("ada", RESULT.key)
    _pipe(asked_path("ada"))
    assert asked_by("ada") == ()
    note_asked("ada", RESULT.key)
    assert asked_by("ada") == (RESULT.key,)
    content = b'{"model_type": "gpt2"}'
    keep_given_config(content, "x.json")
    (kept,) = (cache / "configs").glob("*/*.json")
    _pipe(kept)
    keep_given_config(content, "x.json")
    assert kept.read_bytes() == content


def test_a_file_without_end_does_not_fill_the_memory(cache: Path) -> None:
    path = cache / "sparse"
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(OSError, match="too large"):
        read_plain(path)
