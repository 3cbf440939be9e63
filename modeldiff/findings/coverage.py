"""How much of each side was compared: no sentence stands without it.

What was not compared is never called equal. Buffers count for nothing; what is used twice counts
once; an element that is not finite was not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from modeldiff.changes import Change, Status
from modeldiff.changes.pairing import values_of
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.findings.evidence import compared_elements
from modeldiff.findings.status_words import STATUS_WORDS
from modeldiff.findings.words import enumeration, places_words
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted, format_count, format_pct

ENOUGH = 0.9
"""Below this share of either side's elements the coverage is the first thing to know, and no kind
of change is named."""
_MOST_PARTS = 3
_MISSING: tuple[Status, ...] = (
    "different_shape",
    "only_in_base",
    "only_in_target",
    "unreadable",
    "quantised",
)


_Side = Literal["base", "target"]
Unread = tuple[Sequence[str], Sequence[str]]
"""What lies with base's and with target's weights, may belong to the model and was not read."""


@dataclass(frozen=True)
class Share:
    """Of one side: how many tensors, elements and bytes it has, and how many were compared.
    ``read_tensors`` counts those too of which no element is finite on both sides."""

    tensors: int
    elements: int
    nbytes: int
    compared_tensors: int
    compared_elements: int
    compared_bytes: int
    read_tensors: int

    @property
    def of_elements(self) -> float:
        """From 0 to 1; all of nothing is 1."""
        return self.compared_elements / self.elements if self.elements else 1.0

    @property
    def elements_text(self) -> str:
        """The share of the elements, as text."""
        return _share(self.compared_elements, self.elements)

    @property
    def is_whole(self) -> bool:
        """Whether every tensor was compared, with all its elements."""
        return (self.tensors, self.elements) == (self.compared_tensors, self.compared_elements)


@dataclass(frozen=True)
class Coverage:
    """Both sides' shares, how many rows have each status that was not compared, and how many are
    not measured yet."""

    base: Share
    target: Share
    statuses: dict[Status, int]
    waiting: int

    @property
    def is_whole(self) -> bool:
        """Whether everything of both sides was compared."""
        return self.base.is_whole and self.target.is_whole

    @property
    def is_enough(self) -> bool:
        """Whether of both sides so much was compared that a change can be named."""
        return min(self.base.of_elements, self.target.of_elements) >= ENOUGH

    @property
    def elements_words(self) -> str:
        """What elements a sentence is of: ``all elements``, or which share of each side's."""
        return "all elements" if self.is_whole else f"the compared elements ({self.shares_words})"

    @property
    def shares_words(self) -> str:
        """The share of each side's elements that were compared."""
        one, other = self.base.elements_text, self.target.elements_text
        return (
            f"{one} of either side's" if one == other else f"{one} of base's, {other} of target's"
        )


def coverage_of(changes: Sequence[Change]) -> Coverage:
    """The coverage of a change table, also of one that is not finished."""
    counts = Counter([change.pair.status for change in changes])
    statuses = {status: counts[status] for status in _MISSING if counts[status]}
    waiting = sum(change.waiting for change in changes)
    return Coverage(_share_of(changes, "base"), _share_of(changes, "target"), statuses, waiting)


def describe_lack(coverage: Coverage) -> str:
    """The sentence to begin with where too little was compared; empty where it is enough."""
    base, target = coverage.base, coverage.target
    if coverage.is_enough and base.read_tensors:
        return ""
    if _is_strange(coverage):
        return (
            "No tensor could be compared: the names of base's "
            f"{counted(base.tensors, 'tensor')} and of target's {target.tensors:,} have nothing in "
            "common."
        )
    why = _why(coverage)
    why = f": {why}." if why else "."
    if not base.compared_elements and not coverage.waiting:
        return f"No {'element' if base.read_tensors else 'tensor'} could be compared{why}"
    if base.elements_text == target.elements_text:
        share = f"{base.elements_text} of either side's elements"
    else:
        sides = sorted(((base, "base"), (target, "target")), key=lambda side: side[0].of_elements)
        (less, name), (more, other) = sides
        share = f"{less.elements_text} of {name}'s elements"
        why = f", and {more.elements_text} of {other}'s{why}"
    if coverage.waiting:
        return f"So far {share} were compared{why}"
    return f"Only {share} could be compared{why}"


