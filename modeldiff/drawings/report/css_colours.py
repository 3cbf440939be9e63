"""The page's colours in both themes, as CSS variables and as steps of the heatmap's ramp."""

from __future__ import annotations

from modeldiff.drawings.report.rows import STEPS
from modeldiff.drawings.style.palette import DARK, FILE_FONT, LIGHT, Palette

_DARK_INK, _LIGHT_INK = "#16191c", "#ffffff"
_NAMED = ("text", "muted", "surface", "panel", "line", "track", "accent", "bar")


def colours_css() -> str:
    """Light unless the reader's theme is dark; light on paper."""
    dark = f"{_variables(DARK)}{_ramp(DARK)}"
    return (
        f"{_variables(LIGHT)}{_ramp(LIGHT)}@media screen and (prefers-color-scheme:dark){{{dark}}}"
    )


def _variables(palette: Palette) -> str:
    named = ";".join(f"--{name}:{getattr(palette, name)}" for name in _NAMED)
    return f":root{{{named};--font:{FILE_FONT}}}"


def _ramp(palette: Palette) -> str:
    rules = []
    for step in range(STEPS + 1):
        colour = _between(palette.ramp, step / STEPS)
        ink = _DARK_INK if _luminance(colour) > 0.18 else _LIGHT_INK
        red, green, blue = (round(part) for part in colour)
        rules.append(f".s{step}{{fill:#{red:02x}{green:02x}{blue:02x};--ink:{ink}}}")
    return "".join(rules)


def _between(ramp: tuple[str, ...], share: float) -> tuple[float, float, float]:
    at = share * (len(ramp) - 1)
    low = min(int(at), len(ramp) - 2)
    first, second = _rgb(ramp[low]), _rgb(ramp[low + 1])
    red, green, blue = (a + (b - a) * (at - low) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(float(int(colour[at : at + 2], 16)) for at in (1, 3, 5))


def _luminance(colour: tuple[float, float, float]) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
