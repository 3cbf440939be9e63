"""An adapter that was put on a base, and what a comparison with it shows: that the other side is
just that, merged; that nothing, a part or another share of it was merged; that the adapter does
nothing; or that the other side has an adapter of its own on the same weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import get_args

from modeldiff.architectures.naming.merged_updates import MERGED_HERE
from modeldiff.changes import Change
from modeldiff.changes.relation import AdapterRelationKind
from modeldiff.findings.coverage import Coverage
from modeldiff.findings.evidence import Evidence, is_equal
from modeldiff.findings.rounded_types import rounding_type
from modeldiff.findings.witnesses.merged_witnesses import is_rounded_otherwise
from modeldiff.findings.words import AS_FAR, enumeration, places_words
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted, format_pct, format_small

ADAPTER_KINDS = get_args(AdapterRelationKind)
"""The kinds of relations that are told here."""
_SIDES = ("base", "target")
_NEAR_ONE = 0.1
"""Shares so near 1 are told with a digit more: they are others than 1."""


@dataclass(frozen=True)
class _Adapted:
    """The rows that the adapter of ``side`` alone updates, by what they are on the ``other`` side:
    ``merged`` exactly, or ``nearly``, but for rounding; ``otherwise``, the same but for a few
    elements, which a witness tells of; ``scaled``, with another share of the update; ``off``,
    without it; ``rounded``, merged onto a coarse grid; ``unlike``, none of these. Of ``idle`` ones
    all are equal, since the update changes nothing."""

    side: str
    other: str
    merged: Sequence[Change]
    nearly: Sequence[Change]
    otherwise: Sequence[Change]
    scaled: Sequence[Change]
    off: Sequence[Change]
    rounded: Sequence[Change]
    unlike: Sequence[Change]
    idle: Sequence[Change]

    @property
    def told(self) -> int:
        """How many rows are one of these."""
        known = (self.merged, self.nearly, self.otherwise, self.scaled, self.off, self.rounded)
        return sum(map(len, known))


def _adapted(evidence: Evidence) -> Iterator[_Adapted]:
    """What each side's adapter updates, of those that have one."""
    for side, other in (_SIDES, _SIDES[::-1]):
        rows = [c for c in evidence.compared if _is_updated(c, side) and not _is_updated(c, other)]
        kinds: dict[str, list[Change]] = {}
        for change in rows:
            kinds.setdefault(_kind(change), []).append(change)
        shares, untold = kinds.get("adapter_share", []), kinds.get("", [])
        few = [c for c in untold if c.pair.place in evidence.explained and is_rounded_otherwise(c)]
        few_places = {c.pair.place for c in few}
        off = "adapter_off" if side == "base" else "adapter_on"
        # Of slices of a fused matrix no reason is kept.
        off_rows = [c for c in evidence.moved if _kind(c) == off]
        if rows or off_rows:
            yield _Adapted(
                side,
                other,
                kinds.get("equal", []),
                [c for c in shares if c.relation and c.relation.low == 1.0],
                few,
                [c for c in shares if c.relation and c.relation.low != 1.0],
                off_rows,
                kinds.get("adapter_rounded", []),
                [c for c in untold if c.pair.place not in few_places],
                kinds.get("adapter_idle", []),
            )


def _is_updated(change: Change, side: str) -> bool:
    return f"{side}: {MERGED_HERE}" in change.pair.reason


def _kind(change: Change) -> str:
    if change.relation is not None and change.relation.kind in ADAPTER_KINDS:
        return change.relation.kind
    return "equal" if is_equal(change) else ""


def merged_facts(evidence: Evidence, coverage: Coverage) -> Iterator[str]:
    """What an adapter on one side's base makes of the comparison: that the other is just that,
    merged; that it is the base, in which nothing was merged; or what of both it is."""
    for own in _adapted(evidence):
        yield from _facts_of(own, whole=not evidence.moved and coverage.is_whole)
    both = [c for c in evidence.moved if _kind(c) == "adapters"]
    if both:
        yield (
            f"{counted(len(both), 'tensor')} {'is' if len(both) == 1 else 'are'} the same on both "
            f"sides without {'its' if len(both) == 1 else 'their'} adapters ({_ranks(both)}; "
            f"{_exactly(both)}): {_places(both)}."
        )


