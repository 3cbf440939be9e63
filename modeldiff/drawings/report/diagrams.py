"""The drawings of the page: the target's diagram with its change, and both models side by side."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures import Architecture, FactPair
from modeldiff.changes import ChangeTable
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.drawings.comparison.side_by_side import side_by_side
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.drawings.report.html import REPORT_PALETTE, text
from modeldiff.drawings.style.fonts import FITTED
from modeldiff.drawings.style.metrics import METRICS
from modeldiff.model import Model

_WIDTH = 1232.0
"""In pixels, as on a page of the app in a wide window: it fits on paper, too."""


def diagram_html(changes: ChangeTable, model: Model) -> str:
    """The target from left to right, each kind of layers once, each parameter marked with its
    change over all layers, and the list of them. ``changes`` are of a diff whose target it is."""
    architecture = model.architecture
    if reason := why_not_drawn(architecture):
        return f"<p>{text(reason)}</p>"
    metric = METRICS[0]
    seen = changes.seen_from("target")
    diagram = Drawing(architecture, model.name, metric, None, seen if seen.whole else None)
    numbers = f", each parameter with its {metric.label.lower()} over all layers"
    elsewhere = diagram.not_drawn()
    absent = f"<p>Not drawn, for only the base has it: {text(', '.join(elsewhere), 1000)}</p>"
    drawing = diagram.svg(_WIDTH, REPORT_PALETTE, sans=FITTED, serif="inherit", heading=False)
    return (
        f"<p>{text(model.name)} as data passes through it{numbers if diagram.changes else ''}. "
        f'<span class="facts-line">{text(diagram.facts(), 1000)}</span></p>'
        f'<div class="scroll drawing">{drawing}</div>{absent if elsewhere else ""}'
    )


def side_by_side_html(
    base: Architecture, target: Architecture, facts: Sequence[FactPair], names: tuple[str, str]
) -> str:
    """Both models row by row, what differs outlined; nothing where they are built alike."""
    if not any(fact.differs for fact in facts) or why_not_drawn(base, target):
        return ""
    drawing = side_by_side_svg(side_by_side(base, target, facts), names, palette=REPORT_PALETTE)
    # Rules of an inline drawing hold for the whole page: this one's are kept to itself.
    drawing = drawing.replace('class="diagram"', 'class="pair"').replace(".diagram ", ".pair ")
    return f'<h3>Side by side</h3><div class="scroll drawing">{drawing}</div>'
