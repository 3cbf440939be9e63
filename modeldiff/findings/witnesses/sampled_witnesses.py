"""Witnesses that samples of weights give: rows in another order, factors along an axis, transposes,
experts that changed places.

Each sentence says how much was looked at, and whether that is exactly so or nearly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from modeldiff.changes import Change
from modeldiff.changes.relation import Relation
from modeldiff.findings.evidence import kind_of
from modeldiff.findings.merged_adapters import ADAPTER_KINDS
from modeldiff.findings.witnesses.witness import Witness
from modeldiff.findings.words import MOST_NAMED, but_for, columns_words, places_words
from modeldiff.text.formatting import counted, format_small

_RENUMBERED = (
    "The same rows or columns in another order are not training: this is what renumbered neurons, "
    "heads or tokens look like."
)
_ROTARY = (
    "The same values in the other rotary order are not training: this is how q and k look where "
    "one side was converted between pairs side by side (as in Meta's files) and half a head apart "
    "(as in transformers), and the other was not."
)
_OTHER_HEADS = (
    "Rows in such an order are not training: this is how keys look that were converted by the "
    "number of query heads, or read so, where fewer key heads are shared."
)
_SCALED = (
    "Factors along rows or columns change the scale of a tensor, not what it holds: this is what "
    "rescaled neurons look like, and rows whose quantiser's scales were lost."
)
_RESCALED = (
    "Blocks that share a scale, each times a factor, are not training: this is how quantised "
    "weights look whose scales were rounded, mixed up or inverted after the codes were made."
)
_CODES = (
    "Whole numbers or 8-bit floats in place of weights, in proportion to the other side's: this is "
    "how codes whose scales were dropped look, and without its scales no model can be run."
)
_MIXED_UP = (
    "Tensors under each other's names are not training: one of the two sides was written, or is "
    "read, with names mixed up."
)
_MISPLACED = (
    "A tensor in place of another is not training: one of the two sides was written, or is read, "
    "with a tensor under a name that is not its own."
)
_HEAD_IS_EMBEDDING = (
    "A head that is base's embedding is not training: target ties what base has two of, or its own "
    "head was lost when it was saved, converted or read."
)
_FOLDED = (
    "This is how a model looks whose norms were folded into the matrices that follow them, or "
    "taken out of these: factors that moved from one tensor to another are not training."
)


class _Row(NamedTuple):
    change: Change
    relation: Relation


def sampled_witnesses(changes: Iterable[Change]) -> tuple[Witness, ...]:
    """What the relations of rows prove of how target came from base."""
    groups: dict[tuple[object, ...], list[_Row]] = {}
    for change in changes:
        relation = change.relation
        if relation is None or change.statistics is None or relation.kind in ADAPTER_KINDS:
            continue
        exact = relation.kind != "factors" and relation.rest_pct == 0
        head = 0 if relation.pattern == "blocks" else relation.size
        what = relation.kind, relation.axis, relation.pattern, head, exact
        norm = kind_of(change) == "norms"
        groups.setdefault((*what, norm), []).append(_Row(change, relation))
    return tuple(_WORDS[rows[0].relation.kind](rows) for rows in groups.values())


def _order(rows: list[_Row]) -> Witness:
    relation = rows[0].relation
    known, likeness, axis = "", _RENUMBERED, relation.axis.capitalize()
    match relation.pattern:
        case "interleaved":
            known = (
                f" {axis} that base has half a head of {relation.size} apart stand side by side "
                "in target: the interleaved rotary order in place of the halved one."
            )
            likeness = _ROTARY
        case "halved":
            known = (
                f" {axis} that stand side by side in base are half a head of {relation.size} "
                "apart in target: the halved rotary order in place of the interleaved one."
            )
            likeness = _ROTARY
        case "other_heads":
            known = (
                " It is the order that is left where rows were put into rotary pairs by heads of "
                f"one length and back into halves by heads of another, {relation.size} the shorter "
                "of them."
            )
            likeness = _OTHER_HEADS
        case "blocks":
            size = math.gcd(*(row.relation.size for row in rows))
            known = f" Whole blocks of {size} {relation.axis} changed places."
        case "reversed":
            known = f" The {relation.axis} are in reverse order."
    go_with = ""
    if likeness is _RENUMBERED:
        go_with = _partners(rows, "goes in the same order", "go in the same order")
    return _witness(
        rows,
        f"{_tensors(rows, 'holds', 'hold')} base's {relation.axis} in another order "
        f"({_evidence(rows, 'is one of base')}): {_places(rows)}.{known}{go_with}",
        likeness,
    )


def _factors(rows: list[_Row]) -> Witness:
    axis = rows[0].relation.axis
    low = min(row.relation.low for row in rows)
    high = max(row.relation.high for row in rows)
    norms = any("norm" in partner for row in rows for partner in row.relation.partners)
    of_norms = norms or kind_of(rows[0].change) == "norms"
    if rows[0].relation.pattern in ("codes", "codes_in_base"):
        of_target = rows[0].relation.pattern == "codes"
        side, other = ("target", "base") if of_target else ("base", "target")
        return _witness(
            rows,
            f"{_tensors(rows, 'holds', 'hold')} whole numbers or 8-bit floats in {side}, where "
            f"{other} has weights; each row is base's times a factor, {format_small(low)} to "
            f"{format_small(high)} ({_evidence(rows, 'is so')}): {_places(rows)}.",
            _CODES,
        )
    likeness = _FOLDED if of_norms else _RESCALED if axis == "blocks" else _SCALED
    return _witness(
        rows,
        f"In {counted(len(rows), 'tensor')} each {axis[:-1]} is base's times a factor of its own, "
        f"{format_small(low)} to {format_small(high)} ({_evidence(rows, 'is so')}): "
        f"{_places(rows)}.{_partners(rows, 'has the inverse factors', 'have the inverse factors')}",
        likeness,
    )


def _transposed(rows: list[_Row]) -> Witness:
    return _witness(
        rows,
        f"{_tensors(rows, 'is', 'are')} the transpose of base's "
        f"({_evidence(rows, 'is a row of base')}): {_places(rows)}.",
        "A transposed matrix is not training: one of the two sides stores it the other way round.",
    )


def _expert(rows: list[_Row]) -> Witness:
    named = [f"{row.change.pair.place.expert} is base's {row.relation.origin}" for row in rows[:2]]
    more = " …" if len(rows) > len(named) else ""
    return _witness(
        rows,
        f"{_tensors(rows, 'belongs', 'belong')} to another expert in base "
        f"({_evidence(rows, 'is so')}): "
        f"{_places(rows)} (expert {', expert '.join(named)}{more}).",
        "Experts that changed places are not training.",
    )


def _name(rows: list[_Row]) -> Witness:
    named = dict.fromkeys((r.change.pair.place.column, r.relation.partners[0]) for r in rows)
    inside = all(row.change.pair.place.layer is not None for row in rows)
    where = " in the same layer" if inside else ""
    words = [f"{own} is base's {other}" for own, other in named]
    more = [f"{len(words) - MOST_NAMED:,} more"] if len(words) > MOST_NAMED else []
    return _witness(
        rows,
        f"{_tensors(rows, 'is another tensor', 'are other tensors')} of base{where} "
        f"({_evidence(rows, 'is so')}): {_places(rows)} ({', '.join(words[:MOST_NAMED] + more)}).",
        _name_likeness(set(named)),
    )


def _name_likeness(named: set[tuple[str, str]]) -> str:
    """What it is like that target's columns are base's; they need not have changed places."""
    if named == {("lm_head", "embed_tokens")}:
        return _HEAD_IS_EMBEDDING
    changed_places = {own for own, _ in named} == {other for _, other in named}
    return _MIXED_UP if changed_places else _MISPLACED


def _mixed(rows: list[_Row]) -> Witness:
    axis = rows[0].relation.axis
    partners = dict.fromkeys(partner for row in rows for partner in row.relation.partners)
    among = columns_words(list(partners)) if partners else "tensors of that layer"
    return _witness(
        rows,
        f"{_tensors(rows, 'holds', 'hold')} {axis} of other tensors of base "
        f"({_evidence(rows, f'is one of {among} in base')}): {_places(rows)}.",
        "Rows that are dealt out anew between matrices are not training: this is how gate and up, "
        "or q, k and v, look where one side's fused matrix has them in turn and the other's one "
        "after the other, or they are split otherwise.",
    )


_WORDS: Mapping[str, Callable[[list[_Row]], Witness]] = {
    "order": _order,
    "factors": _factors,
    "transposed": _transposed,
    "expert": _expert,
    "name": _name,
    "mixed": _mixed,
}


def _evidence(rows: list[_Row], what: str) -> str:
    """How much was looked at, and how exactly it is so."""
    relations = [row.relation for row in rows]
    matched, seen, count = (
        sum(getattr(relation, name) for relation in relations)
        for name in ("matched", "seen", "count")
    )
    axis = relations[0].axis
    of_all = "" if seen == count else f", of {count:,},"
    share = f"each of {seen:,}" if matched == seen else f"{matched:,} of {seen:,}"
    rest = max(relation.rest_pct for relation in relations)
    exact = relations[0].kind != "factors" and not rest
    how = " exactly" if exact else f", {but_for(rest)}"
    by = "" if axis == "elements" else ", by up to 64 elements each"
    return f"{share} {axis} looked at{of_all} {what}{how}{by}"


def _partners(rows: list[_Row], one: str, more: str) -> str:
    """A sentence on what goes with all of these, after a space; empty where nothing does."""
    if not all(row.relation.partners for row in rows):
        return ""
    own = [row.change.pair.place.column for row in rows]
    partners = dict.fromkeys(partner for row in rows for partner in row.relation.partners)
    others = [partner for partner in partners if partner not in own] or list(partners)
    return f" Beside them {columns_words(others)} {one if len(others) == 1 else more}."


def _places(rows: list[_Row]) -> str:
    return places_words([row.change.pair.place for row in rows])


def _tensors(rows: list[_Row], one: str, more: str) -> str:
    return f"{counted(len(rows), 'tensor')} {one if len(rows) == 1 else more}"


def _witness(rows: list[_Row], sentence: str, likeness: str) -> Witness:
    beside = [
        row.relation.rest_pct
        for row in rows
        if row.change.statistics
        and row.relation.rest_pct > 2 * (row.change.statistics.resolution_pct or 0.0)
    ]
    places = frozenset(row.change.pair.place for row in rows)
    # Of each row or column that was looked at, no more than some elements were.
    relations = [row.relation for row in rows]
    sampled = any(one.axis != "elements" or one.seen < one.count for one in relations)
    return Witness(sentence, places, likeness, max(beside, default=0.0), sampled)
