"""Which of the heatmap's cells share a scale, so that none misleads: chosen, and said in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modeldiff.drawings.heatmap.frame import in_picture
from modeldiff.drawings.heatmap.options import HeatmapOptions
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.value_scale import ValueScale, choose_value_scale

if TYPE_CHECKING:
    import pandas as pd

_FAR = 4.0
"""On a scale that reaches so many times further than its own, a kind of tensors looks unchanged."""
_SCOPE = {"kind": "kind", "group": "part", "component": "column"}
"""The frame's column that names a cell's scale."""


@dataclass(frozen=True)
class ColourScales:
    """The scales by name, in data order; a single one for all has the name "".

    ``sharing`` is what was chosen, with ``auto`` decided: who shares a scale.
    """

    sharing: Literal["one", "kind", "group", "component"]
    scales: Mapping[str, ValueScale]

    def heat(self, frame: pd.DataFrame) -> list[float]:
        """Each row's heat from 0 to 1; NaN where it has no value, and in the margins."""
        nothing = float("nan")
        names, inside = _names(frame, self.sharing), in_picture(frame) & frame["value"].notna()
        return [
            self.scales[name].heat(value) if has_one else nothing
            for name, value, has_one in zip(names, frame["value"], inside, strict=True)
        ]

    @property
    def beyond(self) -> str:
        """What unrelated matrices would show, where not even the furthest scale reaches it; empty
        where one does, and of a metric that has no such value."""
        scales = tuple(self.scales.values())
        ceilings = (scale.metric.ceiling for scale in scales)
        ceiling = next((each for each in ceilings if each is not None), None)
        if ceiling is None or any(scale.ceiling is not None for scale in scales):
            return ""
        return scales[0].metric.format(ceiling)

    def guide(self) -> str:
        """In sentences: who shares a scale and why, and what its colours show."""
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        first = next(iter(self.scales.values()))
        if self.sharing == "component":
            yield "Each component has a scale of its own, from 0 to the number beside its name."
            yield "Compare colours within a component only."
        elif len(self.scales) > 1:
            unit = first.metric.unit and f" {first.metric.unit}"
            names = [f"{name} (to {scale.reach}{unit})" for name, scale in self.scales.items()]
            text = f"{', '.join(names[:-1])} and {names[-1]} each have a scale of their own"
            yield f"{text[:1].upper()}{text[1:]}: compare colours within one of them only."
        else:
            yield "All cells share one scale."
        if any(scale.low for scale in self.scales.values()):
            yield "Colours are logarithmic: equal steps are equal ratios."
        if any(scale.clipped for scale in self.scales.values()):
            yield "The few cells beyond a scale's top have its last colour."
        floor = max((s.floor for s in self.scales.values() if s.floor is not None), default=None)
        if floor is not None and floor >= 0.01:
            yield (
                f"Floor: a stored value cannot move by less than {first.metric.format(floor)} of "
                "itself."
            )


def choose_colour_scales(
    frame: pd.DataFrame, metric: Metric, options: HeatmapOptions
) -> ColourScales:
    """The scales of a frame of ``heatmap_frame``. Its margins have none and change none.

    By default all cells share one, unless a kind of tensors (matrices, norms, other vectors) would
    look unchanged on it beside another that reaches much further.
    """
    sharing = options.scale
    if sharing == "auto":
        kinds = _choose(frame, metric, "kind", log=False, moved=True).values()
        tops = [scale.top for scale in kinds]
        # A scale for all may reach further than that of any kind: to where matrices are strangers.
        shared = [scale.top for scale in _choose(frame, metric, "one", log=False).values()]
        sharing = "kind" if tops and max(*tops, *shared) > _FAR * min(tops) else "one"
    scales = _choose(frame, metric, sharing, log=options.log)
    return ColourScales(sharing, scales or {"": choose_value_scale((), metric, log=options.log)})


def _choose(
    frame: pd.DataFrame, metric: Metric, sharing: str, *, log: bool, moved: bool = False
) -> dict[str, ValueScale]:
    """A scale for each name that has a value (with ``moved``: one that is a change)."""
    # A column to group by: pandas takes a list for names of columns where it is one row long.
    named = frame.assign(scale=_names(frame, sharing))
    known = named[in_picture(frame) & frame["value"].notna()]
    return {
        str(name): choose_value_scale(
            cells["value"], _suited(metric, cells), cells["resolution"].dropna(), log=log
        )
        for name, cells in known.groupby("scale", sort=False)
        if not moved or (cells["value"] > 0).any()
    }


def _suited(metric: Metric, cells: pd.DataFrame) -> Metric:
    """The metric for these cells, which may be no matrices."""
    return metric if (cells["kind"] == "matrices").any() else metric.of_vectors


def _names(frame: pd.DataFrame, sharing: str) -> list[str]:
    """The name of each row's scale."""
    scope = _SCOPE.get(sharing)
    return [str(name) for name in frame[scope]] if scope else [""] * len(frame)
