"""How texts and rectangles are written in SVG: the parts that every drawing takes."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

DETAIL_GAP = 10.0
"""Between a text and the detail that follows it in its line."""
_NO_CHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
# What XML cannot hold at all, not even escaped; other controls and code points that are no
# characters; and marks that turn the direction of writing, and so could make a name read as
# another.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    f"|[\ufdd0-\ufdef{_NO_CHARACTERS}]"
    "|[\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]"
)


def text_tag(
    text: str, css: str, x: float, y: float, anchor: str = "start", after: str = ""
) -> str:
    """One line of text, whatever its letters are; ``after`` follows it as a detail."""
    at = "" if anchor == "start" else f' text-anchor="{anchor}"'
    more = f'<tspan class="detail" dx="{DETAIL_GAP:g}">{escape(after)}</tspan>' if after else ""
    return f'<text class="{css}" x="{x:g}" y="{y:g}"{at}>{escape(text)}{more}</text>'


def rectangle(css: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    """A rectangle with round corners."""
    return (
        f'<rect class="{css}" x="{x:g}" y="{y:g}" width="{width:.1f}" height="{height:g}"'
        f' rx="{radius:g}"/>'
    )


def described(svg: str, lines: Sequence[str]) -> str:
    """The SVG with these lines in its first element: whole, however little room the drawing has."""
    if not lines:
        return svg
    text = escape("\n".join(lines))
    return svg.replace(">", f"><desc>{text}</desc>", 1)


def escape(text: str) -> str:
    """Any text as XML, in an element or an attribute."""
    return html.escape(allowed(text))


def allowed(text: str) -> str:
    """The text with a mark in place of each character that XML cannot hold, not even escaped,
    and of those that are none or would turn what stands beside them."""
    return _FORBIDDEN.sub("\ufffd", text)
