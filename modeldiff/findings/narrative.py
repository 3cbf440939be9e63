"""A change table in sentences: what the numbers say, and apart from it what they may mean.

The same text stands over the heatmap, in the command line's report and in exports. It is plain
text, no Markdown, and has names of components from files in it.

What is broken is said first, then what was not compared, then how far weights moved. A sentence
that something is equal, or of how far all of it moved, says of which share of each side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from modeldiff.changes import ChangeTable
from modeldiff.findings.coverage import (
    Coverage,
    Unread,
    coverage_of,
    describe_coverage,
    describe_lack,
    describe_unread,
)
from modeldiff.findings.evidence import (
    KINDS,
    LEVEL_KINDS,
    Evidence,
    KindRows,
    TensorKind,
    compared_elements,
    is_equal,
)
from modeldiff.findings.likeness.likeness import describe_likeness
from modeldiff.findings.likeness.strangers import strangers_of
from modeldiff.findings.measured.adapters import adapter_facts
from modeldiff.findings.measured.broken import describe_broken
from modeldiff.findings.measured.depth import describe_depth
from modeldiff.findings.measured.layer_alignment import alignment_facts, alignment_headlines
from modeldiff.findings.measured.shared_rows import shared_rows_facts
from modeldiff.findings.measured.spread import describe_spread
from modeldiff.findings.merged_adapters import merged_facts
from modeldiff.findings.quantised.describe import describe_lossy_types
from modeldiff.findings.witnesses.merged_witnesses import merged_witnesses
from modeldiff.findings.witnesses.sampled_witnesses import sampled_witnesses
from modeldiff.findings.witnesses.table_witnesses import table_witnesses
from modeldiff.findings.witnesses.witness import Witness, explained_places
from modeldiff.findings.words import MOST_NAMED, enumeration, place_words, places_words
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted, format_count, format_pct

_NOUNS: Mapping[TensorKind, tuple[str, str]] = {
    "matrices": ("weight matrix of the layers", "weight matrices of the layers"),
    "experts": ("expert's matrix", "matrices of experts"),
    "routers": ("router", "routers"),
    "embeddings and head": ("embedding or head", "embeddings and heads"),
    "norms": ("norm", "norms"),
    "vectors": ("bias or other vector", "biases and other vectors"),
}
"""Each kind as one and as several are called."""
_FEW = 2
"""So many tensors of a kind are told one by one."""
_FAR = 4.0
"""From so many times on, norms moved far less than matrices (or more)."""


@dataclass(frozen=True)
class Narrative:
    """``facts`` follow from the numbers; ``likeness`` is what these are like, hedged, the gist
    first, with what it is measured by. ``headline`` is the first thing to know."""

    headline: str
    facts: tuple[str, ...]
    likeness: tuple[str, ...]


def narrate(
    changes: ChangeTable, witnesses: Sequence[Witness] = (), unread: Unread = ((), ())
) -> Narrative:
    """The reading of a change table, also of one that is not finished.

    ``witnesses`` explain some of its rows from what a table does not hold; those that its rows'
    relations and sums are come on top. They are said, and what they explain is left out of levels
    and depths. ``unread`` are parts of each side that the table says nothing of, in words.
    """
    witnesses = (*witnesses, *sampled_witnesses(changes), *merged_witnesses(changes))
    known = explained_places(witnesses)
    own = table_witnesses(change for change in changes if change.pair.place not in known)
    witnesses = (*witnesses, *own)
    remainder = max((witness.remainder_pct for witness in witnesses), default=0.0)
    sampled = any(witness.sampled for witness in witnesses)
    evidence = Evidence(changes, explained_places(witnesses), remainder, sampled=sampled)
    coverage = coverage_of(changes)
    layers = alignment_headlines(changes)
    size = _size(evidence, coverage, in_place=not layers)
    first = (describe_broken(evidence), *layers, describe_lack(coverage), size)
    headline, *more = [*filter(None, first)] or ["No element could be compared."]
    of_layers = (*alignment_facts(changes), *shared_rows_facts(changes))
    beside = (*filter(None, (describe_unread(unread),)), *adapter_facts(changes))
    beside = (*beside, *merged_facts(evidence, coverage))
    facts = (*beside, *more, *of_layers, *_facts(evidence, coverage, witnesses))
    if layers and not evidence.moved and not evidence.broken:
        like = "Like base's own layers, rearranged: nothing that was compared has changed."
        return Narrative(headline, facts, (like,))
    likeness = describe_likeness(evidence, coverage, witnesses, all_read=not any(unread))
    return Narrative(headline, facts, tuple(likeness))


def _size(evidence: Evidence, coverage: Coverage, *, in_place: bool) -> str:
    """How far all that was compared moved; empty where nothing was. ``in_place``: layers met by
    number."""
    whole = evidence.whole
    if whole is None or whole.unchanged_pct is None:
        return ""
    if not evidence.moved:
        return _equality(evidence, coverage, in_place=in_place)
    median = whole.median_pct
    unchanged = format_pct(whole.unchanged_pct) if whole.unchanged_pct else "none"
    of = coverage.elements_words
    if median is None:
        return f"{unchanged} of {of} are exactly equal; of integers, no more is measured."
    if math.isinf(median):
        most = "all elements" if coverage.is_whole else of
        return (
            f"The median relative change is infinite over {most}, since most base values are zero; "
            f"{unchanged} are exactly equal."
        )
    if median == 0:
        return f"{unchanged} of {of} are exactly equal, so the median change is 0."
    return (
        f"The median relative change is {format_pct(median)} over {of}; "
        f"{unchanged} are exactly equal."
    )


def _equality(evidence: Evidence, coverage: Coverage, *, in_place: bool) -> str:
    elements = format_count(evidence.elements)
    tensors = sum(is_equal(c) or compared_elements(c) > 0 for c in evidence.compared)
    if coverage.is_whole and in_place:
        return (
            f"The weights that were read are identical: all {elements} elements of "
            f"{_all_tensors(len(evidence.compared))} are exactly equal."
        )
    return (
        f"What was compared is exactly equal: {counted(tensors, 'tensor')}, "
        f"{elements} elements, {coverage.shares_words}."
    )


def _all_tensors(count: int) -> str:
    return "the one tensor" if count == 1 else f"all {count:,} tensors"


def _facts(evidence: Evidence, coverage: Coverage, witnesses: Sequence[Witness]) -> Iterator[str]:
    yield from describe_coverage(evidence.changes, coverage)
    if not evidence.moved:
        return
    yield from _equal_tensors(evidence)
    yield from (witness.sentence for witness in witnesses)
    yield from describe_lossy_types(evidence)
    yield from _strangers(evidence)
    for kind in KINDS:
        if kind in evidence.kinds:
            yield from _kind(evidence.kinds[kind], "other " if evidence.explained else "")
    yield from _below_steps(evidence)
    yield from _norms_beside_matrices(evidence)
    yield from _most_changed(evidence)
    yield from describe_depth(evidence)
    yield from describe_spread(evidence)


def _equal_tensors(evidence: Evidence) -> Iterator[str]:
    """Where change is, if whole tensors have none."""
    moved, equal, compared = len(evidence.moved), len(evidence.equal), len(evidence.compared)
    if not equal:
        return
    fewer, rest = (evidence.moved, equal) if moved <= compared / 2 else (evidence.equal, moved)
    verb, other = "moved", "are equal as a whole"
    if fewer is evidence.equal:
        verb, other = other, verb
    places = places_words([change.pair.place for change in fewer])
    yield f"{len(fewer):,} of {compared:,} tensors {verb} ({places}); {rest:,} {other}."


def _strangers(evidence: Evidence) -> Iterator[str]:
    strangers = strangers_of(evidence)
    matrices = len(evidence.of_kinds(LEVEL_KINDS))
    if strangers and len(strangers) < matrices:
        places = places_words([change.pair.place for change in strangers])
        have = "has" if len(strangers) == 1 else "have"
        yield (
            f"{len(strangers):,} of {matrices:,} matrices {have} a cosine near 0 with base's and "
            f"about half of their signs flipped: {places}."
        )


def _kind(known: KindRows, other: str) -> Iterator[str]:
    """How far the tensors of a kind moved, typically and at most; two or fewer by name. ``other``
    stands before their number where witnesses explain some."""
    count, moved = len(known.rows), len(known.moved)
    noun = _NOUNS[known.kind][count > 1]
    if any(change.pair.place.layer is None for change in known.rows):
        noun = noun.removesuffix(" of the layers")
    if all(map(is_equal, known.rows)):
        names = enumeration([place_words(change.pair.place) for change in known.rows])
        few = count <= _FEW
        yield f"No change in {names}." if few else f"The {other}{count:,} {noun} did not move."
    sizes = [
        (value, change)
        for change in known.moved
        if (value := known.extent(change.statistics)) is not None and 0 < value < math.inf
    ]
    if not sizes:
        return
    if count <= _FEW:
        (value, change), *rest = sizes
        others = "".join(f" and {place_words(c.pair.place)} by {format_pct(v)}" for v, c in rest)
        place = place_words(change.pair.place)
        yield f"By {known.by}, {place} moved by {format_pct(value)}{others}."
        return
    sizes.sort(key=lambda each: each[0])
    low, middle, high = (sizes[q * (len(sizes) - 1) // 4][0] for q in (1, 2, 3))
    who = f"the {other}{count:,} {noun}"
    if moved < count:
        who = f"{moved:,} of {who}"
    text = f"By {known.by}, {who} moved by {format_pct(middle)}"
    most, change = sizes[-1]
    if len(sizes) > 1 and format_pct(most) == format_pct(sizes[0][0]):
        text += " each"
    elif len(sizes) > 1:
        text += " typically"
        between = [format_pct(size) for size in (low, high)]
        if len(set(between)) > 1 and len(sizes) > MOST_NAMED:
            text += f", half of them by {' to '.join(between)}"
        if format_pct(most) != format_pct(middle):
            text += f", at most by {format_pct(most)} ({place_words(change.pair.place)})"
    yield f"{text}."


def _below_steps(evidence: Evidence) -> Iterator[str]:
    """Why medians are not what tells, where the typical one lies below the type's steps."""
    rows = [c for k in evidence.kinds.values() if k.by != "median" for c in k.moved]
    steps = [c.statistics.resolution_pct for c in rows if c.statistics]
    floor = max((step for step in steps if step is not None), default=0.0)
    if floor >= 0.01:
        yield (
            f"Relative Frobenius is given where medians lie below {format_pct(floor)}, the finest "
            "step of the stored type."
        )


