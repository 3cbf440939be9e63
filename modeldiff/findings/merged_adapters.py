"""An adapter that was put on a base, and what a comparison with it shows: that the other side is
just that, merged; or that it is the base, in which nothing was merged."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from modeldiff.architectures.naming.merged_updates import MERGED_HERE
from modeldiff.changes import Change
from modeldiff.findings.coverage import Coverage
from modeldiff.findings.evidence import Evidence, is_equal
from modeldiff.findings.words import places_words
from modeldiff.text.formatting import counted, format_pct

ADAPTER_KINDS = ("adapter_on", "adapter_off", "adapter_rounded")
"""The kinds of relations that are told here."""


def merged_facts(evidence: Evidence, coverage: Coverage) -> Iterator[str]:
    """What an adapter on one side's base makes of the comparison: that the other is just that,
    merged; or that it is the base, in which nothing was merged."""
    for kind, side, other in (
        ("adapter_off", "base", "target"),
        ("adapter_on", "target", "base"),
    ):
        off = [c for c in evidence.moved if c.relation and c.relation.kind == kind]
        if off:
            seen = sum(c.relation.seen for c in off if c.relation)
            yield (
                f"{counted(len(off), 'tensor')} of {other} {'is' if len(off) == 1 else 'are'} what "
                f"{side} is without its adapter ({_ranks(off)}; each of {seen:,} elements looked "
                f"at is exactly so): {places_words([c.pair.place for c in off])}. In {other}, this "
                "adapter is not merged."
            )
        merged = [c for c in evidence.compared if f"{side}: {MERGED_HERE}" in c.pair.reason]
        rounded = [c for c in merged if c.relation and c.relation.kind == "adapter_rounded"]
        if rounded:
            far = max(c.relation.rest_pct for c in rounded if c.relation)
            yield (
                f"{counted(len(rounded), 'tensor')} of {other} "
                f"{'is' if len(rounded) == 1 else 'are'} {side}'s adapter ({_ranks(rounded)}) on "
                f"weights that had been rounded to a coarse grid, by up to {format_pct(far)} "
                "(relative Frobenius of a sample): "
                f"{places_words([c.pair.place for c in rounded])}."
            )
        if not merged or not all(map(is_equal, merged)):
            continue
        whole = not evidence.moved and coverage.is_whole
        yield (
            f"{counted(len(merged), 'tensor')} of {other} "
            f"{'is' if len(merged) == 1 else 'are'} exactly what merging {side}'s adapter into its "
            f"base gives ({places_words([c.pair.place for c in merged])})"
            + (f": {other} is that base with that adapter merged." if whole else ".")
        )


def merged_whole(evidence: Evidence) -> str:
    """That one side is the other's base with its adapter merged, where all rows are equal; empty
    where no side alone has an adapter."""
    sides = [
        side
        for side in ("base", "target")
        if any(f"{side}: {MERGED_HERE}" in c.pair.reason for c in evidence.compared)
    ]
    if len(sides) != 1:
        return ""
    other = "target" if sides == ["base"] else "base"
    return (
        f"Exactly {sides[0]}'s adapter merged into its base: all weights of {other} are what that "
        "gives."
    )


def known_adapter(evidence: Evidence) -> tuple[str, ...]:
    """What moved is what an adapter on one side updates: that is known, and need not be
    inferred."""
    kinds = {c.relation.kind for c in evidence.moved if c.relation}
    if kinds == {"adapter_rounded"}:
        return (_merged_on_rounded(evidence),)
    if len(kinds) != 1 or not kinds <= set(ADAPTER_KINDS):
        return ()
    own = [c for c in evidence.moved if c.relation]
    others = [c.pair.place for c in evidence.moved if c.relation is None]
    side, other = ("target", "base") if "adapter_on" in kinds else ("base", "target")
    if others:
        return (
            f"The adapter on {side} ({_ranks(own)}) is what moved {len(own):,} of "
            f"{len(evidence.moved):,} tensors; beside it {places_words(others)} moved, which it "
            "may have replaced as a whole.",
        )
    return (
        f"All that moved is the adapter on {side} ({_ranks(own)}): beside it, {side} and {other} "
        "are the same weights.",
    )


def _merged_on_rounded(evidence: Evidence) -> str:
    side, other = ("base", "target")
    if any(f"target: {MERGED_HERE}" in c.pair.reason for c in evidence.moved):
        side, other = other, side
    count = sum(c.relation is not None for c in evidence.moved)
    beside = [c for c in evidence.moved if c.relation is None]
    also = ""
    if beside:
        places = places_words([c.pair.place for c in beside])
        also = f" {counted(len(beside), 'tensor')} beside these moved, too: {places}."
    return (
        f"Like {side}'s adapter merged onto a base that had been quantised and dequantised: taking "
        f"the update off {counted(count, 'tensor')} of {other} leaves base's weights rounded to a "
        f"coarse grid, and not base's weights.{also}"
    )


def _ranks(rows: Collection[Change]) -> str:
    """The ranks of their updates."""
    ranks = sorted({c.relation.size for c in rows if c.relation and c.relation.size})
    if not ranks:
        return "rows and biases"
    return f"rank {ranks[0]:,}" if len(ranks) == 1 else f"ranks {ranks[0]:,} to {ranks[-1]:,}"
