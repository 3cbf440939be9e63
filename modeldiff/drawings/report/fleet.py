"""A fleet as one HTML document: a row a pair, each with a small heatmap, all on one scale. It needs
nothing but itself and loads nothing from anywhere."""

from __future__ import annotations

from pathlib import Path

from modeldiff._version import __version__
from modeldiff.drawings.heatmap.fleet import FLEET_PICTURE, fleet_heatmap, fleet_tops
from modeldiff.drawings.heatmap.svg.cell_groups import CellGroups
from modeldiff.drawings.heatmap.svg.drawing import definitions, report_svg
from modeldiff.drawings.report.css_colours import colours_css
from modeldiff.drawings.report.heatmap import REPORT_PAINT, heatmap_css
from modeldiff.drawings.report.html import left_to_right, section, sentence, text
from modeldiff.drawings.style.fonts import FITTED_RULES
from modeldiff.drawings.style.metrics import METRICS, Metric
from modeldiff.results.fleet.files import FLEET_HEADERS, fleet_cells
from modeldiff.results.fleet.rows import Fleet, FleetRow
from modeldiff.text.formatting import counted

_MOST_PICTURES = 24_000_000
"""Bytes of all pictures together: those of later rows are left out, and that is said."""
_STYLE = Path(__file__).parent / "fleet.css"


def fleet_report_html(fleet: Fleet) -> str:
    """The fleet's rows in their order as one HTML document. Pictures show the median, or where most
    elements of a pair rounded to what they were the relative Frobenius norm."""
    by_norm = next(metric for metric in METRICS if metric.key == "rel_frobenius_pct")
    metric = METRICS[0] if all(row.median_pct for row in fleet.rows) else by_norm
    title = f"{text(fleet.base)} → {counted(len(fleet.rows), 'target')}"
    body = (
        f"<header><p>modeldiff · what changed from one checkpoint to many</p><h1>{title}</h1>"
        f"<p><code>Base: {text(fleet.base_fingerprint)}</code></p></header>"
        f"{_table(fleet, metric)}{_failures(fleet)}"
        f"<footer>Made by modeldiff {text(__version__)}. This file loads nothing from the network."
        "</footer>"
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    style = f"{FITTED_RULES}{colours_css()}{heatmap_css()}{_STYLE.read_text(encoding='utf-8')}"
    return left_to_right(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><meta name="color-scheme"'
        f' content="light dark"><title>{title}</title><style>{style}</style></head>'
        f"<body>{body}</body></html>\n"
    )


def _table(fleet: Fleet, metric: Metric) -> str:
    tops = fleet_tops((row.key for row in fleet.rows), metric)
    room, left_out, gone, rows = _MOST_PICTURES, 0, 0, []
    for row in fleet.rows:
        picture = ""
        if room <= 0:
            left_out += 1
        elif (heatmap := fleet_heatmap(row.key, metric, tops)) is None:
            gone += 1
        else:
            picture = report_svg(heatmap, FLEET_PICTURE, CellGroups(described=False), REPORT_PAINT)
            room -= len(picture)
        rows.append(_row(row, picture))
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in (*FLEET_HEADERS, metric.label))
    note = (
        f"Pictures: {metric.label}. {metric.description} All share one scale: a colour is the same "
        "number in each."
    )
    if left_out:
        note += f" {counted(left_out, 'row')} at the end without one, to keep this file small."
    if gone:
        note += f" {counted(gone, 'row')} without one, for which no result is kept any more."
    gradients = definitions(REPORT_PAINT)[1]
    return (
        f'<p class="note">{text(note, 600)}</p>'
        f'<svg width="0" height="0" aria-hidden="true"><defs>{gradients}</defs></svg>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of pairs"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(row: FleetRow, picture: str) -> str:
    name, *cells = (sentence(cell, 400) for cell in fleet_cells(row))
    numbers, words = (
        "".join(
            f'<td{css} data-label="{label}">{cell}</td>'
            for label, cell in zip(labels, of_row, strict=True)
        )
        for css, labels, of_row in (
            (' class="number"', FLEET_HEADERS[1:4], cells[:3]),
            ("", FLEET_HEADERS[4:], cells[3:]),
        )
    )
    return (
        f'<tr><th scope="row">{name}<code>{text(row.target, 300)}</code></th>{numbers}{words}'
        f'<td class="picture">{picture}</td></tr>'
    )


def _failures(fleet: Fleet) -> str:
    items = "".join(
        f"<li><code>{text(each.target, 300)}</code>: {text(each.message, 600)}</li>"
        for each in fleet.failures
    )
    return section("failures", "Not measured", f"<ul>{items}</ul>") if items else ""
