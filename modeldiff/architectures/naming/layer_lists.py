"""Where a name counts its layers: the lists that modules stand in, told from other numbers.

A number in a name is a layer where it counts a list of modules: the list is called so (``layers``,
``blocks``), or several of its members hold modules of the same names. The numbers of a small
module's steps (``merger.mlp.0``, ``classifier.2``) are none, nor are those of experts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from modeldiff.architectures.families.family import index_of

LIST_WORDS = frozenset({"layers", "layer", "blocks", "block", "blk", "h", "resblocks"})
"""What lists of layers are called, alone or as a word of a longer name (``albert_layers``)."""

MOST_SEGMENTS = 32
"""Only so many segments of a name are looked at for lists: real names have a dozen, hostile ones
may have thousands, and what is before each number is remembered."""

_MOST_NUMBERS = 4
"""Numbers of a name that may count a list: a layer, an expert, a part of it and one to spare."""
_MOST_COMPARED = 8
"""Segments by which members of a list are told to be alike."""

INDEX = r"\.(0|[1-9][0-9]{0,3})(?=\.)"
"""A regular expression for a segment inside a name that ``index_of`` knows."""

_NUMBER = re.compile(INDEX)
"""Names are not cut at their dots for it: most have no number, or one."""


NOT_LAYERED = -1
"""Where the number of a layer begins in a name that stands in none."""


# Made-up names have as many words as they like, models a few dozen.
@lru_cache(maxsize=4096)
def is_list_word(segment: str) -> bool:
    """Whether a segment says that a list of layers follows.

    >>> is_list_word("layers"), is_list_word("albert_layer_groups"), is_list_word("layer_norm")
    (True, True, False)
    """
    words = segment.split("_")
    return not LIST_WORDS.isdisjoint(words) and "norm" not in words


def layer_starts(names: Sequence[str]) -> list[int]:
    """For each of these names where its layer's number begins, at the dot before it;
    ``NOT_LAYERED`` where it stands in no layer of the lists that the names show to be there.

    >>> layer_starts(["layers.3.w", "norm.w"])
    [6, -1]
    """
    lists = _Lists()
    known = lists.parents
    starts = [NOT_LAYERED] * len(names)
    open_ones: list[tuple[int, list[str]]] = []
    search = _NUMBER.search
    for at, name in enumerate(names):
        first = search(name)
        if first is None:
            continue
        # In a model nearly all names stand in a list that is known by now: these are done.
        start = first.start()
        if name[:start] in known:
            starts[at] = start
            continue
        parents = lists.note(name, first)
        if parents and parents[0] in known:
            starts[at] = len(parents[0])
        elif parents:
            open_ones.append((at, parents))
    for at, parents in open_ones:
        starts[at] = next((len(each) for each in parents if each in known), NOT_LAYERED)
    return starts


class _Lists:
    """The lists that names show to be there: ``parents`` is what stands before their numbers."""

    def __init__(self) -> None:
        self.parents: set[str] = set()
        self._first: dict[tuple[str, str], str] = {}
        """What follows a number, with what stands before it → the first such number."""

    def note(self, name: str, first: re.Match[str]) -> list[str]:
        """Learn what a name shows whose ``first`` number this is, and give what stands before each
        of its numbers that may be the layer. Numbers behind the one that must be it show nothing
        that is ever asked: whatever has them has that one, too."""
        parents: list[str] = []
        is_long = name.count(".") >= MOST_SEGMENTS
        end = 0
        for turn in range(_MOST_NUMBERS):
            match = _NUMBER.search(name, end) if turn else first
            if match is None:
                return parents
            start, end = match.span()
            if is_long and name.count(".", 0, start + 1) >= MOST_SEGMENTS:
                return parents
            parent = name[:start]
            if parent in self.parents:
                parents.append(parent)
                return parents
            word = parent[parent.rfind(".") + 1 :]
            if "expert" in word:
                return parents
            parents.append(parent)
            if is_list_word(word):
                self.parents.add(parent)
                return parents
            rest = name[end + 1 :]
            if "." not in rest:
                continue
            value = name[start + 1 : end]
            alike = self._first.setdefault((parent, _member(rest)), value) != value
            if alike and index_of(rest.partition(".")[0]) is None:
                self.parents.add(parent)
                return parents
        return parents


def _member(rest: str) -> str:
    """By what members of a list are told to be alike."""
    if rest.count(".") < _MOST_COMPARED:
        return rest
    return ".".join(rest.split(".", _MOST_COMPARED)[:_MOST_COMPARED])
