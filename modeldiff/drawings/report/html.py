"""HTML for text that nobody vouches for, and the shapes of it that the report's sections share."""

from __future__ import annotations

import re
from collections.abc import Iterable

from modeldiff.drawings.style.palette import Palette
from modeldiff.drawings.style.svg import escape

LONGEST = 160
"""Characters of a name that are shown: a file may hold names of any length."""

# Marks that turn the direction of writing, and so could make a name read as another.
_TURNING = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")

REPORT_PALETTE = Palette(
    text="var(--text)",
    muted="var(--muted)",
    surface="var(--surface)",
    panel="var(--panel)",
    line="var(--line)",
    track="var(--track)",
    accent="var(--accent)",
    bar="var(--bar)",
    ramp=(),
    second=(),
    edge="var(--edge)",
    follows_theme=True,
)
"""The page's own colours, which follow the reader's theme."""


def left_to_right(document: str) -> str:
    """The document without marks that turn the direction of writing.

    >>> left_to_right("evil\\u202egnp.exe")
    'evil�gnp.exe'
    """
    return _TURNING.sub("\ufffd", document)


def text(words: object, most: int = LONGEST) -> str:
    """Any text as HTML, in an element or an attribute, its middle left out where it is long.

    >>> text("<b>"), text("abcdefgh", 5)
    ('&lt;b&gt;', 'ab…gh')
    """
    plain = str(words)
    if len(plain) > most:
        left = most // 2
        plain = f"{plain[:left]}…{plain[len(plain) - (most - left - 1) :]}"
    return escape(plain)


def sentence(words: str, most: int = 2000) -> str:
    """A sentence as HTML, each number on one line with its unit; shortened as by ``text`` to
    ``most`` characters."""
    return text(words, most).replace(" %", "\N{NO-BREAK SPACE}%")


def section(id: str, title: str, *content: str) -> str:
    """A part of the page under a heading of its own."""
    return (
        f'<section id="{id}" aria-labelledby="{id}-title">'
        f'<h2 id="{id}-title">{escape(title)}</h2>{"".join(content)}</section>'
    )


def paragraphs(sentences: Iterable[str], css: str = "") -> str:
    """A list of sentences."""
    items = "".join(f"<li>{sentence(words)}</li>" for words in sentences)
    return f'<ul class="{css}">{items}</ul>' if items else ""
