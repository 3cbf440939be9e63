"""What both models are: their facts side by side, and where their parameters sit."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import FactPair
from modeldiff.architectures.facts.alike import what_differs
from modeldiff.drawings.charts.parameter_shares import Parts
from modeldiff.drawings.report.html import sentence, text
from modeldiff.text.formatting import MISSING, format_count, format_share

_BAR = 240


def facts_html(facts: Sequence[FactPair]) -> str:
    """A table of the facts that differ, each with what that means, then those that both share."""
    table = different_facts_html(facts)
    alike = "".join(
        f"<div><dt>{text(fact.label)}</dt><dd>{text(_shared(fact), 300)}</dd></div>"
        for fact in facts
        if fact.same
    )
    shared = "The same in both" if table else "All facts are the same"
    return f'{table}<h3>{shared}</h3><dl class="alike">{alike}</dl>' if alike else table


def different_facts_html(facts: Sequence[FactPair]) -> str:
    """A table of the facts that differ, each with what that means, and apart from them of those
    that are known of one side only; nothing where all are the same."""
    different = "".join(_difference(fact) for fact in facts if fact.differs)
    if one_sided := "".join(_difference(fact) for fact in facts if fact.one_sided):
        head = '<tr class="apart"><th scope="rowgroup" colspan="4">Known of one side only</th></tr>'
        different += f"{head}{one_sided}"
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Fact", "Base", "Target", "Meaning"))
    return (
        f'<div class="scroll"><table class="facts"><caption>'
        f"{what_differs(facts)}</caption><thead><tr>{head}</tr></thead><tbody>{different}</tbody></table></div>"
        if different
        else ""
    )


def _shared(fact: FactPair) -> str:
    """What both sides say; where one value is told in two ways, both."""
    return " → ".join(dict.fromkeys(side.text for side in (fact.base, fact.target) if side))


def _difference(fact: FactPair) -> str:
    values = [text(side.text, 300) if side else MISSING for side in (fact.base, fact.target)]
    return (
        f'<tr><th scope="row">{text(fact.label)}</th><td>{values[0]}</td>'
        f"<td>{values[1]}</td><td>{sentence(fact.meaning_beside_label)}</td></tr>"
    )


def parts_html(parts: Parts) -> str:
    """Two bars a part, base over target, on one scale."""
    most = max((count for part in parts.parts for count in (part.base, part.target)), default=0)
    rows = []
    for part in parts.parts:
        sides = zip(("base", "target"), (part.base, part.target), parts.totals, strict=True)
        for at, (side, count, total) in enumerate(sides):
            name = f'<th scope="rowgroup" rowspan="2">{text(part.label)}</th>' if at == 0 else ""
            width = _BAR * count / most if most else 0.0
            share = format_share(count, total) if total else MISSING
            rows.append(
                f'<tr class="{side}">{name}<td>{side}</td><td class="bars">'
                f'<svg width="{_BAR}" height="12" aria-hidden="true">'
                f'<rect width="{width:.1f}" height="12" rx="2"/></svg></td>'
                f"<td>{format_count(count)}</td><td>{share}</td></tr>"
            )
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("Part", "Model", "", "Parameters", "Share")
    )
    caption = (
        f"Where the parameters are: base {text(parts.names[0])}; target {text(parts.names[1])}"
    )
    return (
        f'<div class="scroll"><table class="parts"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
