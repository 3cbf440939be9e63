"""The group around each of the heatmap's cells: how it is found, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from modeldiff.drawings.style.svg import escape
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class CellGroups:
    """How cells are grouped.

    ``described``: each carries what a screen reader says; a page that has the words beside the
    drawing does without. ``rows``: in a report, the number of a cell's row in the table beside the
    drawing, by its position; such a cell has it as ``data-row`` and leads there, and where
    ``linked`` it is what that row leads back to.
    """

    described: bool = True
    rows: Mapping[int, int] = field(default_factory=dict)
    linked: bool = True

    def group(self, at: int, css: str, words: str, content: str) -> str:
        """The cell at a position, of this class and with this content; ``words`` describe it."""
        described = f' aria-label="{escape(words)}"' if self.described else ""
        classes = f"cell {css}".rstrip()
        row = self.rows.get(at)
        if row is None:
            return f'<g class="{classes}" data-cell="{at}" role="gridcell"{described}>{content}</g>'
        name = f' id="c{row}"' if self.linked else ""
        return (
            f'<a class="{classes}" data-row="{row}"{name} href="#r{row}" role="gridcell"'
            f"{described}>{content}</a>"
        )
