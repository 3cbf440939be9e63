"""Panels, the tables before and after them and the residual stream, put together on a page.

``Plane`` turns what lies along and across the data's way into the page's x and y: data runs to the
right, with the stream below everything; or, on a narrow page, downward with the stream at the left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field, replace

from modeldiff.drawings.annotated.panel import Panel, arrange_panel, stretched
from modeldiff.drawings.annotated.sections import FrameTiles, Section, SublayerTiles, TileRows
from modeldiff.drawings.annotated.tiles import TEXT, Tile
from modeldiff.drawings.style.fonts import REGULAR
from modeldiff.processes.late_dataclass import dataclass

TITLE = 26.0
"""Room for a panel's title."""
LED_ON = 20.0
"""Room beside bands for the stream, which leads from one to the next."""
MOST_ACROSS = 900.0
"""How much boxes beside each other may take where data runs to the right: more are broken into
columns."""
STREAM_ASIDE = 60.0
"""Room for the stream and the rims, where data runs downward."""
_RIM, _BETWEEN = 10.0, 16.0
_STREAM_BELOW, _STREAM_BESIDE = 44.0, 24.0
_END = 20.0
"""How far the tables reach beyond the stream."""
_LEAST_BREADTH, _ENDS_ALONE = 240.0, 110.0
_MOST_TABLES = 4
_MOST_WIDER = {"heads": 96.0, "stack": 40.0, "flat": 60.0}


@dataclass(frozen=True)
class ColumnPart:
    """Tiles that the stream begins in, passes or ends in: a table, a norm, an operation.

    ``words`` say what comes in there or, at the ``last``, what goes out.
    """

    tiles: tuple[Tile, ...]
    words: str = ""
    last: bool = False

    def length(self, across: bool) -> float:
        """How much of the data's way it takes."""
        sizes = [tile.width if across else tile.height for tile in self.tiles]
        if across:
            return max([*sizes, REGULAR.width(f"→ {self.words}", TEXT) if self.words else 0.0])
        return max(sizes) + (TITLE if self.words else 0.0)


@dataclass(frozen=True)
class PanelPart:
    """A sublayer. ``first`` and ``last`` say whether a layer's frame begins and ends with it."""

    tiles: SublayerTiles
    panel: Panel
    frame: FrameTiles
    first: bool
    last: bool

    def length(self, across: bool) -> float:
        """How much of the data's way it takes, with its rim."""
        return self.panel.length + 2 * _RIM + (0.0 if across else TITLE)


Part = ColumnPart | PanelPart


@dataclass
class Band:
    """Parts side by side along one stretch of the stream, which ``goes_on`` from the band before
    or begins here."""

    parts: list[Part] = field(default_factory=list)
    goes_on: bool = False

    def length(self, across: bool) -> float:
        """How long it is."""
        own = sum(part.length(across) for part in self.parts)
        return own + _BETWEEN * max(len(self.parts) - 1, 0)


def parts_of(sections: Sequence[Section], *, across: bool, room: float) -> list[list[Part]]:
    """The parts of each tower in the order of the data; ``room`` is what there is across."""
    return [list(_parts(section, across, room)) for section in sections]


def bands_of(towers: Sequence[Sequence[Part]], width: float) -> list[Band] | None:
    """The parts in bands of at most this width, each tower beginning one; None where a part alone
    is wider."""
    whole = [part for parts in towers for part in parts]
    if len(towers) == 1 and _length(whole) <= width:
        return [_filled(Band(whole), width)]
    width -= 2 * LED_ON
    bands: list[Band] = []
    for parts in towers:
        bands.append(Band())
        for group in _together(parts):
            for some in _pieces(group, bands[-1], width):
                if _length(some) > width:
                    return None
                if not _has_room(bands[-1], some, width):
                    bands.append(Band(goes_on=True))
                bands[-1].parts += some
    return [_filled(band, width) for band in bands if band.parts]


def breadth_of(band: Band) -> float:
    """How far across the panels of a band reach."""
    own = [part.panel.breadth for part in band.parts if isinstance(part, PanelPart)]
    return max([*own, _LEAST_BREADTH]) if own else _ENDS_ALONE


@dataclass(frozen=True)
class Plane:
    """Where things of one band are on the page: ``x`` and ``y`` are of its start at the panels'
    lower edge across, ``breadth`` is theirs."""

    across: bool
    x: float
    y: float
    breadth: float

    @property
    def stream(self) -> float:
        """The stream's place across."""
        return self.breadth + _STREAM_BELOW if self.across else -_STREAM_BESIDE

    @property
    def ends(self) -> tuple[float, float]:
        """From where to where across tables and norms reach that the stream passes."""
        if self.across:
            return -8.0, self.stream + _END
        return self.stream - 10.0, self.breadth + 8.0

    def point(self, along: float, over: float) -> tuple[float, float]:
        """A place on the page."""
        return (self.x + along, self.y + over) if self.across else (self.x + over, self.y + along)

    def box(
        self, start: float, end: float, low: float, high: float
    ) -> tuple[float, float, float, float]:
        """Upper left corner, width and height on the page."""
        x, y = self.point(start, low)
        size = (end - start, high - low) if self.across else (high - low, end - start)
        return (x, y, *size)


