"""Weights in lossy types in sentences: what the type makes on its own, and whether that is all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from modeldiff.changes import Change
from modeldiff.findings.evidence import Evidence, is_moved, kind_of
from modeldiff.findings.quantised.both_sides import (
    describe_equal_types,
    nearer_to_the_original,
)
from modeldiff.findings.quantised.floors import floor_of, lossy_types
from modeldiff.findings.quantised.lossy_rows import LossyRows, requantised
from modeldiff.findings.rounded_types import rounding_type
from modeldiff.findings.words import places_words
from modeldiff.text.formatting import counted, format_pct

_ALL = 1.2
"""Up to so many times its floor a change is no more than what a type makes of real weights, whose
tails are longer than those of normal numbers."""
_MORE = 2.0
"""From so many times on, a change has another cause, too."""
_OWN = 1.5
"""A tensor that lies so many times above its floor is named."""
_MOST_GROUPS = 4
_ARITHMETIC_PCT = 2e-4
"""What is left of a vector to which a converter did something and a reader undid it in float32 (one
added to a norm, a decay's logarithm), as relative Frobenius. One element of a hundred thousand that
moved by a step of bfloat16 is more."""


def lossy_rows(evidence: Evidence) -> tuple[LossyRows, ...]:
    """The rows that moved, that no witness explains and whose type is lossy on a side, by their
    types, most elements first."""
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in _unexplained(evidence):
        if types := lossy_types(change):
            groups.setdefault(types, []).append(change)
    sized = []
    for types, rows in groups.items():
        size = _together(rows)
        if size is not None:
            sized.append(LossyRows(types, tuple(rows), size, floor_of(types)))
    return tuple(sorted(sized, key=lambda group: -sum(map(_elements, group.rows))))


def describe_lossy_types(evidence: Evidence) -> Iterator[str]:
    """How far tensors in lossy types moved, beside what these types make on their own."""
    groups = lossy_rows(evidence)
    for group in groups[:_MOST_GROUPS]:
        where = f" ({places_words([c.pair.place for c in group.rows])})" if len(groups) > 1 else ""
        yield (
            f"{counted(len(group.rows), 'tensor')} in {group.words_by_side}{where}: relative "
            f"Frobenius {format_pct(group.size_pct)}, where {_floor_words(group)}."
        )
    if same := describe_equal_types(evidence.compared):
        yield same
    above = [change for group in groups for change in group.rows if _is_above(change, group)]
    if above and any(group.ratio < _OWN for group in groups):
        places = places_words([change.pair.place for change in above])
        yield (
            f"{counted(len(above), 'tensor')} moved by more than {_OWN:g} times what the type "
            f"makes: {places}."
        )


def lossy_likeness(evidence: Evidence) -> tuple[str, ...]:
    """Whether what moved is the quantisation alone; nothing where no type is lossy. No level of
    training is ever read from such weights."""
    groups = lossy_rows(evidence)
    if not groups:
        return ()
    worst = max(groups, key=lambda group: group.ratio)
    beside = [c for c in _unexplained(evidence) if not lossy_types(c) and _moved_on_its_own(c)]
    again = requantised(groups)
    what = "what else moved" if evidence.explained else "what moved"
    if worst.ratio >= _MORE:
        first = (
            f"Something else, too, not only quantisation: tensors in {worst.words} moved by "
            f"{format_pct(worst.size_pct)}, {worst.ratio:.1f} times what the type makes."
        )
    elif again:
        first = again
    elif alike := [group for group in groups if group.alike]:
        count = sum(len(group.rows) for group in alike)
        first = (
            f"Other weights, or another quantiser: {counted(count, 'tensor')} in the same type on "
            f"both sides {'differs' if count == 1 else 'differ'}, where one quantiser makes the "
            "same of the same weights. Which of the two it is does not show in them."
        )
    elif worst.ratio > _ALL or beside:
        first = (
            "Like quantisation, and perhaps something else: quantisers that weigh errors (an "
            "importance matrix, GPTQ, AWQ) lie above a type's floor on purpose, and so do weights "
            "with outliers."
        )
    else:
        several = len({name for group in groups for name in group.types}) > 1
        make = "types make on their own" if several else "type makes on its own"
        more = "no" if worst.ratio <= 1 else "hardly"
        first = (
            f"Nothing but the quantisation: {what} did so by {more} more than the stored {make}."
        )
    sentences = [first]
    if beside:
        places = places_words([change.pair.place for change in beside])
        sentences.append(
            f"{counted(len(beside), 'tensor')} stored without loss moved, too ({places}): "
            f"{_why_beside(groups)}."
        )
    if worst.ratio < _MORE and not again:
        sentences += nearer_to_the_original(evidence.compared)
    sentences.append(
        "How far weights were trained is not told from types that lose so much, and far less than "
        "they lose would not show: compare the weights that they were made from."
    )
    return tuple(sentences)


def _moved_on_its_own(change: Change) -> bool:
    """Whether a row stored without loss moved by more than a converter's arithmetic leaves, or than
    the 16-bit type that it was put into rounds; of routers, others speak."""
    size = change.statistics.rel_frobenius_pct if change.statistics else None
    by_arithmetic = size is not None and size <= _ARITHMETIC_PCT
    kind = kind_of(change)
    if kind == "routers" or rounding_type(change):
        return False
    return not (by_arithmetic and kind in ("norms", "vectors"))


def _floor_words(group: LossyRows) -> str:
    """What the group's types make on their own, in words."""
    floor = format_pct(group.floor_pct)
    if group.alike:
        return (
            "one quantiser makes the same of the same weights, and two whose errors have nothing "
            f"in common are some {floor} apart"
        )
    if len(group.types) == 1:
        return f"the type alone makes {floor} of normally distributed weights"
    return f"two such quantisations of the same normal weights are some {floor} apart"


def _unexplained(evidence: Evidence) -> Iterator[Change]:
    return (c for c in evidence.moved if c.pair.place not in evidence.explained)


def _why_beside(groups: Sequence[LossyRows]) -> str:
    """Why what is stored without loss moved along with these."""
    if any(name.startswith("AWQ") for group in groups for name in group.types):
        return "AWQ moves a factor of each channel from a matrix to the norm or matrix before it"
    return "quantisation alone does not do that"


def _is_above(change: Change, group: LossyRows) -> bool:
    size = change.statistics.rel_frobenius_pct if change.statistics else None
    return is_moved(change) and size is not None and size > _OWN * group.floor_pct


def _elements(change: Change) -> int:
    return change.pair.base.elements if change.pair.base is not None else 0


def _together(rows: Sequence[Change]) -> float | None:
    """The relative Frobenius change of rows together, in percent; None where base is zero."""
    sums = [change.statistics.sums for change in rows if change.statistics]
    base = math.fsum(each.base_squared for each in sums if each is not None)
    delta = math.fsum(each.delta_squared for each in sums if each is not None)
    return 100 * math.sqrt(delta / base) if base > 0 and math.isfinite(delta) else None
