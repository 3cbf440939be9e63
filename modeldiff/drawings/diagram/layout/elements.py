"""What a laid-out diagram consists of, in pixels from its upper left corner."""

from __future__ import annotations

from typing import Literal

from modeldiff.drawings.diagram.boxes import Card
from modeldiff.drawings.diagram.layout.block import Polyline
from modeldiff.processes.late_dataclass import dataclass

FrameLevel = Literal["layer", "sublayer", "elided"]


@dataclass(frozen=True)
class Box:
    """A card in its place, by its upper left corner."""

    card: Card
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Frame:
    """A titled frame: around a layer, around a sublayer, or a dashed one for layers not drawn.

    ``among`` says of each layer of the model (of the tower), from the first, whether it is one of
    those that the frame stands for; it is empty where all are.
    """

    level: FrameLevel
    title: str
    aside: str
    x: float
    y: float
    width: float
    height: float
    among: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Route:
    """A line through points, in data's direction. A ``stream`` is the residual stream itself.

    ``label`` is written along its left, from below, where it first rises far enough.
    """

    points: Polyline
    kind: Literal["stream", "branch", "plain"]
    label: str = ""


@dataclass(frozen=True)
class Layout:
    """Everything that is drawn, in pixels from the upper left corner.

    ``sums`` are where a branch is added to the stream, ``taps`` where one leaves it; ``ends`` the
    names of what goes in and comes out.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    panels: tuple[Frame, ...]
    routes: tuple[Route, ...]
    sums: tuple[tuple[float, float], ...]
    taps: tuple[tuple[float, float], ...]
    ends: tuple[tuple[float, float, str], ...]
