"""The drawings of the page: the target's diagram with its change, and both models side by side."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import Architecture, FactPair
from modeldiff.changes import ChangeTable
from modeldiff.drawings.comparison.side_by_side import side_by_side
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.diagram.diagram import diagram_svg
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.drawings.report.html import REPORT_PALETTE, text
from modeldiff.drawings.style.metrics import METRICS


def diagram_html(changes: ChangeTable, architecture: Architecture) -> str:
    """All kinds of layers, each parameter marked with its change over all layers."""
    if reason := why_not_drawn(architecture):
        return f"<p>{text(reason)}</p>"
    drawing = diagram_svg(
        architecture,
        layer=None,
        changes=changes.seen_from("target"),
        metric=METRICS[0],
        palette=REPORT_PALETTE,
    )
    return (
        "<p>The target in data-flow order, each parameter with its median relative change over all "
        f'layers.</p><div class="scroll drawing">{drawing}</div>'
    )


def side_by_side_html(
    base: Architecture, target: Architecture, facts: Sequence[FactPair], names: tuple[str, str]
) -> str:
    """Both models row by row, what differs outlined; nothing where they are built alike."""
    if all(fact.same for fact in facts) or why_not_drawn(base, target):
        return ""
    drawing = side_by_side_svg(side_by_side(base, target, facts), names, palette=REPORT_PALETTE)
    # Rules of an inline drawing hold for the whole page: this one's are kept to itself.
    drawing = drawing.replace('class="diagram"', 'class="pair"').replace(".diagram ", ".pair ")
    return f'<h3>Side by side</h3><div class="scroll drawing">{drawing}</div>'
