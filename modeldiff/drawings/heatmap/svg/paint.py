"""The heatmap's colours as rules of CSS: concrete ones for a file, both themes' for a page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

from modeldiff.drawings.heatmap.colour_scales import Ramp
from modeldiff.drawings.heatmap.faces import STEPS, step_class
from modeldiff.drawings.style.ink import colour_at, ink_on, usual_ink
from modeldiff.drawings.style.palette import CSS_PALETTE, DARK, LIGHT, Palette
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Paint:
    """``words`` are the colours of what stands on the drawing's own ground, ``themes`` the palettes
    whose ramps colour the cells: one, or a light and a dark one between which the page chooses."""

    words: Palette
    themes: tuple[Palette, ...]

    def colour(self, pick: Callable[[Palette], str]) -> str:
        """A colour of the themes, as CSS."""
        colours = list(dict.fromkeys(map(pick, self.themes)))
        return colours[0] if len(colours) == 1 else f"light-dark({','.join(colours)})"


PAGE_PAINT = Paint(CSS_PALETTE, (LIGHT, DARK))
"""On a page of the app: its variables, and the ramp of the theme that it has."""


def file_paint(palette: Palette) -> Paint:
    """In a file: the colours of one palette."""
    return Paint(palette, (palette,))


def ramp_of(palette: Palette, ramp: Ramp) -> tuple[str, ...]:
    """A palette's colours for a ramp."""
    return palette.ramp if ramp == "heat" else palette.second


def step_rules(
    steps: Collection[tuple[Ramp, int]], paint: Paint, usual: Sequence[tuple[Ramp, int]] = ()
) -> str:
    """The rules that paint cells at these ``steps``, and what is written on them.

    ``usual`` are the steps of the picture's cells, one a cell: where black and white both read, the
    ink is the one that most of them have.
    """
    inks = {
        id(theme): usual_ink(_colour(theme, ramp, step) for ramp, step in usual)
        for theme in paint.themes
    }
    return "".join(_rules(sorted(steps), paint, inks))


def _rules(steps: Sequence[tuple[Ramp, int]], paint: Paint, inks: dict[int, str]) -> Iterator[str]:
    for ramp, step in steps:
        name = step_class(ramp, step)
        fill = paint.colour(partial(_colour, ramp=ramp, step=step))
        ink = paint.colour(partial(_ink, ramp=ramp, step=step, inks=inks))
        yield f".{name} rect{{fill:{fill}}}.{name} text,.{name} path{{fill:{ink}}}"


def _colour(theme: Palette, ramp: Ramp, step: int) -> str:
    return colour_at(ramp_of(theme, ramp), step / STEPS)


def _ink(theme: Palette, ramp: Ramp, step: int, inks: dict[int, str]) -> str:
    return ink_on(_colour(theme, ramp, step), inks[id(theme)])


def style_rules(paint: Paint) -> str:
    """The rules for everything else in a heatmap; they touch nothing outside of one."""
    p = paint.words
    rules = {
        "text": f"fill:{p.text};font-variant-numeric:tabular-nums",
        ".muted": f"fill:{p.muted}",
        ".strong": "font-weight:600",
        ".moved": f"fill:{p.accent};font-weight:600",
        ".value": "font-weight:500",
        ".edge": f"fill:none;stroke:{p.edge}",
        ".tick": f"fill:none;stroke:{p.text}",
        ".change": f"fill:{p.bar}",
        ".heat": f"fill:{paint.colour(lambda theme: theme.ramp[5])}",
        ".second": f"fill:{paint.colour(lambda theme: theme.second[5])}",
        ".panel rect": f"fill:{p.panel}",
        ".panel text": f"fill:{p.muted}",
        ".outside rect": f"stroke:{p.line};stroke-width:1",
        ".outside.dashed rect,.outside.tied rect": f"stroke:{p.edge}",
        ".dashed rect": f"fill:{p.surface};stroke:{p.edge};stroke-dasharray:3 2",
        ".paper rect": f"fill:{p.surface};stroke:{p.line};stroke-width:.5",
        ".hit": "fill:transparent",
        ".ground": f"fill:{p.surface}",
        ".ring": f"fill:none;stroke:{p.accent};stroke-width:3",
        ".halo": f"fill:none;stroke:{p.surface};stroke-width:6",
        ".block": f"stroke:{p.edge};stroke-dasharray:4 3",
    }
    return "".join(
        ",".join(f".heatmap {one}" for one in name.split(",")) + f"{{{rule}}}"
        for name, rule in rules.items()
    )
