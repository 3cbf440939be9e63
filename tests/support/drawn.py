"""Where something stands in a finished drawing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Area:
    """A rectangle of the picture and what is in it; ``node`` is the box that holds it."""

    what: str
    left: float
    top: float
    right: float
    bottom: float
    node: int | None = None

    def meets(self, other: Area) -> bool:
        """Whether the two have a pixel in common."""
        return (
            self.left < other.right - 0.5
            and other.left < self.right - 0.5
            and self.top < other.bottom - 0.5
            and other.top < self.bottom - 0.5
        )
