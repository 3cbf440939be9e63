"""Opening and understanding grow with the number of names, whatever these are, and no faster.

Counted are calls, of Python's functions and of C's, not seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from cProfile import Profile
from pathlib import Path

import pytest

from benchmarks.names import NAMES, write_names
from modeldiff.architectures.listing.layer_table import layer_table
from modeldiff.architectures.naming import detection
from modeldiff.comparison import Comparison
from modeldiff.drawings.diagram.size_limit import why_not_drawn

FEW, MANY = 1_000, 2_000


def calls(act: Callable[[], object]) -> int:
    """How many calls ``act`` makes, in this thread and in those that it starts."""
    profiles: list[Profile] = []

    def begin(*_: object) -> None:
        profiles.append(Profile())
        profiles[-1].enable()

    threading.setprofile(begin)
    begin()
    try:
        act()
    finally:
        profiles[0].disable()
        threading.setprofile(None)
    return sum(entry.callcount for profile in profiles for entry in profile.getstats())


def ask_for_everything(folder: Path) -> None:
    comparison = Comparison.open(str(folder), str(folder))
    architectures = comparison.base.architecture, comparison.target.architecture
    assert comparison.pairs
    table = layer_table(*architectures)
    for group in (*table.folded(), *table.last(), *table.at(0)):
        table.alike(group)
    why_not_drawn(*architectures)
    assert sum(1 for _ in architectures[0].nodes())


@pytest.mark.parametrize("kind", NAMES)
def test_twice_the_names_are_twice_the_work(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Looking some hundred names up in all families costs the same whatever else there is: without
    # that, what grows is not hidden behind it.
    monkeypatch.setattr(detection, "_MOST_KINDS", 10)
    few, many = (write_names(tmp_path / str(n), NAMES[kind](n)) for n in (FEW, MANY))
    # The first opening imports what all need.
    ask_for_everything(write_names(tmp_path / "first", ("layers.0.w",)))
    once = calls(lambda: ask_for_everything(few))
    assert calls(lambda: ask_for_everything(many)) < 2.4 * once
