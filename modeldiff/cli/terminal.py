"""Where the command line's words go: data to standard output, talk to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TextIO

from modeldiff.cli.colour import ColourDepth, Painted, choose_depth, paint
from modeldiff.errors import ResultError
from modeldiff.processes.once import computed_once

_ASCII = {
    "×": "x",
    "–": "-",
    "−": "-",
    "→": "->",
    "∞": "inf",
    "…": "...",
    "·": "|",
    "√": "sqrt ",
    "≠": "#",
    "≈": "~",
    "≥": ">=",
    "≤": "<=",
}

_BLOCK = 1_000
"""So many lines are written at once."""


class Terminal:
    """Standard output and error, as far as these can take what is written to them.

    Names come from files that nobody vouches for, so nothing is printed that a terminal could
    take for a command. ``quiet`` keeps all but documents and errors to itself.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    @property
    def width(self) -> int | None:
        """Columns to fit into; None where output is no terminal, and so has no width."""
        if not sys.stdout.isatty():
            return None
        import shutil

        return shutil.get_terminal_size().columns

    @computed_once
    def colours(self) -> ColourDepth:
        """What colours output can show."""
        return choose_depth(os.environ, is_terminal=sys.stdout.isatty())

    def painted(self, lines: Iterable[Iterable[Painted]]) -> None:
        """Lines of parts, each on its own ground where colours can be shown."""
        depth = self.colours
        made = (
            "".join([paint(printable(part.text), part.ground, depth) for part in parts])
            for parts in lines
        )
        self._write_lines(made if depth != "none" else (line.rstrip() for line in made))

    def line(self, text: str = "") -> None:
        """A line of what was asked for."""
        self.lines((text,))

    def lines(self, texts: Iterable[str]) -> None:
        """Lines of what was asked for: of a table there may be hundreds of thousands."""
        self._write_lines(map(printable, texts))

    def _write_lines(self, lines: Iterable[str]) -> None:
        own = iter(lines) if not self.quiet else iter(())
        while block := list(islice(own, _BLOCK)):
            _write(sys.stdout, "\n".join([*block, ""]))

    def heading(self, text: str) -> None:
        """A line in bold, where that can be shown."""
        if self.quiet:
            return
        bold = self.colours != "none"
        start, end = ("\x1b[1m", "\x1b[0m") if bold else ("", "")
        _write(sys.stdout, f"\n{start}{printable(text)}{end}\n")

    def document(self, document: Mapping[str, Any]) -> None:
        """The one JSON document of a command: strict JSON in ASCII."""
        _write(sys.stdout, json.dumps(document, allow_nan=False, indent=1) + "\n")

    def raw(self, text: str) -> None:
        """What is for a program to read, as it stands: text of ours, never of a file."""
        _write(sys.stdout, text)

    def talk(self, text: str) -> None:
        """A line about what is being done."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """A line that is always shown."""
        _write(sys.stderr, f"{printable(text)}\n")

    def flush(self) -> None:
        """Raises ``BrokenPipeError`` where nobody reads any more, ``ResultError`` where what was
        written can't go anywhere."""
        _write(sys.stdout, "")


def printable(text: str) -> str:
    """``text`` with all that does not print (control characters, escapes, marks that turn the
    direction of writing) spelled out.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _write(stream: TextIO, text: str) -> None:
    """Write and flush, in ASCII where the stream's encoding has no sign for what is meant."""
    encoding = stream.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for sign, plain in _ASCII.items():
            text = text.replace(sign, plain)
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ResultError(
            f"The output can't be written: {error.strerror or error}.",
            hint="Make room where it goes, or send it elsewhere.",
        ) from error
