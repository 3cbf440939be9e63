"""The two or three things that differ between two models, shortest first to read: of how they are
built, and of how far their weights moved. Each leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median, median_low
from typing import Literal

from modeldiff.architectures import FactPair
from modeldiff.architectures.facts.diagram_anchors import in_brief
from modeldiff.architectures.facts.lineage import telling
from modeldiff.changes import Change, ChangeTable
from modeldiff.findings.coverage import coverage_of
from modeldiff.findings.evidence import LEVEL_KINDS, Evidence, KindRows, TensorKind
from modeldiff.findings.measured.depth import Outstanding, outstanding_layers
from modeldiff.findings.quantised.describe import lossy_rows
from modeldiff.findings.status_words import STATUS_WORDS
from modeldiff.findings.words import columns_words, place_words, places_words
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted, format_layers, format_pct

DifferenceKind = Literal["structure", "matrices", "norms", "same"]
"""What differs: how the models are built, their matrices, their norms; or that something is the
same."""
_FAR = 4.0
"""Norms whose change is so many times smaller than that of matrices moved far less."""


@dataclass(frozen=True)
class MainDifference:
    """``title`` and ``value`` are one line, ``note`` the next. ``layer`` and ``column`` are where
    it is on the heatmap (None: no one place); ``fact`` the key of the fact that it is of."""

    kind: DifferenceKind
    title: str
    value: str
    note: str = ""
    layer: int | None = None
    column: str | None = None
    fact: str = ""


def structure_differences(pairs: Sequence[FactPair]) -> tuple[MainDifference, ...]:
    """The differences of two architectures' facts that tell the most, the most telling first."""
    return tuple(_structure(pair) for pair in telling(pairs))


def weight_differences(changes: ChangeTable) -> tuple[MainDifference, ...]:
    """What a change table shows first: the layers that stand out, how far matrices and norms moved,
    and what is equal or was not compared."""
    evidence = Evidence(changes)
    return tuple(
        difference
        for differences in (
            _stored(evidence),
            _outstanding(evidence),
            _matrices(evidence),
            _norms(evidence),
            _equal(evidence),
            _left_out(changes),
        )
        for difference in differences
    )


def stand_out_sentence(changes: ChangeTable) -> str:
    """``q_proj and k_proj of layers 0–3 stand out: 25–43 %, elsewhere 18–21 %.``; empty where no
    layer does."""
    first = next(_outstanding(Evidence(changes)), None)
    if first is None:
        return ""
    verb = "stand" if " and " in first.title else "stands"
    return f"{first.title} {first.value} {verb} out: {first.note}."


def _structure(pair: FactPair) -> MainDifference:
    old, new = in_brief(pair)
    return MainDifference(
        "structure", pair.label, f"{old} → {new}", pair.meaning_beside_label, fact=pair.key
    )


def short_column(column: str) -> str:
    """A column by its last part: ``self_attn.q_proj`` → ``q_proj``, ``self_attn.q_proj.bias`` →
    ``q_proj.bias``."""
    parts = column.split(".")
    return ".".join(parts[-2:] if parts[-1] == "bias" else parts[-1:])


def _stored(evidence: Evidence) -> Iterator[MainDifference]:
    """Which lossy types the sides have where they differ, and how far these move weights alone."""
    groups = [group for group in lossy_rows(evidence) if len(set(group.types)) != 1]
    both = bool(groups)
    groups = groups or list(lossy_rows(evidence))
    if not groups:
        return
    first = groups[0]
    alone = "" if first.alike else f", {format_pct(first.floor_pct)} by type alone"
    more = f" and {counted(len(groups) - 1, 'more pair' if both else 'more type')}"
    yield MainDifference(
        "structure",
        "Types" if both else "Type",
        (" → ".join(first.types) if both else first.words) + (more if len(groups) > 1 else ""),
        f"{counted(len(first.rows), 'tensor')} {format_pct(first.size_pct)} apart (relative "
        f"Frobenius){alone}",
        fact="stored_types",
    )


