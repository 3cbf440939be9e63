"""What a change is like, beside published pairs: hedged, and never from one number alone.

A level of training is named only where both sides were compared, nothing is broken, nothing stood
still and no other recipe fits; it is that of the layers' matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modeldiff.findings.coverage import Coverage
from modeldiff.findings.evidence import LEVEL_KINDS, Evidence, mean_frobenius
from modeldiff.findings.likeness.recipes import describe_recipe
from modeldiff.findings.merged_adapters import merged_whole
from modeldiff.findings.witnesses.witness import Witness
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_cosine, format_pct


@dataclass(frozen=True)
class ReferencePoint:
    """A public pair and the mean over its tensors of their relative Frobenius change, in percent,
    as the modeldelta project published it."""

    pair: str
    mean_pct: float


REFERENCE_POINTS: tuple[ReferencePoint, ...] = (
    ReferencePoint("Tülu 3 8B SFT → DPO", 0.071),
    ReferencePoint("Qwen2.5 7B → Instruct", 1.2),
    ReferencePoint("Llama 3.1 8B → Instruct", 3.5),
    ReferencePoint("Mistral 7B v0.1 → v0.3", 12.8),
    ReferencePoint("Llama 3.1 8B → R1 distilled", 15.0),
    ReferencePoint("Qwen2 7B → Qwen2.5 7B", 58.6),
    ReferencePoint("Qwen2.5 7B → Math", 95.0),
)

# Where one kind of training gives way to the next: the geometric middle of the reference points on
# both sides. Below the first is light tuning, above the last continued pretraining alone.
_LIGHT_PCT = (0.071 * 1.2) ** 0.5
_INSTRUCT_PCT = (3.5 * 12.8) ** 0.5
_HEAVY_PCT = (15.0 * 58.6) ** 0.5


def describe_likeness(
    evidence: Evidence,
    coverage: Coverage,
    witnesses: Sequence[Witness] = (),
    *,
    all_read: bool = True,
) -> Iterator[str]:
    """Sentences on what the change is like, the first one the gist; none where nothing could be
    compared. ``all_read``: nothing that may belong to either model lies unread beside it."""
    if not evidence.compared:
        return
    if evidence.broken:
        yield "No kind of change is named, since some weights are not finite."
        return
    if not coverage.is_enough:
        so_far = " so far" if coverage.waiting else ""
        yield f"No kind of change is named: too little could be compared{so_far}."
        return
    if not evidence.elements:
        return
    if not evidence.moved:
        yield (coverage.is_whole and all_read and merged_whole(evidence)) or _identical(
            coverage, all_read
        )
        return
    yield from dict.fromkeys(witness.likeness for witness in witnesses if witness.likeness)
    yield from describe_recipe(evidence) or _level(evidence, coverage)


def _identical(coverage: Coverage, all_read: bool) -> str:
    if coverage.is_whole and not all_read:
        return (
            "The same weights in all tensors that were read; nothing is known of those beside them."
        )
    if coverage.is_whole:
        return (
            "The same weights in all tensors: only files, layout, types, or what is beside "
            "the tensors may differ."
        )
    return (
        f"What both have is the same ({coverage.shares_words} elements): one looks like the other "
        "with parts added, removed or resized."
    )


def _level(evidence: Evidence, coverage: Coverage) -> tuple[str, ...]:
    """The level of training, by the mean of the layers' matrices beside the reference points."""
    matrices = evidence.moved_matrices
    mean = mean_frobenius(evidence.of_kinds(LEVEL_KINDS))
    if matrices is None or matrices.cosine is None or mean is None:
        return ()
    other = "other " if evidence.explained else ""
    of = "" if coverage.is_whole else f" of what was compared ({coverage.shares_words} elements)"
    return (
        _kind(mean),
        f"The mean relative Frobenius change of the layers' {other}matrices{of} is "
        f"{format_pct(mean)}, {_neighbours(mean)}; their cosine is "
        f"{format_cosine(matrices.cosine)}, {format_pct(matrices.sign_flip_pct)} of signs flipped. "
        "The reference pairs have 7 to 8 billion parameters; numbers alone do not tell how "
        "target was made.",
    )


def _kind(mean: float) -> str:
    if mean < _LIGHT_PCT:
        return "Like light tuning (DPO, RL) or less."
    if mean < _INSTRUCT_PCT:
        return "Like instruction tuning."
    if mean < _HEAVY_PCT:
        return "Like heavy tuning, distillation or continued pretraining."
    return "Like long continued pretraining."


def _neighbours(mean: float) -> str:
    """The reference points on both sides."""
    below = [point for point in REFERENCE_POINTS if point.mean_pct <= mean]
    above = [point for point in REFERENCE_POINTS if point.mean_pct > mean]
    named = [f"{p.pair} ({format_pct(p.mean_pct)})" for p in (*below[-1:], *above[:1])]
    near = [p for p in (*below[-1:], *above[:1]) if format_pct(p.mean_pct) == format_pct(mean)]
    if near:
        return f"about that of {near[0].pair} ({format_pct(near[0].mean_pct)})"
    if not below:
        return f"less than that of {named[0]}"
    return f"between {named[0]} and {named[1]}" if above else f"more than that of {named[0]}"
