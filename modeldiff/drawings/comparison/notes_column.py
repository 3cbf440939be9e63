"""The notes between two models' drawings: how they are broken into lines and how high they are."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.drawings.comparison.differences import DifferenceNote
from modeldiff.drawings.style.text_metrics import shorten, text_width
from modeldiff.processes.late_dataclass import dataclass

GUTTER = 196.0
"""Width of the room between the two drawings."""
_ROOM = GUTTER - 22
_SMALL, _LARGE = 13.0, 13.0
_MOST_LINES = 3
_LINE = 15.0
_BETWEEN = 8.0


@dataclass(frozen=True)
class NoteLine:
    """A line of a note; ``y`` is its baseline below the upper edge of all notes of the row."""

    text: str
    css: str
    y: float


def note_lines(notes: Sequence[DifferenceNote]) -> tuple[tuple[NoteLine, ...], ...]:
    """The lines of each note of a row."""
    result = []
    y = 3.0
    for note in notes:
        lines = [NoteLine(shorten(note.label, _ROOM, _SMALL), "note-label", y + 11)]
        y += _LINE
        for text in _words(note):
            lines.append(NoteLine(text, "note", y + 11))
            y += _LINE
        y += _BETWEEN
        result.append(tuple(lines))
    return tuple(result)


def notes_height(notes: Sequence[DifferenceNote]) -> float:
    """How high the notes of a row are together."""
    count = sum(1 + len(_words(note)) for note in notes)
    return count * _LINE + (len(notes) - 1) * _BETWEEN + 10


def _words(note: DifferenceNote) -> list[str]:
    """A note's words in lines; what follows a colon is left out where all of it is too long."""
    lines = wrapped(note.words, _ROOM, _LARGE, most=_MOST_LINES, bold=True)
    if len(lines) == _MOST_LINES and ": " in note.words:
        lines = wrapped(note.words.partition(": ")[0], _ROOM, _LARGE, most=_MOST_LINES, bold=True)
    return lines


def wrapped(text: str, room: float, size: float, *, most: int, bold: bool = False) -> list[str]:
    """The text in at most so many lines, one that is still too long cut in its middle."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        fits = text_width(longer, size, bold=bold) <= room
        if lines and (fits or len(lines) == most):
            lines[-1] = longer
        else:
            lines.append(word)
    return [shorten(line, room, size, bold=bold) for line in lines]
