"""The report's heatmaps, one a metric: the first is there without a script, by which the page turns
to the others. Each cell is a link to its row of the table."""

from __future__ import annotations

from modeldiff.drawings.heatmap.options import PAGE
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.heatmap.svg.cell_groups import CellGroups
from modeldiff.drawings.heatmap.svg.drawing import definitions, report_svg
from modeldiff.drawings.heatmap.svg.paint import Paint
from modeldiff.drawings.report.html import REPORT_PALETTE, sentence, text
from modeldiff.drawings.report.rows import ReportRows
from modeldiff.drawings.style.palette import DARK, LIGHT

REPORT_PAINT = Paint(REPORT_PALETTE, (LIGHT, DARK))
"""In the reader's theme."""
_MOST_BYTES = 1_200_000
"""The drawings together are smaller than this; a metric for which there is no room has its numbers
in the table alone."""


def heatmap_css() -> str:
    """The rules that the drawings are painted with."""
    return definitions(REPORT_PAINT)[0]


def heatmap_html(rows: ReportRows) -> tuple[str, str]:
    """The chooser of metrics with what the colours say, and the drawings, all but one hidden."""
    if not rows.heatmaps:
        return "<p>Nothing could be measured.</p>", ""
    first = rows.heatmaps[rows.first]
    drawn = _drawings(rows)
    options = "".join(
        f'<option value="{heatmap.metric.key}" data-says="{text(_says(heatmap), 2000)}"'
        f"{' selected' if heatmap is first else ''}>{text(heatmap.metric.label)}</option>"
        for heatmap, _ in drawn
    )
    chooser = (
        f'<label class="needs-script">Metric <select id="metric">{options}</select></label>'
        if len(drawn) > 1
        else ""
    )
    controls = f'<div class="controls">{chooser}</div><p id="says">{sentence(_says(first))}</p>'
    pictures = "".join(
        f'<div class="picture" data-of="{heatmap.metric.key}"'
        f"{'' if heatmap is first else ' hidden'}>{svg}</div>"
        for heatmap, svg in drawn
    )
    # What is painted with is apart: in a drawing that is hidden it would serve none.
    gradients = definitions(REPORT_PAINT)[1]
    painted = f'<svg width="0" height="0" aria-hidden="true"><defs>{gradients}</defs></svg>'
    return controls, painted + pictures


def _drawings(rows: ReportRows) -> list[tuple[Heatmap, str]]:
    """Each metric's heatmap with its drawing, in the metrics' order; those that have no room left
    out, the first one to be seen never."""
    first = rows.heatmaps[rows.first]
    numbers = {row.at: number for number, row in enumerate(rows.rows) if row.at is not None}
    drawings = {}
    room = _MOST_BYTES
    for heatmap in (first, *(each for each in rows.heatmaps if each is not first)):
        seen = heatmap is first
        # The script reads a hidden one's words from the table.
        svg = report_svg(heatmap, PAGE, CellGroups(seen, numbers, linked=seen), REPORT_PAINT)
        room -= len(svg.encode())
        if seen or room >= 0:
            drawings[heatmap.metric.key] = heatmap, svg
    return [drawings[m.key] for m in rows.metrics if m.key in drawings]


def _says(heatmap: Heatmap) -> str:
    return f"{heatmap.metric.description} {heatmap.guide}"
