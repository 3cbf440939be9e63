"""What a poster says beside its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from modeldiff.architectures import FactPair
from modeldiff.architectures.facts.diagram_anchors import in_brief
from modeldiff.architectures.facts.lineage import telling
from modeldiff.comparison import Comparison
from modeldiff.findings.coverage import coverage_of, describe_coverage
from modeldiff.findings.narrative import narrate
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results import Result
from modeldiff.text.formatting import format_cosine, format_pct

_MOST_DIFFERENCES = 3
_MOST_FACTS = 3
_DIGITS = 8


@dataclass(frozen=True)
class PosterEntry:
    """One thing that differs: a word, what it became, and what that means. ``kind`` is what it is
    about: how the models are built, or their weights."""

    kind: Literal["structure", "weights"]
    label: str
    value: str
    meaning: str


@dataclass(frozen=True)
class PosterWords:
    """``sentence`` goes over everything, ``more`` are further ones; ``same`` is what did not
    change, ``coverage`` what was compared, ``origin`` one line on where all this comes from."""

    sentence: str
    more: tuple[str, ...]
    entries: tuple[PosterEntry, ...]
    same: str
    coverage: str
    origin: str


def poster_words(result: Result, comparison: Comparison | None) -> PosterWords:
    """The words of a finished diff's poster; without the ``comparison`` none on how the models are
    built."""
    narrative = narrate(result.changes)
    changes, header = result.changes, result.header
    prints = (header.base_fingerprint, header.target_fingerprint)
    short = " → ".join(one.rpartition(":")[2][:_DIGITS] for one in prints)
    coverage = tuple(describe_coverage(changes, coverage_of(changes)))
    said = coverage[:1]
    origin = (f"modeldiff {header.version}", header.created[:10], header.device, short)
    facts = () if comparison is None else comparison.facts
    return PosterWords(
        sentence=narrative.headline,
        more=tuple(fact for fact in narrative.facts if fact not in said)[:_MOST_FACTS],
        entries=tuple(_entries(result, facts)),
        same="" if comparison is None else _same(facts, comparison.target.architecture.title),
        coverage="".join(said),
        origin=" · ".join(origin),
    )


def _entries(result: Result, facts: Sequence[FactPair]) -> Iterator[PosterEntry]:
    for pair in telling(facts)[:_MOST_DIFFERENCES]:
        old, new = in_brief(pair)
        yield PosterEntry("structure", pair.label, f"{old} → {new}", pair.meaning_beside_label)
    whole = result.changes.whole
    if whole is not None:
        numbers = [
            f"Frobenius {format_pct(whole.rel_frobenius_pct)}",
            f"cosine {format_cosine(whole.cosine)}",
            f"{format_pct(whole.sign_flip_pct)} of signs flipped",
        ]
        value = f"median {format_pct(whole.median_pct)}"
        yield PosterEntry("weights", "All weights together", value, ", ".join(numbers))


def _same(facts: Sequence[FactPair], title: str) -> str:
    same = sum(pair.same for pair in facts)
    if same == len(facts):
        return f"Built the same: {title}, all {same} facts."
    if any(pair.one_sided for pair in facts):
        return f"{same} of {len(facts)} facts are known to be the same: {title}."
    return f"The other {same} facts are the same: {title}."
