"""The fonts of drawings in files, which come with the package: static cuts of Source Sans and
Serif, so that a PDF embeds them as TrueType. Variable fonts end there as Type 3, which publishers
refuse.

Tables after the OpenType specification: ``head``, ``hhea``, ``hmtx`` and ``cmap``, format 12.
"""

from __future__ import annotations

import struct
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modeldiff.processes.late_dataclass import dataclass

FOLDER = Path(__file__).parent / "fonts"
SANS = "'Source Sans Pro', 'Source Sans 3', Helvetica, Arial, 'Liberation Sans', sans-serif"
SERIF = "'Source Serif Pro', 'Source Serif 4', Georgia, 'Liberation Serif', serif"
"""The families to name in a drawing that is laid out with these fonts' own widths."""

FITTED = "'Source Sans Pro', 'Source Sans 3', 'as Source Sans', sans-serif"
FITTED_RULES = "".join(
    "@font-face{font-family:'as Source Sans';size-adjust:88%;"
    f"font-weight:{weight};src:local('Arial{bold}'),local('Liberation Sans{bold}')}}"
    for weight, bold in ((400, ""), (600, " Bold"))
)
"""Where the fonts do not come with a drawing: families of which the last is nearly as wide as
these, and the rules of CSS that say so, with fonts that most machines have."""

_CHARACTER_MAP = 12


@dataclass(frozen=True)
class Font:
    """One static font, by the name of its file."""

    name: str

    def width(self, text: str, size: float) -> float:
        """The width of one line of ``text`` set in ``size``, in the unit of the size. A letter that
        the font lacks counts as wide as the size."""
        return size * sum(map(self._advance, text)) / self._units

    def wrap(self, text: str, room: float, size: float) -> tuple[str, ...]:
        """The text in lines of at most ``room``, broken at spaces; a longer word stays whole."""
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width(longer, size) <= room:
                lines[-1] = longer
            else:
                lines.append(word)
        return tuple(lines)

    def shorten(self, text: str, room: float, size: float) -> str:
        """The text, its middle left out where it is wider than ``room``."""
        if self.width(text[:1000], size) <= room and len(text) <= 1000:
            return text
        most = min(len(text) - 1, 1000)
        for keep in range(most, 0, -1):
            tail = keep // 2
            short = f"{text[: keep - tail]}…{text[len(text) - tail :]}"
            if self.width(short, size) <= room:
                return short
        return "…"

    def _advance(self, letter: str) -> int:
        glyph = self._glyphs.get(ord(letter))
        if glyph is None:
            return self._units
        return int(self._advances[min(glyph, len(self._advances) - 1)])

    @cached_property
    def _tables(self) -> dict[bytes, bytes]:
        data = (FOLDER / f"{self.name}.ttf").read_bytes()
        (count,) = struct.unpack_from(">H", data, 4)
        rows = (struct.unpack_from(">4s4xII", data, 12 + 16 * row) for row in range(count))
        return {tag: data[start : start + length] for tag, start, length in rows}

    @cached_property
    def _units(self) -> int:
        (units,) = struct.unpack_from(">H", self._tables[b"head"], 18)
        return int(units)

    @cached_property
    def _advances(self) -> npt.NDArray[np.uint16]:
        (count,) = struct.unpack_from(">H", self._tables[b"hhea"], 34)
        return np.frombuffer(self._tables[b"hmtx"], ">u2", 2 * count)[::2].astype(np.uint16)

    @cached_property
    def _glyphs(self) -> dict[int, int]:
        table = self._tables[b"cmap"]
        (count,) = struct.unpack_from(">H", table, 2)
        for row in range(count):
            (start,) = struct.unpack_from(">4xI", table, 4 + 8 * row)
            (kind,) = struct.unpack_from(">H", table, start)
            if kind == _CHARACTER_MAP:
                (groups,) = struct.unpack_from(">I", table, start + 12)
                spans = np.frombuffer(table, ">u4", 3 * groups, start + 16).reshape(-1, 3).tolist()
                return {
                    code: glyph + code - first
                    for first, last, glyph in spans
                    for code in range(first, last + 1)
                }
        return {}


REGULAR = Font("SourceSansPro-Regular")
SEMIBOLD = Font("SourceSansPro-Semibold")
HEADING = Font("SourceSerifPro-Semibold")
