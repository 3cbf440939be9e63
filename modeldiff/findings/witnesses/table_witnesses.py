"""Witnesses that a change table itself gives: sums that only a constant factor, a constant step or
zeros can have.

For b = c·a the cosine is 1 or −1 (Cauchy and Schwarz); what is left besides the factor has the norm
‖b‖·√(1 − cos²). Where all |b − a| are one number, their mean is their maximum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from modeldiff.architectures import Place
from modeldiff.changes import Change
from modeldiff.changes.statistics.statistics import cosine_distance
from modeldiff.findings.evidence import is_moved, kind_of, nonfinite_of
from modeldiff.findings.quantised.floors import floor_of, lossy_types
from modeldiff.findings.witnesses.witness import Witness, explained_places
from modeldiff.findings.words import MOST_NAMED, but_for, columns_words, enumeration, places_words
from modeldiff.text.formatting import counted, format_layers, format_small

_LEAST_ELEMENTS = 16
"""Of fewer elements a constant may be chance."""
_REST = 0.03
"""What a factor leaves is at most this share of the change and of target, or what the stored type
rounds."""
_ABOVE_ROUNDING = 5.0
"""A change is told as a factor from so many of the type's smallest steps on."""
_ABOVE_LOSS, _OF_LOSS = 3.0, 1.3
"""In a type that loses much, from so many times its floor on; what is left then is at most so many
times the floor."""
_LEAST_CHANGE = 0.01
_WRONG_SCALE = (
    "Quantised weights that are the other side's times a constant are not training: this is how "
    "they look where a scale is wrong, or is read by another convention."
)
_SAME = 0.01
_ONE = 0.01


def table_witnesses(changes: Iterable[Change]) -> tuple[Witness, ...]:
    """What the sums of single rows prove of how target came from base."""
    compared = [c for c in changes if c.statistics is not None and nonfinite_of(c) == (0, 0)]
    moved = [c for c in compared if is_moved(c)]
    zeros = list(_zeros(moved))
    known = explained_places(zeros)
    rest = [c for c in moved if c.pair.place not in known]
    offset = [c for c in rest if _is_offset_norm(c)]
    if any(_is_doubled(c) for c in rest if kind_of(c) != "norms"):
        # Norms of ones fit both; where matrices doubled, too, one sentence tells all of it.
        offset = [c for c in offset if not _is_doubled(c)]
    # Norms are near 1, so that one more is nearly twice as much: what fits them better is said.
    known |= {change.pair.place for change in offset}
    factors = _factors(c for c in moved if c.pair.place not in known)
    return (*zeros, *factors, *_offset_norms(offset, compared))


def _zeros(moved: Sequence[Change]) -> Iterator[Witness]:
    rows = [c for c in moved if c.statistics and c.statistics.rms_target == 0.0]
    if rows:
        yield _witness(rows, f"{_verb(rows, 'is', 'are')} all zeros in target")
    empty = [c for c in moved if c.statistics and c.statistics.rms_base == 0.0]
    if empty:
        yield _witness(
            empty,
            f"{_verb(empty, 'is', 'are')} all zeros in base",
            "A change from zero has no percentage: these were filled in, or trained from zero.",
        )


def _factors(moved: Iterable[Change]) -> Iterator[Witness]:
    """Tensors that are base's times a number, those with one number together."""
    found = [(c, *known) for c in moved if (known := _factor(c))]
    yield from _undone([(change, factor) for change, factor, _ in found])
    by_factor: dict[str, list[tuple[Change, float]]] = {}
    for change, factor, rest in found:
        by_factor.setdefault(f"base's times {format_small(factor)}", []).append((change, rest))
    if len(by_factor) > MOST_NAMED:
        factors = [factor for _, factor, _ in found]
        named = (
            "base's times a constant of their own "
            f"({format_small(min(factors))} to {format_small(max(factors))})"
        )
        by_factor = {named: [(change, rest) for change, _, rest in found]}
    for named, members in by_factor.items():
        rows = [change for change, _ in members]
        most = max(rest for _, rest in members)
        if all(map(lossy_types, rows)):
            likeness = _WRONG_SCALE
        elif min(factor for _, factor, _ in found) > 0:
            likeness = "A constant factor changes the scale of a tensor, not what it holds."
        else:
            likeness = (
                "A constant factor changes the scale or the sign of a tensor, and is not training."
            )
        yield replace(
            _witness(rows, f"{_verb(rows, 'is', 'are')} {named}, {but_for(100 * most)}", likeness),
            remainder_pct=100 * most if likeness is _WRONG_SCALE else 0.0,
        )


