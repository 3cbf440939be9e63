"""A drawing as a figure of a paper: so many millimetres wide, its text of a known size in points.

Any SVG with a ``viewBox`` (or a size) and concrete colours will do. What a drawing came from goes
into the file's metadata and not upon the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from modeldiff.drawings.output.conversion import pdf_of, png_of
from modeldiff.drawings.output.pdf_metadata import with_metadata
from modeldiff.drawings.output.png import packed, with_text
from modeldiff.drawings.output.text_sizes import least_text_size
from modeldiff.drawings.style.svg import allowed, described, escape
from modeldiff.errors import InvalidOption
from modeldiff.processes.late_dataclass import dataclass

ONE_COLUMN_MM, TWO_COLUMNS_MM = 85.0, 170.0
"""The widths of a figure in most journals: of one column, and of the page."""
NARROWEST_MM, WIDEST_MM = 40.0, 1200.0
SMALLEST_PT, LARGEST_PT = 4.0, 36.0
_MM_PER_INCH, _PT_PER_INCH = 25.4, 72.0
_ROOT = re.compile(r"<svg\b[^>]*>")


@dataclass(frozen=True)
class FigureSize:
    """How wide a figure is and how large its text, in millimetres and points.

    Raises ``InvalidOption`` for what no page has.
    """

    width_mm: float
    text_pt: float = 7.0

    def __post_init__(self) -> None:
        if not NARROWEST_MM <= self.width_mm <= WIDEST_MM:
            raise InvalidOption(
                f"A figure of {self.width_mm:g} mm cannot be made.",
                hint=f"Ask for {NARROWEST_MM:g} to {WIDEST_MM:g} mm.",
            )
        if not SMALLEST_PT <= self.text_pt <= LARGEST_PT:
            raise InvalidOption(
                f"Text of {self.text_pt:g} pt cannot be set.",
                hint=f"Ask for {SMALLEST_PT:g} to {LARGEST_PT:g} pt.",
            )

    def drawing_width(self, text_px: float) -> float:
        """How many pixels wide a drawing is to be laid out whose least text has ``text_px`` pixels,
        for that text to have ``text_pt`` points in this width."""
        return self.width_mm / _MM_PER_INCH * _PT_PER_INCH / self.text_pt * text_px


@dataclass(frozen=True)
class Figure:
    """A drawing of a physical size. ``title`` and ``origin`` (what it came from, line by line) are
    the file's metadata."""

    drawing: str
    width_mm: float
    title: str = ""
    origin: tuple[str, ...] = ()

    @property
    def height_mm(self) -> float:
        """How high it is, in millimetres."""
        width, height = self._extent()
        return self.width_mm * height / width

    @property
    def least_text_pt(self) -> float | None:
        """The size of its smallest text in points; None where it has none."""
        size = least_text_size(self.drawing)
        points = self.width_mm / _MM_PER_INCH * _PT_PER_INCH
        return None if size is None else size * points / self._extent()[0]

    def svg(self) -> str:
        """The drawing with its size in millimetres, its metadata in ``title`` and ``desc``."""
        sized = self._sized(f"{self.width_mm:g}mm", f"{self.height_mm:.2f}mm")
        sized = described(sized, self.origin)
        if not self.title:
            return sized
        return sized.replace(">", f"><title>{escape(self.title)}</title>", 1)

    def pdf(self) -> bytes:
        """One page of the figure's size: vectors, and text in embedded TrueType fonts."""
        # What writes PDF takes a pixel for a point.
        points = _PT_PER_INCH / _MM_PER_INCH
        sized = self._sized(f"{self.width_mm * points:.3f}", f"{self.height_mm * points:.3f}")
        return with_metadata(pdf_of(sized), allowed(self.title), [*map(allowed, self.origin)])

    def png(self, *, dots_per_inch: float = 300) -> bytes:
        """The figure in so many pixels an inch, its metadata as the text ``Description``."""
        width = self.width_mm / _MM_PER_INCH * dots_per_inch
        height = self.height_mm / _MM_PER_INCH * dots_per_inch
        sized = self._sized(f"{width:.0f}", f"{height:.0f}")
        png = packed(png_of(sized, 1.0))
        return with_text(png, allowed("\n".join((self.title, *self.origin))))

    def _extent(self) -> tuple[float, float]:
        """Width and height in the drawing's own units."""
        root = self._root()
        box = re.search(r'\bviewBox="([^"]+)"', root)
        if box is not None:
            _, _, width, height = map(float, box[1].replace(",", " ").split())
            return width, height
        sides = [re.search(rf'\s{side}="([\d.]+)', root) for side in ("width", "height")]
        width, height = (float(side[1]) if side else 1.0 for side in sides)
        return width, height

    def _root(self) -> str:
        root = _ROOT.search(self.drawing)
        if root is None:
            raise ValueError("the drawing is no SVG")
        return root[0]

    def _sized(self, width: str, height: str) -> str:
        own_width, own_height = self._extent()
        root = self._root()
        bare = re.sub(r'\s(?:width|height|viewBox)="[^"]*"', "", root)
        size = f' viewBox="0 0 {own_width:g} {own_height:g}" width="{width}" height="{height}"'
        return self.drawing.replace(root, bare.replace("<svg", f"<svg{size}", 1), 1)


def figure(drawing: str, width_mm: float, title: str = "", origin: Sequence[str] = ()) -> Figure:
    """``drawing``, an SVG in concrete colours, as a figure of this width in millimetres."""
    return Figure(drawing, width_mm, title, tuple(origin))
