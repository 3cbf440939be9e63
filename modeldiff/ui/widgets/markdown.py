"""Text from outside, made safe to stand in Streamlit's Markdown.

Names of tensors, repositories and folders come from files and links that we do not trust.
Streamlit shows no HTML, but Markdown in a name would still be drawn: links, images, colours.
"""

from __future__ import annotations

import re
import string

_PUNCTUATION = re.compile(f"([{re.escape(string.punctuation)}])")
# What becomes a link or an emoji although it is escaped: ://, www., name@host, :tada:
_MAGIC = re.compile(r"(?<=:)(?=\S)|(?<=@)|(?<=www)(?=\.)", re.IGNORECASE)
_WORD_JOINER = "\N{WORD JOINER}"
_SPACE = re.compile(r"\s+")
_JOINT = re.compile(r"([_/.|-])(?=\w)")
_UNIT = re.compile(r"(?<=\d) (?=(?:[kMGTP]?B|[KMB]|%|tokens|bytes)\b|%)")


def plain(text: str) -> str:
    """``text`` as one line that Markdown draws letter by letter, and makes no link of.

    >>> plain("a_b [x](y)")
    'a\\\\_b \\\\[x\\\\]\\\\(y\\\\)'
    """
    text = _MAGIC.sub(_WORD_JOINER, _SPACE.sub(" ", text).strip())
    return _PUNCTUATION.sub(r"\\\1", text)


def code(text: str) -> str:
    """``text`` as inline code: in a typewriter face, and left alone by Markdown.

    >>> code("demo:base")
    '`demo:base`'
    """
    text = _SPACE.sub(" ", text).strip()
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def with_units(text: str) -> str:
    """``text``, which is Markdown already, with numbers that stay on the line of their units.

    >>> with_units("1.48 M parameters, 8,192 tokens") == "1.48\\xa0M parameters, 8,192\\xa0tokens"
    True
    """
    return _UNIT.sub("\N{NO-BREAK SPACE}", text)


def breakable(text: str) -> str:
    """``text`` that a narrow column can break within: names of tokens and of entries have no
    blanks."""
    return _JOINT.sub("\\1\N{ZERO WIDTH SPACE}", text)