def _facts_of(own: _Adapted, *, whole: bool) -> Iterator[str]:
    side, other = own.side, own.other
    if own.off:
        all_of_it = len(own.off) == own.told and not own.unlike
        where = f"In {other}" if all_of_it else "There"
        yield (
            f"{_of(own.off, other)} what {side} is without its adapter ({_ranks(own.off)}; "
            f"{_exactly(own.off)}): {_places(own.off)}. {where}, this adapter is not merged"
            f"{_as_far(own.off)}."
        )
    for share, rows in _by_share(own.scaled):
        yield (
            f"{_of(rows, other)} {side} without its adapter and {share} the adapter's update "
            f"({_ranks(rows)}; {_within_steps(rows)}): {_places(rows)}."
        )
    if own.rounded:
        far = max(c.relation.rest_pct for c in own.rounded if c.relation)
        yield (
            f"By a sample of each, {_of(own.rounded, other)} {side}'s adapter "
            f"({_ranks(own.rounded)}) on weights that had been rounded to a coarse grid, by up to "
            f"{format_pct(far)} (relative Frobenius): {_places(own.rounded)}."
        )
    if own.nearly:
        yield (
            f"{_of(own.nearly, other)} what merging {side}'s adapter ({_ranks(own.nearly)}) into "
            f"its base gives, but for rounding ({_within_steps(own.nearly)}): "
            f"{_places(own.nearly)}."
        )
    if own.idle:
        yield (
            f"The adapter of {side} ({_ranks(own.idle)}) changes nothing in "
            f"{counted(len(own.idle), 'tensor')} ({_places(own.idle)}): each of "
            f"{_seen(own.idle):,} elements looked at is the same with its update as without."
        )
    if own.merged:
        yield (
            f"{_of(own.merged, other)} exactly what merging {side}'s adapter into its base gives "
            f"({_places(own.merged)})"
            + (f": {other} is that base with that adapter merged." if whole else ".")
        )


def merged_whole(evidence: Evidence) -> str:
    """That one side is the other's base with its adapter merged, where all rows are equal; empty
    where no side alone has an adapter."""
    adapted = list(_adapted(evidence))
    if len(adapted) != 1:
        return ""
    (own,) = adapted
    if own.idle and not own.merged:
        return (
            f"Nothing but {own.side}'s adapter stands between them, and that changes nothing in "
            "any element looked at: its update is zero there, or too small for the stored type. "
            f"{own.other.capitalize()} is what merging it gives, and as far as was looked at what "
            "it was put on."
        )
    return (
        f"Exactly {own.side}'s adapter merged into its base: all weights of {own.other} are what "
        "that gives."
    )


def known_adapter(evidence: Evidence) -> tuple[str, ...]:
    """What moved is what an adapter on one side updates, or what adapters on both do: that is
    known, and need not be inferred."""
    kinds = {_kind(c) for c in evidence.moved} & set(ADAPTER_KINDS)
    others = {c.relation.kind for c in evidence.moved if c.relation} - kinds
    adapted = [own for own in _adapted(evidence) if own.told > len(own.merged)]
    if not kinds or others:
        return ()
    sampled = _as_far([c for c in evidence.compared if _kind(c) in ADAPTER_KINDS])
    told = {c.pair.place for own in adapted for c in own.otherwise}
    beside = [c for c in evidence.moved if c.relation is None and c.pair.place not in told]
    rounded = [c for c in beside if rounding_type(c)]
    beside = [c for c in beside if c not in rounded]
    if "adapters" in kinds or (len(adapted) > 1 and not told):
        more = kinds - {"adapters", "adapter_on", "adapter_off"}
        both = _both_adapted(evidence, beside, rounded)
        return () if more else (_hedged(both, sampled),)
    if len(adapted) != 1:
        return ()
    (own,) = adapted
    gist = f"{_gist(own, evidence, beside)}{_beside(own, beside, rounded)}"
    return (_hedged(gist, sampled),)


def _gist(own: _Adapted, evidence: Evidence, beside: Sequence[Change]) -> str:
    """What was done with an adapter, in the first sentence."""
    side, other = own.side, own.other
    nearly = [*own.nearly, *own.otherwise]
    exactly = "" if own.merged and not nearly else " but for rounding"
    parts = [
        ([*own.merged, *nearly], f"as merging it gives{exactly}"),
        (own.scaled, "with another share of its update"),
        (own.rounded, "with its update on weights rounded to a coarse grid"),
        (own.off, "without it"),
        (own.unlike, "otherwise"),
    ]
    occurring = [(rows, words) for rows, words in parts if rows]
    if len(occurring) > 1:
        named = [f"{len(rows):,} {words}" for rows, words in occurring]
        count = sum(len(rows) for rows, _ in occurring)
        alike = "" if own.unlike else ": it was not merged into all alike"
        return (
            f"Of {counted(count, 'tensor')} that {side}'s adapter updates {other} has "
            f"{enumeration(named)}{alike}."
        )
    if own.rounded:
        return (
            f"Like {side}'s adapter merged onto a base that had been quantised and dequantised: "
            f"taking the update off {counted(len(own.rounded), 'tensor')} of {other} leaves base's "
            "weights rounded to a coarse grid, and not base's weights."
        )
    if own.nearly:
        return (
            f"But for rounding, {side}'s adapter merged into its base: as when it is merged or "
            "stored in another type."
        )
    if own.scaled:
        times = enumeration([share for share, _ in _by_share(own.scaled)])
        return (
            f"Like {side}'s adapter merged into its base with {times} its own scale, as when it is "
            "merged several times, with another alpha or rank, or taken off where it never was."
        )
    if beside:
        return (
            f"The adapter on {side} ({_ranks(own.off)}) is what moved {len(own.off):,} of "
            f"{len(evidence.moved):,} tensors."
        )
    return f"All that moved is the adapter on {side} ({_ranks(own.off)})."