def describe_coverage(changes: Sequence[Change], coverage: Coverage) -> Iterator[str]:
    """What was compared of each side, and what was not and why."""
    base, target = coverage.base, coverage.target
    if coverage.is_whole and base.tensors != target.tensors:
        yield (
            f"All of base's {counted(base.tensors, 'tensor')} and all of target's "
            f"{target.tensors:,} were compared, {format_count(base.elements)} and "
            f"{format_count(target.elements)} elements."
        )
    elif coverage.is_whole and base.tensors:
        elements = "element" if base.elements == 1 else "elements"
        all_of = "The one tensor was" if base.tensors == 1 else f"All {base.tensors:,} tensors were"
        yield f"{all_of} compared, {format_count(base.elements)} {elements}."
    elif base.compared_tensors:
        one, other = _compared(base), _compared(target)
        if one == other:
            yield f"Of either side's {one}."
        else:
            yield f"Of base's {one}; of target's {other}."
    if coverage.waiting:
        are = "is" if coverage.waiting == 1 else "are"
        yield f"{counted(coverage.waiting, 'tensor')} {are} not measured yet."
    left_out = [change.pair for change in changes if change.pair.status != "compared"]
    for status, words in STATUS_WORDS.items():
        places = [pair.place for pair in left_out if pair.status == status]
        if places:
            yield f"{len(places):,} {words.counted}: {places_words(places)}."


def describe_unread(unread: Unread) -> str:
    """A sentence on parts that were not read; empty where there is none."""
    sides = [
        f"{enumeration([*parts[:_MOST_PARTS], *_rest(parts)])} of {name}"
        for name, parts in zip(("base", "target"), unread, strict=True)
        if parts
    ]
    if not sides:
        return ""
    return f"Weights that lie beside these were not read and may differ: {'; '.join(sides)}."


def _rest(parts: Sequence[str]) -> list[str]:
    more = len(parts) - _MOST_PARTS
    return [f"{more:,} more"] if more > 0 else []


def _compared(share: Share) -> str:
    nbytes = _share(share.compared_bytes, share.nbytes)
    of_bytes = f"{nbytes} of the bytes"
    text = f"{share.elements_text} of the elements, {of_bytes}"
    if nbytes == share.elements_text:
        text = f"{nbytes} of the elements and of the bytes"
    were = "was" if share.compared_tensors == 1 else "were"
    return f"{counted(share.tensors, 'tensor')} {share.compared_tensors:,} {were} compared: {text}"


def _is_strange(coverage: Coverage) -> bool:
    """Whether both sides have tensors, and none of one is at a place of the other's."""
    return set(coverage.statuses) == {"only_in_base", "only_in_target"} and not (
        coverage.base.read_tensors or coverage.waiting
    )


def _why(coverage: Coverage) -> str:
    """What was not compared is, by status, how many tensors; else elements are not finite."""
    parts = [
        f"{count:,} {STATUS_WORDS[status].counted}" for status, count in coverage.statuses.items()
    ]
    if not parts:
        if coverage.waiting or not coverage.base.read_tensors:
            return ""
        some = coverage.base.compared_elements
        return "the others are not finite" if some else "none is finite on both sides"
    first = next(iter(coverage.statuses.values()))
    verb = "tensor is" if first == 1 else "tensors are"
    return enumeration([parts[0].replace(" ", f" {verb} ", 1), *parts[1:]])


def _share(part: int, whole: int) -> str:
    return format_pct(100 * part / whole) if whole else format_pct(100.0)


def _share_of(changes: Sequence[Change], side: _Side) -> Share:
    """Of one side, each stored tensor once; one that stands in two rows counts as the better."""
    sizes: dict[str, tuple[int, int]] = {}
    compared: dict[str, tuple[int, int]] = {}
    for change in changes:
        tensor = getattr(change.pair, side)
        if tensor is None or change.pair.status in ("buffer", "tied"):
            continue
        label = tensor.label
        sizes[label] = _whole_size(change, side, tensor)
        if change.statistics is not None:
            elements = compared_elements(change)
            finite = elements / tensor.elements if tensor.elements else 1.0
            read = elements, round(finite * tensor.nbytes)
            compared[label] = max(compared[label], read) if label in compared else read
    return Share(
        tensors=len(sizes),
        elements=sum(elements for elements, _ in sizes.values()),
        nbytes=sum(nbytes for _, nbytes in sizes.values()),
        compared_tensors=sum(
            elements > 0 or not sizes[label][0] for label, (elements, _) in compared.items()
        ),
        compared_elements=sum(elements for elements, _ in compared.values()),
        compared_bytes=sum(nbytes for _, nbytes in compared.values()),
        read_tensors=len(compared),
    )


def _whole_size(change: Change, side: _Side, tensor: TensorInfo) -> tuple[int, int]:
    """Elements and bytes of a side's stored tensor, with the rows that the other side lacks."""
    shared = change.pair.shared
    if shared is None or not shared.compared:
        return values_of(change.pair, side), tensor.nbytes
    rows = getattr(shared, side)
    return (
        tensor.elements // shared.compared * rows,
        tensor.nbytes // shared.compared * rows,
    )
