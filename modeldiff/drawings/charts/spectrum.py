"""The singular values of a change, or of weights, on log axes, with what rounding alone would
make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modeldiff.changes import SingularValues
from modeldiff.drawings.charts.chart_width import fitted
from modeldiff.text.formatting import format_small

if TYPE_CHECKING:
    import altair as alt

_MOST_POINTS = 240
_HEIGHT = 160


def spectrum_chart(spectrum: SingularValues) -> alt.LayerChart | None:
    """The chart in the page's theme; None where nothing changed."""
    import altair as alt

    # Below this, a value is an artefact of its computation.
    values = spectrum.values[spectrum.values > max(spectrum.error if spectrum.exact else 0.0, 0.0)]
    if not values.size:
        return None
    numbers = np.unique(np.geomspace(1, len(values), _MOST_POINTS).round().astype(int))
    share = 100 * np.minimum(np.cumsum(np.square(values)) / spectrum.energy, 1)
    rows: list[dict[str, Any]] = [
        {
            "number": int(n),
            "value": float(values[n - 1]),
            "kind": "change",
            "reading": format_small(float(values[n - 1])),
            "share": f"{share[n - 1]:.1f} %",
            "description": f"singular value {n}: {format_small(float(values[n - 1]))}",
        }
        for n in numbers
    ]
    across = alt.Scale(type="log", domain=[1, max(len(values), 2)], nice=False)
    noise = spectrum.noise.largest
    # Far below what rounding makes there is nothing to see.
    lowest = min(float(values[-1]), noise or float(values[-1]))
    bottom = max(lowest, min(noise, float(values[0])) / 30)
    rows = [row for row in rows if row["value"] >= bottom]
    up = alt.Scale(type="log", domain=[bottom / 1.3, 1.6 * max(float(values[0]), noise)])
    points = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "number:Q",
            scale=across,
            axis=alt.Axis(
                title="number, largest first",
                grid=False,
                tickCount=6,
                format="~s",
                labelOverlap=True,
                titleFontWeight="normal",
                titleFontSize=13,
                labelFontSize=13,
            ),
        ),
        y=alt.Y(
            "value:Q",
            scale=up,
            axis=alt.Axis(
                title=None,
                tickCount=4,
                format=".1~e",
                labelOverlap=True,
                labelFontSize=13,
                grid=False,
            ),
        ),
    )
    colour = alt.Color("kind:N", scale=alt.Scale(domain=[" ", "change"]), legend=None)
    layers = [
        points.mark_line(strokeWidth=1.5, aria=False).encode(color=colour),
        points.mark_point(filled=True, size=26, opacity=1).encode(
            color=colour,
            tooltip=[
                alt.Tooltip("number:Q", title="Number"),
                alt.Tooltip("reading:N", title="Singular value"),
                alt.Tooltip("share:N", title="Energy up to here"),
            ],
            description=alt.Description("description:N"),
        ),
    ]
    if noise > 0:
        rounding = alt.Chart(alt.InlineData(values=[{"y": noise, "text": "rounding alone"}]))
        layers += [
            rounding.mark_rule(strokeDash=[3, 3], color="gray", aria=False).encode(
                y=alt.Y("y:Q", scale=up)
            ),
            rounding.mark_text(
                align="right", dx=-4, dy=-7, fontSize=13, color="gray", aria=False
            ).encode(x=alt.value("width"), y=alt.Y("y:Q", scale=up), text="text:N"),
        ]
    rank = spectrum.fitting_rank
    if rank is not None:
        fit = alt.Chart(
            alt.InlineData(values=[{"x": (rank * (rank + 1)) ** 0.5, "text": f"rank {rank}"}])
        )
        layers += [
            fit.mark_rule(color="gray", aria=False).encode(x=alt.X("x:Q", scale=across)),
            fit.mark_text(
                align="left", dx=5, fontSize=13, fontWeight=600, color="gray", aria=False
            ).encode(x=alt.X("x:Q", scale=across), y=alt.value(8), text="text:N"),
        ]
    return fitted(layers, _HEIGHT)


def spectrum_alt(spectrum: SingularValues) -> str:
    """The picture in a sentence."""
    whose = "the change" if spectrum.of == "change" else "the matrix"
    if not spectrum.values.size or spectrum.energy <= 0:
        nothing = "nothing changed" if spectrum.of == "change" else "all its elements are 0"
        return f"Singular values of {whose}: {nothing}."
    largest = format_small(float(spectrum.values[0]))
    sentence = (
        f"Singular values of {whose}, largest first, on log axes: the largest is {largest}, "
        f"rounding alone would reach {format_small(spectrum.noise.largest)}"
    )
    if spectrum.of == "weights":
        return f"{sentence}."
    rank = spectrum.fitting_rank
    fits = f"the change fits a rank-{rank} update" if rank else "the change fits no low rank"
    return f"{sentence}; {fits}."