def _outstanding(evidence: Evidence) -> Iterator[MainDifference]:
    """The layers of a component, or of several alike, that moved far more than its others."""
    cells, by = outstanding_layers(evidence)
    groups: dict[tuple[int, ...], list[Outstanding]] = {}
    for cell in cells:
        if cell.more:
            groups.setdefault(cell.layers, []).append(cell)
    ranked = sorted(groups.values(), key=lambda g: max(c.farthest for c in g), reverse=True)
    for group in ranked[:1]:
        first = max(group, key=lambda cell: cell.farthest)
        inside, others = _values(group)
        if max(others) >= min(inside):  # Together they would not stand out: each has its own usual.
            group = [first]
            inside, others = _values(group)
        farthest = max(zip(first.values, first.layers, strict=True))[1]
        yield MainDifference(
            "matrices",
            columns_words([short_column(cell.profile.column) for cell in group]),
            f"of {format_layers(group[0].layers)}",
            f"{_range(inside)}, in other layers {_range(others)}{_by(by)}",
            layer=farthest,
            column=first.profile.column,
        )


def _values(group: Sequence[Outstanding]) -> tuple[list[float], list[float]]:
    """The values of the layers that stand out, and those of the components' other layers."""
    inside = [value for cell in group for value in cell.values]
    others = [
        value
        for cell in group
        for layer, value in zip(cell.profile.layers, cell.profile.values, strict=True)
        if layer not in cell.layers
    ]
    return inside, others


def _matrices(evidence: Evidence) -> Iterator[MainDifference]:
    known = _rows(evidence, LEVEL_KINDS)
    if known is None:
        return
    most = _farthest(known)
    farthest = format_pct(known.extent(most.statistics))
    place = most.pair.place
    moved = [change.pair.place for change in known.moved]
    few = 2 * len(moved) < len(known.rows)  # then where they are is what one wants to know
    typically = f"{_middle(known)} typically" if len(moved) > 1 else farthest
    yield MainDifference(
        "matrices",
        counted(len(moved), "matrix", "matrices") if few else "Matrices",
        f"moved by {typically}{_by(known.by)}",
        places_words(moved) if few else f"at most by {farthest}: {place_words(place)}",
        layer=place.layer,
        column=place.column,
    )


def _norms(evidence: Evidence) -> Iterator[MainDifference]:
    known, matrices = _rows(evidence, ("norms",)), _rows(evidence, LEVEL_KINDS)
    if known is None:
        return
    little = matrices is not None and _FAR * median(known.extents) < median(matrices.extents)
    most = _farthest(known)
    place = most.pair.place
    yield MainDifference(
        "norms",
        "Norms",
        "moved far less" if little else f"moved by {_middle(known)} typically{_by(known.by)}",
        (f"{_middle(known)} typically, " if little else "")
        + f"at most {format_pct(known.extent(most.statistics))}: {place_words(place)}",
        layer=place.layer,
        column=place.column,
    )


def _equal(evidence: Evidence) -> Iterator[MainDifference]:
    equal, compared = evidence.equal, len(evidence.compared)
    if equal and evidence.moved:
        yield MainDifference(
            "same",
            f"{len(equal):,} of {compared:,} tensors",
            "did not move",
            places_words([change.pair.place for change in equal]),
        )


def _left_out(changes: ChangeTable) -> Iterator[MainDifference]:
    for status, count in coverage_of(changes).statuses.items():
        rows = [change for change in changes if change.pair.status == status]
        first = rows[0].pair.place
        yield MainDifference(
            "structure",
            f"{counted(count, 'tensor')}",
            STATUS_WORDS[status].counted,
            places_words([row.pair.place for row in rows]),
            layer=first.layer,
            column=first.column,
        )


def _rows(evidence: Evidence, kinds: tuple[TensorKind, ...]) -> KindRows | None:
    """The rows of these kinds; None where none moved by a number that is known."""
    rows, moved = evidence.of_kinds(kinds), evidence.moved_of_kinds(kinds)
    known = KindRows(kinds[0], tuple(rows), tuple(moved))
    return known if known.extents else None


def _farthest(known: KindRows) -> Change:
    return max(known.moved, key=lambda change: known.extent(change.statistics) or 0.0)


def _middle(known: KindRows) -> str:
    """What the narrative calls typical: the number of a tensor, not one between two."""
    return format_pct(median_low(known.extents))


def _by(by: str) -> str:
    return "" if by == "median" else f" ({by})"


def _range(values: Sequence[float]) -> str:
    low, high = format_pct(min(values)), format_pct(max(values))
    return low if low == high else f"{low.removesuffix(' %')}–{high}"
