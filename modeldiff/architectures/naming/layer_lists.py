"""Where a name counts its layers: the lists that modules stand in, told from other numbers.

A number in a name is a layer where it counts a list of modules: the list is called so (``layers``,
``blocks``), or several of its members hold modules of the same names. The numbers of a small
module's steps (``merger.mlp.0``, ``classifier.2``) are none, nor are those of experts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache
from typing import NamedTuple

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


class Number(NamedTuple):
    """A number in a name: ``parent`` is what stands before it, ``rest`` what stands behind it."""

    parent: str
    value: str
    rest: str

    @property
    def word(self) -> str:
        """The segment before the number."""
        return self.parent.rpartition(".")[2]


# Made-up names have as many words as they like, models a few dozen.
@lru_cache(maxsize=4096)
def is_list_word(segment: str) -> bool:
    """Whether a segment says that a list of layers follows.

    >>> is_list_word("layers"), is_list_word("albert_layer_groups"), is_list_word("layer_norm")
    (True, True, False)
    """
    words = segment.split("_")
    return not LIST_WORDS.isdisjoint(words) and "norm" not in words


def layer_numbers(names: Sequence[str]) -> list[Number | None]:
    """For each of these names which number is its layer; None where it stands in no layer of the
    lists that the names show to be there."""
    numbered = [_numbers(name) for name in names]
    lists = _lists(numbers for numbers in numbered if numbers)
    return [_layer(numbers, lists) if numbers else None for numbers in numbered]


def _lists(numbered: Iterable[Iterable[Number]]) -> set[str]:
    lists: set[str] = set()
    first: dict[tuple[str, tuple[str, ...]], str] = {}
    for numbers in numbered:
        for number in numbers:
            parent, value, rest = number
            if parent in lists:
                continue
            if is_list_word(number.word):
                lists.add(parent)
            elif "." in rest:
                member = tuple(rest.split(".", _MOST_COMPARED)[:_MOST_COMPARED])
                alike = first.setdefault((parent, member), value) != value
                if alike and index_of(member[0]) is None:
                    lists.add(parent)
    return lists


def _layer(numbers: Iterable[Number], lists: Set[str]) -> Number | None:
    for number in numbers:
        if "expert" in number.word:
            return None
        if number.parent in lists:
            return number
    return None


def _numbers(name: str) -> Sequence[Number]:
    match = _NUMBER.search(name)
    if match is None:
        return ()
    numbers: list[Number] = []
    is_long = name.count(".") >= MOST_SEGMENTS
    while match is not None and len(numbers) < _MOST_NUMBERS:
        start, end = match.span()
        if is_long and name.count(".", 0, start + 1) >= MOST_SEGMENTS:
            break
        numbers.append(Number(name[:start], name[start + 1 : end], name[end + 1 :]))
        match = _NUMBER.search(name, end)
    return numbers
