"""How objects show themselves in a notebook: HTML without scripts, drawings as pictures in it."""

from __future__ import annotations

import base64

from modeldiff.architectures import Architecture
from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.drawings.comparison.side_by_side import side_by_side
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.diagram.size_limit import why_not_drawn
from modeldiff.drawings.heatmap.cells import gather_cells
from modeldiff.drawings.heatmap.options import SCREEN
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.heatmap.svg.drawing import heatmap_svg
from modeldiff.drawings.report.architecture import different_facts_html
from modeldiff.drawings.report.html import left_to_right, text
from modeldiff.drawings.report.narrative import narrative_html
from modeldiff.drawings.style.fonts import FITTED, FITTED_RULES
from modeldiff.drawings.style.metrics import METRICS
from modeldiff.drawings.style.palette import LIGHT
from modeldiff.findings.coverage import Unread
from modeldiff.model import Model
from modeldiff.results import load_result

_WIDTH = 1112.0
"""Of a diagram, in pixels: a notebook's page shrinks what is wider than itself."""


def change_table_html(
    table: ChangeTable, *architectures: Architecture, unread: Unread = ((), ())
) -> str:
    """A change table in words, and its heatmap of the median change.

    ``architectures`` are base's and target's, by which the columns are headed; without them the
    columns are headed by their own names. ``unread`` as ``narrate`` takes it.
    """
    return left_to_right(narrative_html(table, unread) + _heatmap(table, architectures))


def comparison_html(comparison: Comparison) -> str:
    """Two models: the facts that differ and both drawn side by side; before that the diff in words
    and as a heatmap, where a result of it is kept."""
    base, target = comparison.base, comparison.target
    title = left_to_right(f"<p><b>{text(comparison.names_text)}</b></p>")
    result = load_result(comparison.key)
    if result is not None:
        title += change_table_html(
            result.changes, base.architecture, target.architecture, unread=result.header.unread
        )
    return title + left_to_right(_differences(comparison))


def model_html(model: Model) -> str:
    """A model's name over its architecture."""
    return left_to_right(f"<p><b>{text(model.name)}</b></p>") + architecture_html(
        model.architecture
    )


def architecture_html(architecture: Architecture) -> str:
    """An architecture as data passes through it, each kind of layer drawn once."""
    if reason := why_not_drawn(architecture):
        return left_to_right(f"<p>{text(architecture.title)}. {text(reason)}</p>")
    diagram = Drawing(architecture, architecture.title, METRICS[0])
    drawing = diagram.svg(_WIDTH, LIGHT, sans=FITTED, serif="inherit", heading=False)
    drawing = drawing.replace("<style>", f"<style>{FITTED_RULES}", 1)
    words = f"<p>{text(diagram.facts(), 1000)}</p>"
    return left_to_right(words + _picture(drawing, diagram.caption()))


def _heatmap(table: ChangeTable, architectures: tuple[Architecture, ...]) -> str:
    if table.whole is None:
        return ""
    heatmap = Heatmap.of_cells(gather_cells(table, *architectures), METRICS[0])
    return _picture(heatmap_svg(heatmap, SCREEN, palette=LIGHT), heatmap.alt)


def _differences(comparison: Comparison) -> str:
    facts = comparison.facts
    if all(fact.same for fact in facts):
        return f"<p>All {len(facts)} facts of the two architectures are the same.</p>"
    base, target = comparison.base, comparison.target
    architectures = base.architecture, target.architecture
    table = different_facts_html(facts)
    if why_not_drawn(*architectures):
        return table
    drawing = side_by_side(*architectures, facts)
    names = comparison.names
    svg = side_by_side_svg(drawing, names, palette=LIGHT)
    return table + _picture(svg, f"{names[0]} and {names[1]} side by side, what differs outlined")


def _picture(svg: str, words: str) -> str:
    """A drawing as a picture: its rules and ids are its own, and nothing in it can run."""
    data = base64.b64encode(svg.encode()).decode()
    return (
        f'<img alt="{text(words, 1000)}" style="max-width: 100%; height: auto"'
        f' src="data:image/svg+xml;base64,{data}">'
    )
