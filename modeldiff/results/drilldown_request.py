"""Which drill-down is asked for: the pair of one place, and what of it."""

from __future__ import annotations

from modeldiff.architectures import Place
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class DrillDown:
    """A drill-down into the pair of one place. ``kind`` is the name of one in the registry, see
    ``modeldiff.results.drilldowns``."""

    place: Place
    kind: str

    @property
    def identity(self) -> dict[str, str | int | None]:
        """What tells it from the others of its comparison, in plain values."""
        place = self.place
        return {
            "layer": place.layer,
            "component": place.component,
            "parameter": place.parameter,
            "expert": place.expert,
            "tower": place.tower,
            "kind": self.kind,
        }
