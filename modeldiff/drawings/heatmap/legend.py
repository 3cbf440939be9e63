"""The colour scales over the heatmap, with floor and ceiling named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt

from modeldiff.drawings.heatmap.colour_scales import ColourScales
from modeldiff.drawings.style.ink import Paint
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.value_scale import Tick

_STEPS = 64
_WIDEST = 420
_GAP = 24
_LINE = 16.0
_TICK_LINE = 13.0
_ROOM_FOR_TICKS = 170
"""A strip narrower than so many pixels has its two ends named, and nothing between."""
_FREE_FROM = 0.4
"""From here on, what stands at a single strip's end has room beside the words of ticks."""


def legend_height(scales: ColourScales) -> float:
    """Pixels that the legend takes at the top."""
    below = _LINE if scales.beyond and _crowded(scales) else 0
    return 78.0 + (_LINE if _named(scales) else 0) + below


def legend(scales: ColourScales, metric: Metric, paint: Paint) -> list[alt.Chart]:
    """A title, and for each scale a strip of its colours with round values, floor and ceiling."""
    top = 30.0 + (_LINE if _named(scales) else 0)
    strips = _strips(scales)
    unit = ", %" if metric.unit else ""
    log = ", logarithmic" if any(scale.low for scale in scales.scales.values()) else ""
    width = f"min(width / {len(strips)} - {_GAP}, {_WIDEST})"
    left = f"datum.strip * ({width} + {_GAP})"
    title_y = top - (_LINE if _named(scales) else 0)
    title = {"y": title_y, "strip": 0, "text": f"{metric.label}{unit}{log}"}
    names = [{"y": top, "strip": n, "text": name} for n, name in enumerate(strips)]
    return [
        _text([title], left, paint, bold=True),
        *([_text(names, left, paint, bold=False)] if _named(scales) else []),
        _colours(metric, len(strips), top, width, left),
        *_ticks(strips, top, width, left, paint),
        *_beyond(scales, top, width, paint),
    ]


def _named(scales: ColourScales) -> bool:
    return len(_strips(scales)) > 1


def _strips(scales: ColourScales) -> Mapping[str, tuple[Tick, ...]]:
    """The marked values of each strip, by the name over it."""
    if scales.sharing == "component":
        low = "0" if not any(scale.low for scale in scales.scales.values()) else "least"
        return {"": (Tick(0.0, low), Tick(1.0, "each component's own top"))}
    apart = {"apart": 0.2} if len(scales.scales) > 1 else {}
    return {name: scale.ticks(**apart) for name, scale in scales.scales.items()}


def _text(values: list[dict[str, Any]], left: str, paint: Paint, *, bold: bool) -> alt.Chart:
    text: alt.Chart = (
        alt.Chart({"values": values})
        .mark_text(
            aria=False,
            align="left",
            baseline="bottom",
            dy=-4,
            fontSize=12,
            fontWeight=600 if bold else 400,
        )
        .encode(
            x=alt.value(alt.ExprRef(left)),
            y=alt.Y("y:Q"),
            text=alt.Text("text:N"),
            color=paint.words,
        )
    )
    return text


def _colours(metric: Metric, strips: int, top: float, width: str, left: str) -> alt.Chart:
    steps = [
        {
            # Where a value falls with change, heat falls from left to right.
            "heat": (step + 0.5) / _STEPS if metric.rises else 1 - (step + 0.5) / _STEPS,
            "strip": strip,
            "from": step / _STEPS,
            "to": (step + 1) / _STEPS,
            "y": top,
            "y2": top + 9,
        }
        for strip in range(strips)
        for step in range(_STEPS)
    ]
    colours: alt.Chart = (
        alt.Chart({"values": steps})
        .mark_rect(aria=False, strokeWidth=0, opacity=1)
        .encode(
            x=alt.value(alt.ExprRef(f"{left} + {width} * datum.from")),
            # A hair over the next one, so that no seam shines through.
            x2=alt.value(alt.ExprRef(f"{left} + {width} * datum.to + 0.5")),
            y=alt.Y("y:Q"),
            y2=alt.Y2("y2:Q"),
            color=alt.Color("heat:Q", legend=None),
        )
    )
    return colours


def _ticks(
    strips: Mapping[str, Iterable[Tick]], top: float, width: str, left: str, paint: Paint
) -> list[alt.Chart]:
    ticks = [
        {"at": tick.position, "strip": n, "y": top, "y2": top + 13, "text": tick.text}
        for n, marked in enumerate(strips.values())
        for tick in marked
    ]
    end = "datum.at == 0 || datum.at == 1"
    shown = f"({width} >= {_ROOM_FOR_TICKS} || {end})"
    at = alt.value(alt.ExprRef(f"{left} + {width} * datum.at"))
    marked = alt.Chart({"values": ticks}).encode(x=at, color=paint.words)
    return [
        marked.mark_rule(aria=False, opacity=alt.ExprRef(f"{shown} ? 1 : 0")).encode(
            y=alt.Y("y:Q"), y2=alt.Y2("y2:Q")
        ),
        marked.mark_text(
            aria=False,
            align=alt.ExprRef("datum.at == 0 ? 'left' : datum.at == 1 ? 'right' : 'center'"),
            baseline="line-top",
            lineBreak="\n",
            dy=2,
            fontSize=alt.ExprRef(f"{shown} ? 11 : 0"),
        ).encode(y=alt.Y("y2:Q"), text=alt.Text("text:N")),
    ]


def _beyond(scales: ColourScales, top: float, width: str, paint: Paint) -> list[alt.Chart]:
    """What unrelated matrices would show, at the end of the last strip, where none reaches it."""
    if not scales.beyond:
        return []
    lines = 2 if _crowded(scales) else 1
    text = {
        "y": top + 15 + lines * _TICK_LINE,
        "text": f"\N{UPWARDS ARROW} unrelated {scales.beyond}",
    }
    last = len(_strips(scales)) - 1
    mark: alt.Chart = (
        alt.Chart({"values": [text]})
        .mark_text(aria=False, align="right", baseline="line-top", fontSize=11)
        .encode(
            x=alt.value(alt.ExprRef(f"{last} * ({width} + {_GAP}) + {width}")),
            y=alt.Y("y:Q"),
            text=alt.Text("text:N"),
            color=paint.words,
        )
    )
    return [mark]


def _crowded(scales: ColourScales) -> bool:
    """Whether second lines of the ticks' words may reach, on a phone, where the last strip ends."""
    strips = tuple(_strips(scales).values())
    return any(
        "\n" in tick.text and (len(strips) > 1 or tick.position > _FREE_FROM)
        for ticks in strips
        for tick in ticks
    )


def tops(scales: ColourScales) -> dict[str, str]:
    """The reach of each component's own scale, by its column; empty where they share scales."""
    if scales.sharing != "component":
        return {}
    return {column: f"to {scale.reach}" for column, scale in scales.scales.items()}
