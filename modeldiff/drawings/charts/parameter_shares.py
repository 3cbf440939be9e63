"""Where the parameters are, part by part, both models on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldiff.architectures.config.parameter_counts import PARTS
from modeldiff.drawings.style.palette import FILE_FONT, Palette
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_count, format_share

if TYPE_CHECKING:
    import altair as alt

    from modeldiff.architectures.architecture import Architecture

_BAR, _GAP = 17, 14
_ROOM = 128
"""Pixels beside the longest bar, for its number."""

_TARGET_COLOUR, _BASE_COLOUR = 0, 5
"""Places in the theme's categorical colours: its accent, and its grey."""


@dataclass(frozen=True)
class PartShare:
    """Trained parameters of one part in both models; 0 where a model has none."""

    label: str
    base: int
    target: int


@dataclass(frozen=True)
class Parts:
    """All parts that either model has, and both models' names and totals."""

    parts: tuple[PartShare, ...]
    names: tuple[str, str]
    totals: tuple[int, int]


def read_parts(base: Architecture, target: Architecture) -> Parts:
    """Count both models' parameters by part, in the order in which data passes."""
    counts = [_counts(side) for side in (base, target)]
    parts = tuple(
        PartShare(label[:1].upper() + label[1:], *(side.get(part, 0) for side in counts))
        for part, label in PARTS.items()
        if any(side.get(part) for side in counts)
    )
    totals = sum(counts[0].values()), sum(counts[1].values())
    return Parts(parts, (base.title, target.title), totals)


def parts_alt(parts: Parts) -> str:
    """The picture's numbers in sentences, for who does not see it."""
    sentences = []
    for side, (name, total) in enumerate(zip(parts.names, parts.totals, strict=True)):
        each = [(part.label, (part.base, part.target)[side]) for part in parts.parts]
        words = ", ".join(
            f"{label} {_amount(count, total)}"
            for label, count in sorted(each, key=lambda item: -item[1])
            if count
        )
        role = ("Base", "Target")[side]
        sentences.append(f"{role}, {name}: {words or 'no parameters'}.")
    return f"Parameters by part. {' '.join(sentences)}"


def parts_chart(parts: Parts, palette: Palette | None = None) -> alt.LayerChart:
    """Two bars a part, base over target, each with its count and its share of that model.

    ``palette`` is for files; without it the page's theme gives colours and fonts.
    """
    import altair as alt

    rows = [
        {
            "part": part.label,
            "side": side,
            "count": count,
            "amount": _amount(count, total) if count else "none",
            "description": f"{part.label}, {side}: {_amount(count, total) if count else 'none'}",
        }
        for part in parts.parts
        for side, count, total in (
            ("base", part.base, parts.totals[0]),
            ("target", part.target, parts.totals[1]),
        )
    ]
    # A theme's categorical colours go by a value's place in the domain.
    filler = [" " * (place + 1) for place in range(_TARGET_COLOUR + 1, _BASE_COLOUR)]
    colours = (
        alt.Scale(domain=["target", *filler, "base"])
        if palette is None
        else alt.Scale(domain=["base", "target"], range=[palette.muted, palette.accent])
    )
    names = {"base": f"Base: {parts.names[0]}", "target": f"Target: {parts.names[1]}"}
    legend = alt.Legend(
        orient="top",
        direction="vertical",
        title=None,
        values=["base", "target"],
        labelExpr=f"{names}[datum.label]",
        labelLimit=360,
        labelFontSize=13,
        symbolType="square",
    )
    bars = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y(
            "part:N",
            sort=[part.label for part in parts.parts],
            title=None,
            axis=alt.Axis(labelFontSize=13, ticks=False, domain=False, labelLimit=110),
            scale=alt.Scale(paddingInner=_GAP / (2 * _BAR + _GAP), paddingOuter=0.1),
        ),
        yOffset=alt.YOffset("side:N", sort=["base", "target"]),
        x=alt.X(
            "count:Q",
            axis=None,
            scale=alt.Scale(
                zero=True, nice=False, range=[0, alt.ExprRef(f"max(40, width - {_ROOM})")]
            ),
        ),
    )
    layers = (
        bars.mark_bar(cornerRadiusEnd=2).encode(
            color=alt.Color("side:N", scale=colours, legend=legend),
            tooltip=[
                alt.Tooltip("part:N", title="Part"),
                alt.Tooltip("side:N", title="Side"),
                alt.Tooltip("amount:N", title="Parameters"),
                alt.Tooltip("count:Q", title="Exactly", format=","),
            ],
            description=alt.Description("description:N"),
        ),
        bars.mark_text(align="left", dx=6, fontSize=13, aria=False).encode(
            text=alt.Text("amount:N"),
            color=alt.value("gray" if palette is None else palette.text),
        ),
    )
    chart = alt.LayerChart(
        layer=list(layers), height=alt.Step(2 * _BAR + _GAP, **{"for": "position"})
    )
    if palette is None:
        return chart
    painted: alt.LayerChart = chart.configure(
        background=palette.surface,
        font=FILE_FONT,
        view=alt.ViewConfig(strokeWidth=0),
        axis=alt.AxisConfig(labelColor=palette.text),
        legend=alt.LegendConfig(labelColor=palette.text),
    )
    return painted


def _counts(architecture: Architecture) -> dict[str, int]:
    return {part: architecture.number(f"parameters_{part}") or 0 for part in PARTS}


def _amount(count: int, total: int) -> str:
    return f"{format_count(count)} · {format_share(count, total)}"
