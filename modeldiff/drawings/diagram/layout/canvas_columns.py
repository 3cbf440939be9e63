"""The columns of a diagram's canvas, and the measures that everything on it keeps to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MARGIN = 14.0
STREAM_X = MARGIN + 30
PANEL_X = STREAM_X + 36
INSIDE = 14.0
BETWEEN = 12.0
TURN = 30.0
"""Room for the stream where it goes sideways or comes down."""


@dataclass(frozen=True)
class CanvasColumn:
    """A column's left edge, from which the stream's and the panels' places count, and the width of
    the panels in it."""

    left: float
    inner: float

    @property
    def stream(self) -> float:
        """Where the stream rises."""
        return self.left + STREAM_X

    @property
    def panel(self) -> float:
        """Where panels begin."""
        return self.left + PANEL_X

    @property
    def end(self) -> float:
        """Where panels end."""
        return self.panel + self.inner


def columns_of(inners: Iterable[float], framed: Iterable[bool]) -> tuple[CanvasColumn, ...]:
    """Columns side by side for panels of these widths; ``framed`` says before which of them a new
    frame begins."""
    columns: list[CanvasColumn] = []
    for inner, apart in zip(inners, framed, strict=True):
        left = 0.0
        if columns:
            rim = INSIDE + BETWEEN if apart else 0.0
            # The stream comes down between two panels, and rises beside the second.
            left = columns[-1].end + TURN + 26 + rim - STREAM_X
        columns.append(CanvasColumn(left, inner))
    return tuple(columns)
