"""The measures that everything on a diagram's canvas keeps to, and where its column stands."""

from __future__ import annotations

from modeldiff.processes.late_dataclass import dataclass

MARGIN = 14.0
STREAM_X = MARGIN + 30
PANEL_X = STREAM_X + 36
INSIDE = 14.0
BETWEEN = 12.0
TURN = 30.0
"""Room for the stream where it goes sideways."""


@dataclass(frozen=True)
class CanvasColumn:
    """The width of the panels on a canvas, from which all other places follow."""

    inner: float

    @property
    def stream(self) -> float:
        """Where the stream rises."""
        return STREAM_X

    @property
    def panel(self) -> float:
        """Where panels begin."""
        return PANEL_X

    @property
    def end(self) -> float:
        """Where panels end."""
        return PANEL_X + self.inner