def _undone(scaled: list[tuple[Change, float]]) -> Iterator[Witness]:
    """Tensors of one layer whose factors are each other's inverse."""
    pairs: dict[tuple[str, str], list[Place]] = {}
    layers: dict[tuple[str, int | None, int | None], list[tuple[Place, float]]] = {}
    for change, factor in scaled:
        place = change.pair.place
        layers.setdefault((place.tower, place.layer, place.expert), []).append((place, factor))
    for members in layers.values():
        for (one, factor), (other, its) in combinations(members, 2):
            if factor > 0 and abs(factor * its - 1) < _SAME:
                pairs.setdefault((one.column, other.column), []).append(one)
    for columns, places in pairs.items():
        layer_numbers = sorted({p.layer_number for p in places if p.layer_number is not None})
        where = f" in {format_layers(layer_numbers)}" if layer_numbers else ""
        yield Witness(
            f"The factors of {enumeration(columns)} undo each other{where}: their product is 1.",
            frozenset(),
            "Where one such matrix is applied to the other's output, the model computes the same.",
        )


def _factor(change: Change) -> tuple[float, float] | None:
    """The factor, and what it leaves as a share of target; None where it is none."""
    statistics = change.statistics
    if statistics is None:
        return None
    sums, distance = statistics.sums, cosine_distance(statistics)
    frobenius, step = statistics.rel_frobenius_pct, (statistics.resolution_pct or 0.0) / 100
    if sums is None or distance is None or frobenius is None or sums.n < _LEAST_ELEMENTS:
        return None
    loss = floor_of(lossy_types(change)) / 100
    least = max(_ABOVE_ROUNDING * step, _ABOVE_LOSS * loss, _LEAST_CHANGE)
    if frobenius / 100 < least:
        return None
    rest = math.sqrt(distance * max(0.0, 2 - distance))
    moved = math.sqrt(sums.delta_squared / sums.target_squared)
    rounding = max(step / math.sqrt(2), _OF_LOSS * loss)
    if rest > max(_REST * min(moved, 1.0), min(rounding, moved / 3)):
        return None
    return sums.product / sums.base_squared, rest


def _offset_norms(rows: list[Change], others: Iterable[Change]) -> Iterator[Witness]:
    """Norms whose every element moved by 1, as the two conventions of storing them are apart; of
    each component all of them, or some among ``others`` that did not."""
    if not rows:
        return
    columns = {change.pair.place.column for change in rows}
    apart = {c.pair.place.column for c in others if c not in rows} & columns
    likeness = (
        "This is how a norm looks that one side stores as w and the other as 1 + w: a convention "
        "that the code running the model must know."
    )
    if apart:
        likeness = (
            "This is how a norm looks that one side stores as w and the other as 1 + w. Others of "
            f"{columns_words(sorted(apart))} do not differ so: one of the two sides is at odds "
            "with itself."
        )
    yield _witness(
        rows,
        f"{_verb(rows, 'differs', 'differ')} by 1 in every element (mean and largest difference "
        "are the same)",
        likeness,
    )


def _is_offset_norm(change: Change) -> bool:
    """Whether every element moved by 1, and a factor does not tell it better."""
    statistics = change.statistics
    if statistics is None or statistics.sums is None or kind_of(change) != "norms":
        return False
    mean, most = statistics.mean_abs_delta, statistics.max_abs_delta
    if mean is None or most is None or statistics.sums.n < _LEAST_ELEMENTS:
        return False
    if most > (1 + _SAME) * mean or abs(mean - 1) >= _ONE:
        return False
    factor = _factor(change)
    return factor is None or most - mean <= factor[1]


def _is_doubled(change: Change) -> bool:
    """Whether target is twice base."""
    factor = _factor(change)
    return factor is not None and abs(factor[0] - 2) < _SAME


def _verb(rows: list[Change], one: str, more: str) -> str:
    return one if len(rows) == 1 else more


def _witness(rows: list[Change], what: str, likeness: str = "") -> Witness:
    places = [change.pair.place for change in rows]
    sentence = f"{counted(len(rows), 'tensor')} {what}: {places_words(places)}."
    return Witness(sentence, frozenset(places), likeness)
