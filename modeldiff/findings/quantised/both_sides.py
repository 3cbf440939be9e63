"""Two quantisations beside each other: which tensor has which type on each side, and by the types
alone, which is nearer to the weights that both may have been made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modeldiff.changes import Change
from modeldiff.findings.quantised.floors import floor_of, lossy_types
from modeldiff.findings.words import enumeration, places_words
from modeldiff.text.formatting import counted, format_pct

_Types = tuple[str, str]


def describe_equal_types(rows: Sequence[Change]) -> str:
    """Which of the ``rows`` that were compared are stored in the same lossy type on both sides;
    empty where none is, or where all are."""
    pairs = _by_types(rows)
    same = [change for (one, other), own in pairs.items() if one == other for change in own]
    if not same or all(one == other for one, other in pairs):
        return ""
    types = sorted({change.pair.base.dtype for change in same if change.pair.base})
    places = places_words([change.pair.place for change in same])
    return (
        f"{counted(len(same), 'tensor')} in the same type on both sides ({enumeration(types)}): "
        f"{places}."
    )


def nearer_to_the_original(rows: Sequence[Change]) -> Iterator[str]:
    """Which side is nearer to an original of both and where, as far as their types say."""
    sides: dict[str, list[tuple[_Types, Sequence[Change]]]] = {}
    for types, own in _by_types(rows).items():
        one, other = (floor_of((name,)) for name in types)
        if one != other:
            sides.setdefault("base" if one < other else "target", []).append((types, own))
    if not sides:
        return
    parts: list[str] = []
    for side, groups in sides.items():
        count = sum(len(own) for _, own in groups)
        types, _ = max(groups, key=lambda group: len(group[1]))
        finer, coarser = sorted(types, key=lambda name: floor_of((name,)))
        is_nearer = "" if parts else " is nearer to them"
        parts.append(
            f"{side}{is_nearer} in {counted(count, 'tensor')} ({finer} loses "
            f"{format_pct(floor_of((finer,)))} of normally distributed weights, {coarser} "
            f"{format_pct(floor_of((coarser,)))})"
        )
    yield (
        f"If both were made from the same weights, {enumeration(parts)}. That is by their types "
        "alone and was not measured: a fleet of both against the original does."
    )


def _by_types(rows: Sequence[Change]) -> Mapping[_Types, list[Change]]:
    """The rows that are stored in a lossy type on both sides, by base's and target's, those of
    most tensors first."""
    groups: dict[_Types, list[Change]] = {}
    for change in rows:
        types = lossy_types(change)
        if len(types) == 2:
            groups.setdefault((types[0], types[1]), []).append(change)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))
