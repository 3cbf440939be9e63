"""Which of the heatmap's cells share a scale, on which ramp it lies, and how that is said in words.

There are two ramps: heat where matrices are on the scale, the second one where only norms, biases
or other vectors are. By default there is one scale on each, so that none can be mistaken for the
other. Groups have as many scales as there are, each explained by a ramp of its own; components are
too many for that, and their one ramp says that it is relative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from modeldiff.drawings.heatmap.marks import SAME, label
from modeldiff.drawings.heatmap.options import HeatmapOptions, Sharing
from modeldiff.drawings.heatmap.readings import Reading, in_picture
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.value_scale import ValueScale, choose_value_scale
from modeldiff.processes.late_dataclass import dataclass

Ramp = Literal["heat", "second"]
MATRIX_SCALE = "matrices"
_OUTLIER = 2.0
"""What stands outside the layers stretches no scale of theirs by more than this."""


@dataclass(frozen=True)
class ColourScales:
    """The scales by name, in data order; a single one for all has the name "".

    ``names`` are those of the readings' scales, in the readings' order. ``second`` are the scales
    without a matrix. ``same`` are the names (of scales or not) whose cells are all exactly equal in
    both: such have no colours to explain.
    """

    sharing: Sharing
    scales: Mapping[str, ValueScale]
    names: tuple[str, ...]
    second: frozenset[str]
    same: tuple[str, ...] = ()

    @property
    def relative(self) -> bool:
        """Whether a colour says how near to its own component's most a cell is, and no more."""
        return self.sharing == "component"

    def ramp(self, name: str) -> Ramp:
        """The ramp that a scale lies on."""
        return "second" if name in self.second else "heat"

    def heat(self, readings: Sequence[Reading]) -> list[float | None]:
        """Each reading's heat from 0 to 1; None where it has no value, and in the margins."""
        return [
            self.scales[name].heat(reading.value)
            if reading.value is not None and in_picture(reading)
            else None
            for name, reading in zip(self.names, readings, strict=True)
        ]

    def reaches(self) -> Mapping[str, str]:
        """Where each scale ends, where several lie on one ramp; empty where they do not."""
        if len(self.scales) == len({self.ramp(name) for name in self.scales}):
            return {}
        return {name: f"to {scale.reach}" for name, scale in self.scales.items()}

    def guide(self) -> str:
        """In sentences: who shares a scale, and what its colours show."""
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        first = next(iter(self.scales.values()))
        moved = {name: scale for name, scale in self.scales.items() if name not in self.same}
        unit = first.metric.unit and f" {first.metric.unit}"
        if self.sharing == "component":
            yield "Each component has a scale of its own, from 0 to the number beside its name."
            yield "Compare colours within a component only."
        elif len(moved) > 1:
            names = [f"{name} (to {scale.reach}{unit})" for name, scale in moved.items()]
            text = f"{', '.join(names[:-1])} and {names[-1]} each have a scale of their own"
            yield f"{text[:1].upper()}{text[1:]}: compare colours within one of them only."
        elif len(self.scales) == 1:
            yield "All cells share one scale."
        else:
            yield "What is exactly equal has no colour."
        if any(scale.low for scale in self.scales.values()):
            yield "Colours are logarithmic: equal steps are equal ratios."
        if any(scale.clipped for scale in self.scales.values()):
            yield "The few cells beyond a scale's top have its last colour."
        floors = [scale.floor for scale in self.scales.values() if scale.floor is not None]
        floor = max(floors, default=0.0)
        if len(floors) == len(self.scales) and floor >= 0.01:
            yield (
                f"Floor: a stored value cannot move by less than {first.metric.format(floor)} of "
                "itself."
            )


def choose_colour_scales(
    readings: Sequence[Reading], metric: Metric, options: HeatmapOptions
) -> ColourScales:
    """The scales of these readings of a metric. Margins have none and change none."""
    sharing = options.scale
    names = _names(readings, sharing)
    members: dict[str, list[Reading]] = {}
    for name, reading in zip(names, readings, strict=True):
        if in_picture(reading):
            members.setdefault(name, []).append(reading)
    scales, second, same = {}, set(), []
    for name, cells in members.items():
        small = not any(cell.cell.kind == MATRIX_SCALE for cell in cells)
        if small:
            second.add(name)
        if {cell.mark for cell in cells} - {label("tied")} == {SAME}:
            same.append(name)
        if any(cell.value is not None for cell in cells):
            fixed = options.tops[small] if sharing in ("one", "kind") else None
            scales[name] = _scale(cells, _suited(metric, small), fixed, log=options.log)
    if not scales:
        scales[""] = choose_value_scale((), metric, log=options.log)
    return ColourScales(sharing, scales, tuple(names), frozenset(second), tuple(same))


def _scale(cells: Sequence[Reading], metric: Metric, top: float | None, *, log: bool) -> ValueScale:
    floors = {one.resolution for one in cells if one.resolution is not None}
    if any(one.resolution is None and one.value for one in cells):
        floors = set()  # what a lossy type makes moves by any amount
    values = [one.value for one in cells if one.value is not None]
    inside = [one.value for one in cells if one.value is not None and one.cell.layer is not None]
    if top is None and inside and metric.rises and max(inside) > 0:
        # Layers are what is compared. An embedding that is a stranger must not make them all pale.
        own = choose_value_scale(inside, metric, floors).top
        top = own if max(values) > _OUTLIER * own else None
    return choose_value_scale(values, metric, floors, log=log, top=top)


def _suited(metric: Metric, small: bool) -> Metric:
    """The metric for these cells: unrelated norms are all near one value, so that what unrelated
    matrices would show is no mark on a scale without matrices."""
    return metric.of_vectors if small else metric


def _names(readings: Sequence[Reading], sharing: Sharing) -> list[str]:
    """The name of each reading's scale."""
    if sharing == "one":
        return [""] * len(readings)
    if sharing == "group":
        return [reading.cell.part for reading in readings]
    if sharing == "component":
        return [reading.cell.column for reading in readings]
    vectors = _vectors(reading for reading in readings if in_picture(reading))
    return [MATRIX_SCALE if one.cell.kind == MATRIX_SCALE else vectors for one in readings]


def _vectors(readings: Iterable[Reading]) -> str:
    """What the tensors that are no matrices are called together."""
    kinds = {(one.cell.kind, one.cell.part) for one in readings if one.cell.kind != MATRIX_SCALE}
    norms = any(kind == "norms" for kind, _ in kinds)
    others = {part for kind, part in kinds if kind != "norms"}
    rest = "" if not others else "biases" if others == {"biases"} else "vectors"
    return " and ".join(filter(None, ("norms" if norms else "", rest)))
