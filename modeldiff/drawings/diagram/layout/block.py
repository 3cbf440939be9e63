"""A block of boxes joined by lines, as ``edge_routing`` arranges it and ``canvas`` places it, and a
sublayer made of them."""

from __future__ import annotations

from modeldiff.architectures.architecture import Sublayer
from modeldiff.drawings.diagram.boxes import Card
from modeldiff.processes.late_dataclass import dataclass

Point = tuple[float, float]
Polyline = tuple[Point, ...]


@dataclass(frozen=True)
class Spot:
    """A card's box: centre ``x``, lower edge ``u``, and its size."""

    card: Card
    x: float
    u: float
    width: float
    height: float


@dataclass(frozen=True)
class Block:
    """A block of ``width`` and ``height``. All lines run upward in (x, u).

    ``entries`` are the lines that come from the stream, from the lower edge to a box; ``exits``
    those that leave, from a box to the upper edge; ``lines`` all others.
    """

    width: float
    height: float
    spots: tuple[Spot, ...]
    lines: tuple[Polyline, ...]
    entries: tuple[Polyline, ...]
    exits: tuple[Polyline, ...]


@dataclass(frozen=True)
class Branch:
    """A sublayer arranged; ``norm`` is the block of the norm that its sum passes, if it does."""

    sublayer: Sublayer
    block: Block
    norm: Block | None = None

    @property
    def width(self) -> float:
        """How wide its widest part is."""
        return max(self.block.width, self.norm.width if self.norm else 0.0)
