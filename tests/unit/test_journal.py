"""The journal: what was measured comes back, whatever happened to its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.changes import Pair, Statistics
from modeldiff.errors import ResultError
from modeldiff.results.store.journal import Entry, Journal, JournalTail, read_journal
from tests.support.results import PAIRS, STATISTICS, a_change
from tests.support.same_statistics import bits

KEY = "k" * 64


def write(path: Path, layers: int, key: str = KEY) -> None:
    """A journal of ``layers`` entries."""
    with Journal(path, key) as journal:
        for layer in range(layers):
            change = a_change(float(layer), layer=layer)
            assert change.statistics is not None
            journal.append(change.pair, Entry(change.statistics, "cpu", 0.5))


def medians(path: Path, key: str = KEY) -> list[float | None]:
    with Journal(path, key) as journal:
        measured = [entry.statistics for entry in journal.entries.values()]
        return [statistics.median_pct for statistics in measured if statistics]


@given(rows=st.lists(st.tuples(PAIRS, STATISTICS), max_size=4, unique_by=lambda row: row[0].id))
def test_every_value_comes_back(
    rows: list[tuple[Pair, Statistics]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journals") / "journal"
    with Journal(path, KEY) as journal:
        for pair, statistics in rows:
            journal.append(pair, Entry(statistics, "cuda:0", 0.1))
    with Journal(path, KEY) as journal:
        assert journal.entries == {p.id: Entry(s, "cuda:0", 0.1) for p, s in rows}
        for pair, statistics in rows:
            read = journal.entries[pair.id].statistics
            assert read is not None and bits(read) == bits(statistics)


def test_each_line_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    change = a_change()
    assert change.statistics is not None
    with Journal(path, KEY) as journal:
        journal.append(change.pair, Entry(change.statistics, "cpu", 0.1))
        assert len(path.read_bytes().splitlines()) == 2


def test_a_line_torn_anywhere_is_left_out_and_the_next_one_is_whole(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write(whole, 3)
    content = whole.read_bytes()
    start_of_last = content[:-1].rindex(b"\n") + 1
    for length in range(start_of_last, len(content)):
        path = tmp_path / "torn"
        path.write_bytes(content[:length])
        assert medians(path) == [0.0, 1.0]
        assert path.read_bytes() == content[:start_of_last]
    path.write_bytes(content[:-5])
    with Journal(path, KEY) as journal:
        change = a_change(9.0, layer=9)
        assert change.statistics is not None
        journal.append(change.pair, Entry(change.statistics, "cpu", 0.5))
    assert medians(path) == [0.0, 1.0, 9.0]


@pytest.mark.parametrize(
    "line", [b"\0" * 40 + b"\n", b"{}\n", b"[1]\n", b'{"pair": [1], "statistics": {}}\n']
)
def test_it_ends_at_a_line_that_makes_no_sense(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, 2)
    with path.open("ab") as file:
        file.write(line)
    content = path.read_bytes()
    write(tmp_path / "other", 1)
    path.write_bytes(content + (tmp_path / "other").read_bytes().splitlines(True)[1])
    assert medians(path) == [0.0, 1.0]


def test_a_changed_byte_is_seen_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, 3)
    whole = path.read_bytes()
    first, second, third = (medians(path)[:count] for count in (1, 2, 3))
    ends = [len(b"".join(whole.splitlines(True)[:count])) for count in (2, 3, 4)]
    for at in range(len(whole.splitlines(True)[0]), len(whole)):
        # A digit for a digit is JSON as before, and another number.
        other = b"7" if whole[at : at + 1] != b"7" else b"8"
        path.write_bytes(whole[:at] + other + whole[at + 1 :])
        kept = [
            values for values, end in zip((first, second, third), ends, strict=True) if end > at
        ]
        assert medians(path) == kept[0][:-1]


def test_the_journal_of_another_question_or_version_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    write(path, 2)
    assert medians(path, "o" * 64) == []
    write(path, 2)
    assert medians(path) == [0.0, 1.0]
    monkeypatch.setattr("modeldiff.results.store.journal.__version__", "99")
    assert medians(path) == []


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\0", b"x" * 100])
def test_what_is_no_journal_becomes_one(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    assert medians(path) == []
    write(path, 1)
    assert medians(path) == [0.0]


@pytest.mark.parametrize("own", [b"", b"not for others\n"])
def test_a_link_in_its_place_is_neither_followed_nor_written_to(own: bytes, tmp_path: Path) -> None:
    theirs, path = tmp_path / "theirs", tmp_path / "journal"
    theirs.write_bytes(own)
    path.symlink_to(theirs)
    with pytest.raises(ResultError, match="something else in place of a file"):
        Journal(path, KEY)
    assert theirs.read_bytes() == own
    theirs.unlink()
    with pytest.raises(ResultError, match="something else in place of a file"):
        Journal(path, KEY)
    assert not theirs.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "journal")
    with pytest.raises(ResultError, match="something else in place of a file"):
        Journal(tmp_path / "journal", KEY)
    assert JournalTail(tmp_path / "journal", KEY).read() == {}
    assert read_journal(tmp_path / "journal", KEY) == {}


def test_removed(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", KEY) as journal:
        journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_where_none_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    with pytest.raises(ResultError, match="journal"):
        Journal(tmp_path / "journal", KEY)
