"""Where a name counts its layers: the lists that modules stand in, told from other numbers.

A number in a name is a layer where it counts a list of modules: the list is called so (``layers``,
``blocks``), or several of its members hold modules of the same names. The numbers of a small
module's steps (``merger.mlp.0``, ``classifier.2``) are none, nor are those of experts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

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


def layer_positions(paths: Sequence[Path]) -> list[int | None]:
    """For each of these names, cut at their dots, which segment is its layer; None where it stands
    in no layer of the lists that the names show to be there."""
    numbered = [(path, _numbers(path)) for path in paths]
    lists = _lists(numbered)
    return [_position(path, numbers, lists) for path, numbers in numbered]


def _lists(numbered: Iterable[tuple[Path, Sequence[int]]]) -> set[Path]:
    lists: set[Path] = set()
    first: dict[tuple[Path, Path], str] = {}
    for path, numbers in numbered:
        for at in numbers:
            parent = path[:at]
            if parent in lists:
                continue
            if is_list_word(path[at - 1]):
                lists.add(parent)
            elif len(path) > at + 2:
                member = path[at + 1 : at + 1 + _MOST_COMPARED]
                alike = first.setdefault((parent, member), path[at]) != path[at]
                if alike and index_of(member[0]) is None:
                    lists.add(parent)
    return lists


def _position(path: Path, numbers: Iterable[int], lists: Set[Path]) -> int | None:
    for at in numbers:
        if "expert" in path[at - 1]:
            return None
        if path[:at] in lists:
            return at
    return None


def _numbers(path: Path) -> list[int]:
    positions: list[int] = []
    last = len(path) - 1
    for at, segment in enumerate(path[:MOST_SEGMENTS]):
        # Most segments are words: a look at the first letter is all that they take.
        if segment.isdigit() and 0 < at < last and index_of(segment) is not None:
            positions.append(at)
            if len(positions) == _MOST_NUMBERS:
                break
    return positions