def _norms_beside_matrices(evidence: Evidence) -> Iterator[str]:
    norms, matrices = (evidence.kinds.get(kind) for kind in ("norms", "matrices"))
    if not norms or not matrices or norms.by != matrices.by:
        return
    if not norms.extents or not matrices.extents:
        return
    one, other = (e[(len(e) - 1) // 2] for e in (norms.extents, matrices.extents))
    if not 0 < one < math.inf or not 0 < other < math.inf:
        return
    if other >= _FAR * one or one >= _FAR * other:
        yield (
            f"Norms moved far {'less' if one < other else 'more'} than the layers' matrices: "
            f"{format_pct(one)} against {format_pct(other)} ({norms.by})."
        )


def _most_changed(evidence: Evidence) -> Iterator[str]:
    """The three furthest matrices; those whose base is mostly zero have no finite share to rank
    by."""
    known = next((k for kind in KINDS if (k := evidence.kinds.get(kind)) and k.moved), None)
    if known is not None:
        ranked = [
            (value, c)
            for c in known.moved
            if (value := known.extent(c.statistics)) is not None and 0 < value < math.inf
        ]
        ranked.sort(key=lambda each: each[0], reverse=True)
        names = [
            f"{place_words(c.pair.place)} ({format_pct(value)})" for value, c in ranked[:MOST_NAMED]
        ]
        least = format_pct(ranked[-1][0]) if ranked else ""
        if len(names) > 1 and format_pct(ranked[0][0]) != least:
            yield f"Most changed by {known.by}: {', '.join(names)}."
    infinite = [
        c.pair.place
        for c in evidence.moved
        if c.statistics
        and c.statistics.median_pct == math.inf
        and c.pair.place not in evidence.explained
    ]
    if infinite:
        yield (
            f"The median change is infinite in {counted(len(infinite), 'tensor')} where base is "
            f"mostly zero: "
            f"{places_words(infinite)}."
        )
