"""A slide, and the pieces of HTML that slides are made of. All text in them is escaped here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field, replace
from html import escape

from modeldiff.drawings import CSS_PALETTE, Palette
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.ui.widgets.linked_html import LinkedEntry

WIDTH, HEIGHT = 1240.0, 648.0
"""In pixels, the room below a slide's head on a screen of 1280 × 720. All of a slide grows with the
screen."""
PAINT: Palette = CSS_PALETTE
FONT, HEADING_FONT = "inherit", "var(--st-heading-font)"
DRAWING = '<div class="drawing"></div>'
"""Where in a slide's HTML its drawing goes."""


@dataclass(frozen=True)
class Slide:
    """One view.

    ``name`` is the view's in the address, ``label`` what its head calls it, ``title`` its heading
    and ``about`` what stands beside that. ``html`` is its body. ``drawings`` are SVGs of the same,
    the best first: the first one whose text can be read where it is whole is taken. ``layered``:
    up and down go through the layers.
    """

    name: str
    label: str
    title: str
    html: str = DRAWING
    about: str = ""
    drawings: Sequence[str] = field(default=())
    layered: bool = False

    def renamed(self, name: str) -> Slide:
        """The same under another name: one of several of its kind."""
        return replace(self, name=name, layered=False)


def sentences(*texts: str) -> str:
    """What is to be read first, each in a line of its own."""
    return "".join(f'<p class="sentence">{escape(text)}</p>' for text in texts)


def reading_line(text: str) -> str:
    """A line that says ``text`` until something is pointed at, which is then read out there."""
    return f'<p class="line">{escape(text)}</p>'


def finding(sign: str, lead: str, text: str) -> str:
    """A line at the bottom: a sign, a word in heavy letters, and the rest."""
    lead = f"<b>{escape(lead)}</b> " if lead else ""
    return (
        f'<p class="finding"><span aria-hidden="true">{escape(sign)}</span>'
        f"<span>{lead}{escape(text)}</span></p>"
    )


def entries(shown: Sequence[LinkedEntry]) -> str:
    """A list of what differs, painted by what it is of."""
    parts, heading = [], ""
    for entry in shown:
        if entry.heading != heading:
            heading = entry.heading
            parts.append(f'<p class="kind">{escape(heading)}</p>')
        parts.append(
            f'<div class="entry {escape(entry.kind)}"><b>{escape(entry.title)}</b>'
            f" {escape(entry.value)}<small>{escape(entry.note)}</small></div>"
        )
    return "".join(parts)


def in_columns(left: str, right: str, *, even: bool = False) -> str:
    """Two parts side by side, the left one wider unless they are ``even``."""
    css = "beside even" if even else "beside"
    return f'<div class="{css}"><div>{left}</div><div>{right}</div></div>'


def fit(svg: str) -> float:
    """How much a drawing grows (1: not at all) where it is whole on a screen of 1280 × 720."""
    size = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', svg)
    return min(WIDTH / float(size[1]), HEIGHT / float(size[2])) if size else 0.0