def _beside(own: _Adapted, beside: Sequence[Change], rounded: Sequence[Change]) -> str:
    """What moved beside an adapter, after a space."""
    text = ""
    if beside:
        text = f" Beside {_them(own.told)} {_places(beside)} moved, too."
        if own.off and len(own.off) == own.told:
            text = f" Beside it {_places(beside)} moved, which it may have replaced as a whole."
    elif own.off and len(own.off) == own.told and not rounded:
        text = f" Beside it, {own.side} and {own.other} are the same weights."
    return text + _only_rounded(rounded)


def _both_adapted(evidence: Evidence, beside: Sequence[Change], rounded: Sequence[Change]) -> str:
    if beside:
        own = len(evidence.moved) - len(beside) - len(rounded)
        return (
            f"Adapters on both sides are what moved {own:,} of {len(evidence.moved):,} tensors: "
            f"without them these are the same weights. Beside them {_places(beside)} moved, too."
            f"{_only_rounded(rounded)}"
        )
    same = "" if rounded else " and all others"
    return (
        "All that moved is what adapters on both sides update: without them, these"
        f"{same} are the same weights.{_only_rounded(rounded)}"
    )


def _only_rounded(rounded: Sequence[Change]) -> str:
    if not rounded:
        return ""
    types = sorted({coarse for c in rounded if (coarse := rounding_type(c))})
    return (
        f" {counted(len(rounded), 'tensor')} beside moved by no more than rounding to "
        f"{enumeration(types)} moves {_them(len(rounded))}."
    )


def _by_share(rows: Sequence[Change]) -> list[tuple[str, Sequence[Change]]]:
    """Rows by the share of the update that they have, in words, ascending."""
    groups: dict[float, list[Change]] = {}
    for change in rows:
        if change.relation:
            share = change.relation.low
            digits = 3 if abs(share - 1) < _NEAR_ONE else 2
            groups.setdefault(float(f"{share:.{digits}g}"), []).append(change)
    return [(f"about {format_small(share)} times", groups[share]) for share in sorted(groups)]


def _of(rows: Sequence[Change], side: str) -> str:
    """How many tensors of a side are something."""
    return f"{counted(len(rows), 'tensor')} of {side} {'is' if len(rows) == 1 else 'are'}"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _places(rows: Sequence[Change]) -> str:
    return places_words([change.pair.place for change in rows])


def _exactly(rows: Sequence[Change]) -> str:
    """How much of a sample is so, and how exactly."""
    rest = any(c.relation.rest_pct for c in rows if c.relation)
    how = "so, once rounded to the narrower type" if rest else "exactly so"
    return f"each of {_seen(rows):,} elements looked at is {how}"


def _as_far(rows: Sequence[Change]) -> str:
    """What a conclusion from relations of these ends with, where not each of their elements was
    looked at: an adapter merged into the others alone would not have been seen."""
    whole = all(c.relation.seen >= c.relation.count for c in rows if c.relation)
    return "" if whole else f", {AS_FAR}"


def _hedged(text: str, sampled: str) -> str:
    """The same sentences, which begin with it where they rest on samples: they may be cut."""
    return f"As{AS_FAR[2:]}, {text[:1].lower()}{text[1:]}" if sampled else text


def _within_steps(rows: Sequence[Change]) -> str:
    seen = _seen(rows)
    matched = sum(c.relation.matched for c in rows if c.relation)
    share = f"each of {seen:,}" if matched == seen else f"{matched:,} of {seen:,}"
    are = "is" if matched == seen else "are"
    return f"{share} elements looked at {are} so within the steps of the stored types"


def _seen(rows: Sequence[Change]) -> int:
    return sum(c.relation.seen for c in rows if c.relation)


def _ranks(rows: Collection[Change]) -> str:
    """The ranks of their updates."""
    ranks = sorted({c.relation.size for c in rows if c.relation and c.relation.size})
    if not ranks:
        return "rows and biases"
    return f"rank {ranks[0]:,}" if len(ranks) == 1 else f"ranks {ranks[0]:,} to {ranks[-1]:,}"
