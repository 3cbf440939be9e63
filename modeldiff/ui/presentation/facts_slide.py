"""Facts on a slide: what differs in a table, and what is the same; or all facts of one model."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from modeldiff.architectures import Fact, FactPair
from modeldiff.architectures.facts.alike import how_many_differ, own_facts
from modeldiff.architectures.facts.diagram_anchors import value_in_brief
from modeldiff.architectures.facts.lineage import telling
from modeldiff.comparison import Comparison
from modeldiff.model import Model
from modeldiff.results import Result
from modeldiff.ui.presentation.slides import Slide
from modeldiff.ui.summary.narrative_panel import narrative_of

_ROOM = 17.0
"""Rows of a table that a screen has room for; one with a meaning of two lines counts more."""
_LONG = 100
"""Letters of a meaning that takes two lines."""
_TALL = 1.6
_COLUMNS = 3
_MOST_SENTENCES = 12


def facts_slide(comparison: Comparison) -> Slide:
    """What differs in how two models are built, then what is the same."""
    facts = own_facts(comparison.facts)
    different = [pair for pair in facts if pair.differs]
    loud = telling(different)
    keys = {pair.key for pair in loud}
    ordered = [*loud, *(pair for pair in different if pair.key not in keys)]
    shown, used = _that_fit(ordered)
    more = len(ordered) - len(shown)
    same = [pair.base for pair in facts if pair.same and pair.base is not None]
    title = how_many_differ(facts) or "All facts are equal"
    parts = [_table(comparison, shown) if shown else ""]
    if more:
        parts.append(f"<p>{more} more on the Architecture page.</p>")
    room = int(_ROOM - used - 2) * _COLUMNS
    if room > 0 and same:
        parts.append(f"<h2>{'The same in both' if shown else 'In both'}</h2>")
        parts.append(_list(same[:room]))
    return Slide("facts", "Facts", comparison.names_text, "".join(parts), about=title)


def model_facts_slide(model: Model) -> Slide:
    """The facts of one model."""
    facts = [fact for fact in model.architecture.facts if fact.text]
    room = int(_ROOM) * _COLUMNS
    return Slide("facts", "Facts", model.name, _list(facts[:room]), about=model.architecture.title)


def saved_facts_slide(names: str, result: Result) -> Slide:
    """What was measured, in sentences."""
    sentences = "".join(
        f"<li>{escape(text)}</li>" for text in narrative_of(result).facts[:_MOST_SENTENCES]
    )
    return Slide("facts", "Facts", names, f'<ul class="sentences">{sentences}</ul>')


def _that_fit(pairs: Sequence[FactPair]) -> tuple[list[FactPair], float]:
    """The first pairs that have room on a screen, and how many rows they take."""
    shown: list[FactPair] = []
    used = 1.0
    for pair in pairs:
        used += _TALL if len(pair.meaning_beside_label) > _LONG else 1.0
        if used > _ROOM - 1:
            break
        shown.append(pair)
    return shown, used


def _table(comparison: Comparison, pairs: Sequence[FactPair]) -> str:
    base, target = comparison.names
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", base, target, "What it means"))
    rows = "".join(
        f"<tr><th>{escape(pair.label)}</th><td>{_value(pair.base)}</td>"
        f'<td class="new">{_value(pair.target)}</td>'
        f"<td><span>{escape(pair.meaning_beside_label)}</span></td></tr>"
        for pair in pairs
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _list(facts: Sequence[Fact]) -> str:
    rows = "".join(
        f"<div><dt>{escape(fact.label)}</dt><dd>{_value(fact)}</dd></div>" for fact in facts
    )
    return f"<dl>{rows}</dl>"


def _value(fact: Fact | None) -> str:
    return escape(value_in_brief(fact).partition(": ")[0]) if fact is not None else "–"
