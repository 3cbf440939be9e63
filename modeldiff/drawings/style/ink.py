"""Colours on a ramp, and the ink that reads on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

GREY = "gray"
"""A name of Streamlit's theme, and a grey of CSS that reads on light and dark grounds elsewhere."""

BLACK, WHITE = "#000000", "#ffffff"
_EQUAL = 0.1791
"""The luminance on which black and white read equally well, at 4.58 : 1."""
_EITHER = (0.1752, 0.1832)
"""Between these luminances both have a contrast of at least 4.5 : 1."""


@lru_cache(maxsize=1024)
def colour_at(ramp: tuple[str, ...], share: float) -> str:
    """The colour at ``share`` (0 to 1) of the way along a ramp of ``#rrggbb`` colours."""
    at = share * (len(ramp) - 1)
    low = min(int(at), len(ramp) - 2)
    mixed = (
        round(first + (second - first) * (at - low))
        for first, second in zip(_rgb(ramp[low]), _rgb(ramp[low + 1]), strict=True)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)


def ink_on(colour: str, preferred: str = "") -> str:
    """Black or white, whichever reads better on ``colour`` (``#rrggbb``), at least at 4.5 : 1;
    ``preferred`` where both do."""
    light = luminance(colour)
    if preferred and _EITHER[0] <= light <= _EITHER[1]:
        return preferred
    return BLACK if light > _EQUAL else WHITE


def usual_ink(colours: Iterable[str]) -> str:
    """The ink that most of these colours have: preferred where both read, it does not flip among
    neighbours that look the same. Empty where there are no colours."""
    counts = Counter(map(ink_on, colours))
    return max(counts, key=counts.__getitem__, default="")


@lru_cache(maxsize=1024)
def luminance(colour: str) -> float:
    """Relative luminance of a ``#rrggbb`` colour as WCAG 2 defines it."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in _rgb(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue
