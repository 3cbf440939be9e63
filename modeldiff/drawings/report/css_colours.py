"""The page's colours in both themes, as CSS variables."""

from __future__ import annotations

from modeldiff.drawings.style.palette import DARK, FILE_FONT, LIGHT, Palette

_NAMED = ("text", "muted", "surface", "panel", "line", "track", "accent", "bar", "edge")


def colours_css() -> str:
    """Light unless the reader's theme is dark; light on paper."""
    dark = _variables(DARK)
    return f"{_variables(LIGHT)}@media screen and (prefers-color-scheme:dark){{{dark}}}"


def _variables(palette: Palette) -> str:
    named = ";".join(f"--{name}:{getattr(palette, name)}" for name in _NAMED)
    return f":root{{{named};--font:{FILE_FONT}}}"
