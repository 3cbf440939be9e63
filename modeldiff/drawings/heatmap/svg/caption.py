"""What stands over a heatmap in a file: its title, and lines about where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.drawings.style.svg import escape
from modeldiff.drawings.style.text_metrics import wrap

_TITLE, _LINE = 17.0, 11.0
_BELOW = 8.0
"""Pixels between the last line and the drawing."""


def caption_tags(
    title: str, lines: Sequence[str], padding: float, width: float
) -> tuple[str, float]:
    """The tags of a ``title`` and ``lines`` below it, wrapped to ``width`` pixels that begin at
    ``padding`` from the left and the top; and their height, 0 for none."""
    tags, y = [], padding
    titled = wrap(title, width, _TITLE, bold=True) if title else ()
    for words in titled:
        y += 1.3 * _TITLE
        tags.append(_tag("strong", words, padding, y - 0.3 * _TITLE, _TITLE))
    for line in lines:
        for words in wrap(line, width, _LINE):
            y += 1.35 * _LINE
            tags.append(_tag("muted", words, padding, y - 0.3 * _LINE, _LINE))
    return "".join(tags), y - padding + _BELOW if tags else 0.0


def _tag(css: str, words: str, x: float, y: float, size: float) -> str:
    return f'<text class="{css}" x="{x:g}" y="{y:.1f}" font-size="{size:g}">{escape(words)}</text>'
