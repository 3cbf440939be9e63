"""Where a name counts its layers: the lists that modules stand in, told from other numbers.

A number in a name is a layer where it counts a list of modules: the list is called so (``layers``,
``blocks``), or several of its members hold modules of the same names. The numbers of a small
module's steps (``merger.mlp.0``, ``classifier.2``) are none, nor are those of experts.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

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

Path = tuple[str, ...]


def is_list_word(segment: str) -> bool:
    """Whether a segment says that a list of layers follows.

    >>> is_list_word("layers"), is_list_word("albert_layer_groups"), is_list_word("layer_norm")
    (True, True, False)
    """
    words = segment.split("_")
    return not LIST_WORDS.isdisjoint(words) and "norm" not in words


class LayerLists:
    """The lists of layers that these names, cut at their dots, show to be there."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._lists: set[Path] = set()
        first: dict[tuple[Path, Path], str] = {}
        for path in paths:
            for at in _numbers(path):
                parent = path[:at]
                if is_list_word(path[at - 1]):
                    self._lists.add(parent)
                elif parent not in self._lists and len(path) > at + 2:
                    member = path[at + 1 : at + 1 + _MOST_COMPARED]
                    alike = first.setdefault((parent, member), path[at]) != path[at]
                    if alike and index_of(member[0]) is None:
                        self._lists.add(parent)

    def position(self, path: Path) -> int | None:
        """Which segment of a name is its layer; None where it stands in no layer."""
        for at in _numbers(path):
            if "expert" in path[at - 1]:
                return None
            if path[:at] in self._lists:
                return at
        return None


def _numbers(path: Path) -> list[int]:
    inner = path[1 : min(len(path) - 1, MOST_SEGMENTS)]
    # Most segments are words: a look at the first letter is all that they take.
    positions = (at for at, s in enumerate(inner, 1) if s[:1].isdigit() and index_of(s) is not None)
    return list(islice(positions, _MOST_NUMBERS))
