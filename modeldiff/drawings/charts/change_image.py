"""The change of a matrix as a picture: blocks as levels of a colour scale, and a PNG of them."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from modeldiff.changes import ChangeImage
from modeldiff.drawings.style.palette import Palette
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_pct

NOTHING, LEAST, MOST = 0, 1, 255
"""Levels: of a block without a value, and of both ends of the scale."""
_WIDE_RANGE = 12.0
"""From so many times between the middle and the top on, the scale is logarithmic."""

Levels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageScale:
    """From ``low`` to ``high`` percent, linear (then from 0) or logarithmic; what lies beyond has
    the colour of the end."""

    low: float
    high: float
    log: bool

    @property
    def words(self) -> tuple[str, str, str]:
        """What stands at the scale's start, middle and end."""
        middle = (self.low * self.high) ** 0.5 if self.log else (self.low + self.high) / 2
        start = f"≤ {format_pct(self.low)}" if self.log else format_pct(self.low)
        return start, format_pct(middle), f"≥ {format_pct(self.high)}"


def image_scale(image: ChangeImage) -> ImageScale:
    """The scale that suits an image: up to what 99.5 % of the blocks stay below."""
    known = image.pct[np.isfinite(image.pct)]
    moved = known[known > 0]
    if not moved.size:
        return ImageScale(0.0, 1.0, log=False)
    least, middle, high = (float(q) for q in np.quantile(moved, [0.02, 0.5, 0.995]))
    if middle > 0 and high > _WIDE_RANGE * middle:
        return ImageScale(max(least, high / 1e5), high, log=True)
    return ImageScale(0.0, high, log=False)


def image_levels(image: ChangeImage, scale: ImageScale) -> Levels:
    """Each block's level on the scale, as [height, width]."""
    pct = image.pct.astype(np.float64)
    with np.errstate(all="ignore"):
        if scale.log:
            place = np.log(pct / scale.low) / np.log(scale.high / scale.low)
        else:
            place = pct / scale.high
    levels = LEAST + np.rint(np.clip(np.nan_to_num(place, nan=0.0), 0, 1) * (MOST - LEAST))
    levels[np.isnan(pct)] = NOTHING
    pixels: Levels = levels.astype(np.uint8)
    return pixels


def image_png(levels: Levels, palette: Palette) -> bytes:
    """The levels as a PNG in a palette's colours, a pixel a block; transparent where there is no
    value. Format: W3C, Portable Network Graphics (third edition)."""
    height, width = levels.shape
    stops = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in palette.ramp])
    at = np.linspace(0, len(stops) - 1, MOST - LEAST + 1)
    ramp = np.stack([np.interp(at, range(len(stops)), stops[:, i]) for i in range(3)], axis=1)
    colours = np.concatenate([np.zeros((1, 3)), ramp]).round().astype(np.uint8)
    lines = np.zeros((height, width + 1), np.uint8)  # a line begins with its filter: none
    lines[:, 1:] = levels
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", colours.tobytes()),
        (b"tRNS", b"\0"),
        (b"IDAT", zlib.compress(lines.tobytes(), 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def image_alt(image: ChangeImage) -> str:
    """The picture in a sentence: where it changed most, and how evenly."""
    known = np.where(np.isfinite(image.pct), image.pct, -1.0)
    if known.max(initial=-1.0) < 0:
        return "The change as an image: no block has a finite value."
    row, column = (int(n) for n in np.unravel_index(int(known.argmax()), known.shape))
    middle = float(np.median(known[known >= 0]))
    return (
        f"The change as an image of {image.height} × {image.width} blocks: the typical block "
        f"changed by {format_pct(middle)}, the most by {format_pct(float(known[row, column]))}, "
        f"at rows {_span(row, image.height, image.rows)} and columns "
        f"{_span(column, image.width, image.columns)}."
    )


def _span(block: int, blocks: int, size: int) -> str:
    first, last = block * size // blocks, (block + 1) * size // blocks - 1
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"
