"""A drawing on a slide: whole, in the middle, on a ground of 16 by 9."""

from __future__ import annotations

import re

from modeldiff.drawings.style.palette import Palette

SLIDE_MM = 338.67
"""The width of a slide as programs for talks have it: 13⅓ inches."""
WIDTH, HEIGHT = 1280.0, 720.0
_RIM = 24.0
_ROOT = re.compile(r"<svg\b[^>]*>")


def on_slide(drawing: str, palette: Palette) -> str:
    """The SVG ``drawing`` (with a ``viewBox``) as large as a slide of 1280 × 720 pixels allows."""
    inner = placed(drawing, _RIM, _RIM, WIDTH - 2 * _RIM, HEIGHT - 2 * _RIM)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
        f' width="{WIDTH:g}" height="{HEIGHT:g}">'
        f'<rect width="{WIDTH:g}" height="{HEIGHT:g}" fill="{palette.surface}"/>{inner}</svg>'
    )


def placed(drawing: str, x: float, y: float, width: float, height: float) -> str:
    """An SVG as a part of another, as large as it gets in this box, at its upper left corner or, on
    the side where room is left, in the middle."""
    root = _ROOT.search(drawing)
    if root is None:
        raise ValueError("the drawing is no SVG")
    bare = re.sub(r'\s(?:x|y|width|height|xmlns)="[^"]*"', "", root[0])
    at = f' x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return drawing[root.start() :].replace(root[0], bare.replace("<svg", f"<svg{at}", 1), 1)
