"""How the layers of two models meet where number against number would be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal

from modeldiff.architectures.place import LayerNumbers, Place
from modeldiff.processes.late_dataclass import dataclass

LayerMatching = Literal["auto", "position"]
"""How layers become partners: by content where their numbers plainly do not say it, or always by
number."""

Chain = tuple[LayerNumbers, ...]
"""All layers of a tower, of both sides, in one order: target's, with those of base that target
lacks where they stood. A layer of base that target has twice is there twice."""


DOUBT = "compared by position: "
"""How the reason of a row begins, or goes on, whose layer may be another one."""


@dataclass(frozen=True)
class Doubt:
    """Layers that are partners by number, although they may not be the same ones: ``reason`` says
    why nothing better is known."""

    layers: frozenset[int]
    reason: str


@dataclass(frozen=True)
class Alignment:
    """By tower: the ``chains`` of those whose layers meet otherwise than by number, and the
    ``doubts`` about those that were looked at in vain. Empty: all layers meet by number."""

    chains: Mapping[str, Chain] = field(default_factory=dict)
    doubts: Mapping[str, Doubt] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.chains or self.doubts)

    @classmethod
    def of_places(cls, places: Iterable[Place]) -> Alignment:
        """The chains that rows with these places were formed by."""
        chains: dict[str, dict[int, LayerNumbers]] = {}
        for place in places:
            if place.layers is not None and place.layer is not None:
                chains.setdefault(place.tower, {})[place.layer] = place.layers
        return cls({tower: tuple(by[at] for at in sorted(by)) for tower, by in chains.items()})


BY_POSITION = Alignment()
"""All layers meet by number."""