def place_panels(band: Band, breadth: float) -> Band:
    """The band with its panels over all of ``breadth``."""
    return Band(
        [
            replace(part, panel=stretched(part.panel, breadth))
            if isinstance(part, PanelPart)
            else part
            for part in band.parts
        ],
        band.goes_on,
    )


def _parts(section: Section, across: bool, room: float) -> Iterator[Part]:
    for number, tiles in enumerate(_columns(section.stem)):
        yield ColumnPart(tiles, section.comes_in if number == 0 else "")
    for frame in section.frames:
        last = len(frame.sublayers) - 1
        for number, sublayer in enumerate(frame.sublayers):
            panel = arrange_panel(sublayer.rows, across=across, room=room)
            yield PanelPart(sublayer, panel, frame, number == 0, number == last)
            if sublayer.norm is not None:
                yield ColumnPart((sublayer.norm,))
    tail = _columns(section.tail)
    for number, tiles in enumerate(tail):
        last = number == len(tail) - 1
        yield ColumnPart(tiles, section.goes_out if last else "", last)


def _columns(rows: TileRows) -> list[tuple[Tile, ...]]:
    """The rows, each in as many columns as it takes for its tables to be read."""
    return [
        row[start : start + _MOST_TABLES]
        for row in rows
        for start in range(0, len(row), _MOST_TABLES)
    ]


def _together(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Parts that stay in one band where they can: those of a layer."""
    group: list[Part] = []
    inside = False
    for part in parts:
        if isinstance(part, PanelPart):
            if part.first and group:
                yield group
                group = []
            group.append(part)
            inside = not part.last
        elif inside or not any(isinstance(one, PanelPart) for one in group):
            group.append(part)
        else:
            yield group
            group = [part]
    if group:
        yield group


def _pieces(group: list[Part], band: Band, width: float) -> list[list[Part]]:
    """A layer in one piece, but where it is longer than a band, or would leave what stands before
    the layers alone in one."""
    alone = not any(isinstance(part, PanelPart) for part in band.parts)
    if _has_room(band, group, width) or (_length(group) <= width and not (alone and band.parts)):
        return [group]
    return [[part] for part in group]


def _has_room(band: Band, parts: Sequence[Part], width: float) -> bool:
    more = band.length(True) + _BETWEEN if band.parts else 0.0
    return more + _length(parts) <= width


def _length(parts: Sequence[Part]) -> float:
    return Band(list(parts)).length(True)


def _filled(band: Band, width: float) -> Band:
    """The band with what room is left given to its boxes, projections with heads first."""
    for form, most in _MOST_WIDER.items():
        spare = width - band.length(True)
        columns = [
            (number, row)
            for number, part in enumerate(band.parts)
            if isinstance(part, PanelPart)
            for row, tiles in enumerate(part.tiles.rows)
            if next((f for f in _MOST_WIDER if any(tile.form == f for tile in tiles)), "") == form
        ]
        if spare < 4 or not columns:
            continue
        more = min(most, spare / len(columns))
        band = Band(
            [
                _wider(part, {row for at, row in columns if at == number}, more)
                if isinstance(part, PanelPart)
                else part
                for number, part in enumerate(band.parts)
            ],
            band.goes_on,
        )
    return band


def _wider(part: PanelPart, rows: set[int], more: float) -> PanelPart:
    if not rows:
        return part
    wide = tuple(
        tuple(
            replace(tile, width=max(one.width for one in tiles) + more)
            if tile.form in _MOST_WIDER
            else tile
            for tile in tiles
        )
        if number in rows
        else tiles
        for number, tiles in enumerate(part.tiles.rows)
    )
    tiles = replace(part.tiles, rows=wide)
    return replace(part, tiles=tiles, panel=arrange_panel(wide, across=True, room=MOST_ACROSS))


def title_words(part: PanelPart, sharing: str, room: float) -> str:
    """What stands beside a panel's name, as far as there is room: what heads share, which layer
    this is."""
    words = []
    if part.tiles.group == "attention" and part.frame.main:
        words += [sharing] if sharing else []
    if part.last:
        words.append(part.frame.about)
    text = " · ".join(words)
    return REGULAR.shorten(text, room, TEXT) if room > 40 else ""
