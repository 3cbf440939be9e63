"""What both models are: their facts side by side, and where their parameters sit."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import FactPair
from modeldiff.drawings.parts import Parts
from modeldiff.drawings.report.markup import text
from modeldiff.wording import MISSING, format_count

_BAR = 240


def facts_html(facts: Sequence[FactPair]) -> str:
    """A table of all facts: those that differ are marked, each with what that means."""
    different = sum(not fact.same for fact in facts)
    caption = f"{different} of {len(facts)} facts differ" if different else "All facts are the same"
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Fact", "Base", "Target", "Meaning"))
    rows = "".join(map(_fact, facts))
    return (
        f'<div class="scroll"><table class="facts"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _fact(fact: FactPair) -> str:
    sides = "".join(
        f"<td>{text(side.text, 300) if side else MISSING}</td>" for side in (fact.base, fact.target)
    )
    css, mark = ("", "") if fact.same else (' class="differs"', '<b aria-label="differs">≠</b> ')
    return (
        f'<tr{css}><th scope="row">{mark}{text(fact.label)}</th>{sides}'
        f"<td>{text(fact.meaning, 500)}</td></tr>"
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
            share = f"{100 * count / total:.3g} %" if total else MISSING
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
        f"Where the parameters sit: base {text(parts.names[0])}, {format_count(parts.totals[0])}; "
        f"target {text(parts.names[1])}, {format_count(parts.totals[1])}"
    )
    return (
        f'<div class="scroll"><table class="parts"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
