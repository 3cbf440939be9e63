"""A change table in sentences: what the numbers say, and apart from it what they may mean.

The same text stands over the heatmap, in the command line's report and in exports. It is plain
text, no Markdown, and has names of components from files in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from modeldiff.architectures import Place
from modeldiff.changes import ChangeTable, Statistics, merge_statistics
from modeldiff.findings.evidence import Evidence, is_moved, medians_of
from modeldiff.findings.layer_alignment import alignment_facts, alignment_headlines
from modeldiff.findings.likeness import describe_likeness
from modeldiff.findings.shared_rows import shared_rows_facts
from modeldiff.findings.status_words import STATUS_WORDS
from modeldiff.text.formatting import format_count, format_layers, format_pct

_MOST_NAMED = 3
_ABOUT_EQUAL = 1.25
"""Medians whose ratio is below this are called alike."""


@dataclass(frozen=True)
class Narrative:
    """``facts`` follow from the numbers; ``likeness`` is what these are like, hedged, the gist
    first, with what it is measured by. ``headline`` is the first thing to know."""

    headline: str
    facts: tuple[str, ...]
    likeness: tuple[str, ...]


def narrate(changes: ChangeTable) -> Narrative:
    """The reading of a change table, also of one that is not finished."""
    evidence = Evidence(changes)
    return _with_layers(
        changes,
        Narrative(_headline(evidence), tuple(_facts(evidence)), tuple(describe_likeness(evidence))),
        moved=bool(evidence.moved),
    )


def _with_layers(changes: ChangeTable, narrative: Narrative, *, moved: bool) -> Narrative:
    """What became of the layers goes first, where they were aligned: it is the larger change, and
    nothing is identical then."""
    facts = (*alignment_facts(changes), *shared_rows_facts(changes), *narrative.facts)
    headlines = alignment_headlines(changes)
    if not headlines:
        return replace(narrative, facts=facts)
    if moved:
        return Narrative(
            headlines[0], (*headlines[1:], narrative.headline, *facts), narrative.likeness
        )
    likeness = "Like base's own layers, put together anew: nothing that both have has changed."
    return Narrative(headlines[0], (*headlines[1:], *facts), (likeness,))


def place_words(place: Place) -> str:
    """A place as people say it: ``layer 3 · self_attn.v_proj``, with its expert."""
    words = place.column
    if place.layer is not None:
        words = f"layer {place.layer_label} · {place.column}"
    return words if place.expert is None else f"{words}, expert {place.expert}"


def places_words(places: Sequence[Place]) -> str:
    """Several places by their columns and layers, in a few words."""
    layers_of: dict[str, list[int]] = {}
    for place in places:
        layers = layers_of.setdefault(place.column, [])
        if place.layer_number is not None:
            layers.append(place.layer_number)
    alike: dict[tuple[int, ...], list[str]] = {}
    for column, layers in layers_of.items():
        alike.setdefault(tuple(sorted(set(layers))), []).append(column)
    parts = []
    for layers_alike, columns in alike.items():
        if len(columns) > _MOST_NAMED:
            columns = [*columns[: _MOST_NAMED - 1], f"{len(columns) - _MOST_NAMED + 1:,} more"]
        where = f" in {format_layers(layers_alike)}" if layers_alike else ""
        parts.append(enumeration(columns) + where)
    if len(parts) > _MOST_NAMED:
        parts = [*parts[: _MOST_NAMED - 1], "elsewhere"]
    return "; ".join(parts)


def enumeration(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


def _headline(evidence: Evidence) -> str:
    whole = evidence.whole
    if whole is None or whole.unchanged_pct is None:
        return "No tensor could be compared."
    elements = format_count(evidence.elements)
    if not evidence.moved:
        return f"The weights are identical: all {elements} compared elements are equal bit for bit."
    median, unchanged = whole.median_pct, format_pct(whole.unchanged_pct)
    if median is None:
        return f"{unchanged} of all elements are equal bit for bit: all that integers can tell."
    if math.isinf(median):
        return f"Most base values are zero, so the median is infinite; {unchanged} are equal."
    if median == 0:
        return f"{unchanged} of all elements are equal bit for bit, so the median change is 0."
    return (
        f"Half of all elements moved by less than {format_pct(median)} of their base value, half "
        f"by more; {unchanged} are equal bit for bit."
    )


def _facts(evidence: Evidence) -> Iterator[str]:
    yield from _coverage(evidence)
    if not evidence.moved:
        return
    yield from _equal_tensors(evidence)
    yield from _matrices(evidence)
    yield from _norms(evidence)
    yield from _most_changed(evidence)
    yield from _depth(evidence)
    yield from _spread(evidence)


def _coverage(evidence: Evidence) -> Iterator[str]:
    total, compared = len(evidence.changes), len(evidence.compared)
    waiting = sum(change.waiting for change in evidence.changes)
    if compared:
        count = f"All {total:,}" if compared == total else f"{compared:,} of {total:,}"
        yield f"{count} tensors were compared, {format_count(evidence.elements)} elements."
    if waiting:
        yield f"{waiting:,} tensors are not measured yet."
    left_out = [change.pair for change in evidence.changes if change.pair.status != "compared"]
    for status, words in STATUS_WORDS.items():
        places = [pair.place for pair in left_out if pair.status == status]
        if places:
            yield f"{len(places):,} {words.counted}: {places_words(places)}."


def _equal_tensors(evidence: Evidence) -> Iterator[str]:
    """Where change is, if whole tensors have none."""
    moved, compared = len(evidence.moved), len(evidence.compared)
    if moved == compared:
        return
    equal = [c.pair.place for c in evidence.compared if not is_moved(c)]
    fewer = [c.pair.place for c in evidence.moved] if moved <= compared / 2 else equal
    verb = "moved" if fewer is not equal else "are equal as a whole"
    rest = "are equal as a whole" if fewer is not equal else "moved"
    yield (
        f"{len(fewer):,} of {compared:,} tensors {verb} ({places_words(fewer)}); the other "
        f"{compared - len(fewer):,} {rest}."
    )


def _matrices(evidence: Evidence) -> Iterator[str]:
    moved = [change for change in evidence.matrices if is_moved(change)]
    medians = sorted(medians_of(moved))
    if not medians:
        return
    low, middle, high = (medians[q * (len(medians) - 1) // 4] for q in (1, 2, 3))
    which = "" if len(moved) == len(evidence.matrices) else " that moved"
    text = f"The typical weight matrix{which} has a median change of {format_pct(middle)}"
    if high > low:
        text += f"; half of the {len(medians):,} lie from {format_pct(low)} to {format_pct(high)}"
    merged = merge_statistics(evidence.moved_by_layer.values())
    floor = merged.resolution_pct
    if floor and middle < floor:
        text += (
            f". Values of this type move in steps of {format_pct(floor)} at the finest, so read "
            f"relative Frobenius beside it: {format_pct(merged.rel_frobenius_pct)} over all of them"
        )
    yield f"{text}."


def _norms(evidence: Evidence) -> Iterator[str]:
    medians = sorted(medians_of(evidence.norms))
    if not medians:
        return
    count = "The norm" if len(medians) == 1 else f"The {len(medians):,} norms"
    if not any(is_moved(change) for change in evidence.norms):
        yield f"{count} did not move at all."
        return
    most = max(evidence.norms, key=lambda c: _or_less(c.statistics))
    text = f"{count} moved by {format_pct(medians[(len(medians) - 1) // 2])}"
    if len(medians) > 1:
        text += f" typically, at most by {format_pct(_or_less(most.statistics))}"
        text += f" ({place_words(most.pair.place)})"
    yield f"{text}."


def _most_changed(evidence: Evidence) -> Iterator[str]:
    """The three furthest; tensors whose base is mostly zero have no finite share to rank by."""
    ranked = [c for c in evidence.moved if 0 < evidence.extent(c) < math.inf]
    ranked.sort(key=evidence.extent, reverse=True)
    names = [
        f"{place_words(c.pair.place)} ({format_pct(evidence.extent(c))})"
        for c in ranked[:_MOST_NAMED]
    ]
    if names:
        by = _by(evidence)
        yield f"Most changed by {by}: {', '.join(names)}."
    infinite = [c.pair.place for c in evidence.moved if evidence.extent(c) == math.inf]
    if infinite:
        yield (
            f"{len(infinite):,} with an infinite change, for base is mostly zero there: "
            f"{places_words(infinite)}."
        )


def _depth(evidence: Evidence) -> Iterator[str]:
    """Early, middle and late layers of the tower that has most of them."""
    towers: dict[str, list[int]] = {}
    for tower, layer in evidence.moved_by_layer:
        if layer is not None:
            towers.setdefault(tower, []).append(layer)
    if not towers:
        return
    tower = max(towers, key=lambda name: len(towers[name]))
    layers = sorted(towers[tower])
    if len(layers) < 3:
        return
    third, rest = divmod(len(layers), 3)
    ends = (0, third + (rest > 0), 2 * third + (rest > 0) + (rest > 1), len(layers))
    parts = [layers[start:end] for start, end in pairwise(ends)]
    merged = [merge_statistics(evidence.moved_by_layer[tower, at] for at in p) for p in parts]
    sizes = [one.rel_frobenius_pct if evidence.below_floor else one.median_pct for one in merged]
    known = [size for size in sizes if size is not None and math.isfinite(size)]
    if len(known) < 3 or not any(known):
        return
    by = _by(evidence)
    each = ", ".join(
        f"{format_pct(size)} in {format_layers([evidence.layer_numbers[tower, at] for at in part])}"
        for size, part in zip(known, parts, strict=True)
    )
    most = max(known)
    if most < _ABOUT_EQUAL * min(known):
        yield f"Matrices moved about alike at all depths ({by} {each})."
    else:
        name = ("early", "middle", "late")[known.index(most)]
        yield f"Matrices moved most in the {name} layers ({by} {each})."


def _spread(evidence: Evidence) -> Iterator[str]:
    """Dense or sparse: median against Frobenius, and how far those moved that did."""
    moved = evidence.where_moved
    if moved is None:
        return
    statistics = moved.statistics
    median, frobenius = statistics.median_pct, statistics.rel_frobenius_pct
    floor, unchanged = statistics.resolution_pct, statistics.unchanged_pct
    if median is None or frobenius is None or unchanged is None or math.isinf(median):
        return
    where = "" if len(evidence.moved) == len(evidence.compared) else "In the tensors that moved, "
    share = format_pct(100 - unchanged)
    if median < (floor or 1e-9):
        step = format_pct(moved.middle_step_pct)
        if floor and moved.middle_step_pct <= 4 * floor:
            text = (
                f"{where}{share} of the elements moved, most by no more than a step or two of the "
                f"stored type ({step} in the middle): so does a small dense update that rounds away"
            )
        else:
            text = (
                f"{where}the change is sparse: {share} of the elements moved, and these by {step} "
                f"in the middle, while relative Frobenius is {format_pct(frobenius)}"
            )
    elif frobenius > 1.5 * median:
        text = (
            f"{where}large elements carry the change: relative Frobenius is "
            f"{format_pct(frobenius)}, the median {format_pct(median)}"
        )
    elif median > 1.5 * frobenius:
        text = (
            f"{where}small elements moved furthest for their size: the median is "
            f"{format_pct(median)}, relative Frobenius {format_pct(frobenius)}"
        )
    else:
        text = (
            f"{where}the change is dense: relative Frobenius ({format_pct(frobenius)}) is close to "
            f"the median ({format_pct(median)})"
        )
    yield f"{text[:1].upper()}{text[1:]}."


def _by(evidence: Evidence) -> str:
    return "relative Frobenius" if evidence.below_floor else "median"


def _or_less(statistics: Statistics | None) -> float:
    return -1.0 if statistics is None or statistics.median_pct is None else statistics.median_pct
