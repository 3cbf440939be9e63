"""How wide a text is, without a browser: advance widths of Helvetica (and Arial, Liberation Sans).

The app's own font, Source Sans, is narrower, so what fits here fits there.
"""

from __future__ import annotations

# Thousandths of the font size, from the metrics that Adobe published for Helvetica.
_WIDTHS = {
    222: "ijl'",
    278: " !,./:;I[\\]ft|·",
    333: "()-`r",
    355: '"',
    400: "*{}°",
    500: "Jckvsxyz",
    556: "#$0123456789?L_abdeghnopqu–θ",
    584: "+<=>~×^−≠≥",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
}
_WIDTH = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
# Anything else may be as wide as a Chinese character, which is square.
_WIDEST = 1000
_BOLD = 1.07
ELLIPSIS = "…"


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width in pixels of one line of text at a font size in pixels."""
    width = sum(_WIDTH.get(letter, _WIDEST) for letter in text) * size / 1000
    return width * _BOLD if bold else width


def shorten(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, cut in its middle with an ellipsis where it is wider than ``room`` pixels.

    Names that differ, differ most often at their ends, so both ends stay.
    """
    if text_width(text, size, bold=bold) <= room:
        return text
    # Every letter has some width: this many are enough on either side.
    most = int(room / (0.2 * size)) + 1
    head, tail = text[:most], text[-most:]
    for keep in range(min(len(text) - 1, 2 * most), 0, -1):
        front, back = (keep + 1) // 2, keep // 2
        short = head[:front] + ELLIPSIS + (tail[-back:] if back else "")
        if text_width(short, size, bold=bold) <= room:
            return short
    return ELLIPSIS


def wrap(text: str, room: float, size: float, *, bold: bool = False) -> tuple[str, ...]:
    """The text in lines of at most ``room`` pixels; a word wider than that is broken.

    >>> wrap("each head compares a query with the keys", 120, 12)
    ('each head compares', 'a query with the keys')
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, bold=bold) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        *whole, line = _pieces(word, room, size, bold=bold)
        lines += whole
    return (*lines, line) if line else tuple(lines)


def _pieces(word: str, room: float, size: float, *, bold: bool) -> list[str]:
    """A word in pieces of at most ``room`` pixels, each of at least one letter."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and text_width(pieces[-1] + letter, size, bold=bold) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces
