"""Numbered annotations: what stands at each number, and where the sentences go in a picture.

A node of the same name that is explained in the same words has the same number wherever it stands:
in another kind of layer, in another tower.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from modeldiff.architectures.architecture import Architecture, LayerKind
from modeldiff.architectures.glossary.explain import explain
from modeldiff.drawings.diagram.boxes import BADGE, DETAIL, LABEL, SHAPE, TextLine
from modeldiff.drawings.style.packing import least_limit
from modeldiff.drawings.style.text_metrics import shorten, wrap

COLUMN = 290.0
"""The least width of a column of notes, in pixels."""
BETWEEN_COLUMNS = 28.0
_INDENT = 2 * BADGE + 9
_LINE = 15.5
_BETWEEN = 11.0
_MOST_NAME_LINES = 3
_ASIDE = re.compile(r" \([^()]*\)")
_FIRST = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)


@dataclass(frozen=True)
class LegendNote:
    """What stands at a number: the name as stored, what it is, and one sentence on what it does."""

    number: int
    name: str
    title: str
    sentence: str


@dataclass(frozen=True)
class Annotations:
    """The notes in the order of the numbers, and the number of each node by its id."""

    notes: tuple[LegendNote, ...] = ()
    numbers: Mapping[str, int] | None = None

    def number_of(self, id: str) -> int | None:
        """A node's number; None where it has none."""
        return self.numbers.get(id) if self.numbers else None


NO_ANNOTATIONS = Annotations()


@dataclass(frozen=True)
class NotesBlock:
    """Notes laid out in columns, in pixels from the block's upper left corner."""

    width: float
    height: float
    badges: tuple[tuple[float, float, int], ...]
    texts: tuple[TextLine, ...]


def annotate(architecture: Architecture, kinds: Sequence[LayerKind]) -> Annotations:
    """Number all nodes before, in (of these kinds) and after the layers, in the order of the data.

    Signs (× and +) speak for themselves and have no number.
    """
    numbers: dict[str, int] = {}
    notes: dict[tuple[str, str], LegendNote] = {}
    for node in architecture.nodes(kinds):
        sign = node.kind == "operation" and len(node.label) == 1
        if sign or node.id in numbers:
            continue
        explanation = explain(node.id, architecture)
        title = explanation.title
        for tower in architecture.towers:
            title = title.removesuffix(f" ({tower})")
        sentence = _first_sentence(explanation.what)
        note = LegendNote(len(notes) + 1, node.label, title, sentence)
        numbers[node.id] = notes.setdefault((node.label, sentence), note).number
    return Annotations(tuple(notes.values()), numbers)


def notes_block(notes: Sequence[LegendNote], columns: int, width: float = COLUMN) -> NotesBlock:
    """The notes in so many columns of this width, about equally high, none broken over two."""
    entries = [_entry(note, width - _INDENT) for note in notes]
    heights = [_LINE * len(entry) + _BETWEEN for entry in entries]
    limit = least_limit(heights, columns)
    texts: list[TextLine] = []
    badges: list[tuple[float, float, int]] = []
    x = y = lowest = 0.0
    for note, entry, height in zip(notes, entries, heights, strict=True):
        if y and y + height > limit:
            x, y = x + width + BETWEEN_COLUMNS, 0.0
        badges.append((x + BADGE, y + BADGE + 1, note.number))
        for row, line in enumerate(entry):
            left = x + _INDENT
            texts.append(
                TextLine(
                    left, y + 14 + _LINE * row, line.text, line.size, line.role, after=line.after
                )
            )
        y += height
        lowest = max(lowest, y - _BETWEEN + 3)
    return NotesBlock(x + width if notes else 0.0, lowest, tuple(badges), tuple(texts))


def _first_sentence(text: str) -> str:
    """The first sentence, without what stands in brackets."""
    sentence = _FIRST.match(_ASIDE.sub("", text))
    return sentence.group() if sentence else text


def _entry(note: LegendNote, room: float) -> list[TextLine]:
    """The lines of a note: name and title, where the title says more, then the sentence."""
    lines = [
        TextLine(0, 0, name, LABEL, "label")
        for name in _few_lines(note.name, room, LABEL, bold=True)
    ]
    if note.title.rpartition(".")[2] != note.name:
        beside = replace(lines[-1], after=note.title)
        if beside.width <= room:
            lines[-1] = beside
        else:
            titles = _few_lines(note.title, room, DETAIL)
            lines += [TextLine(0, 0, title, DETAIL, "detail") for title in titles]
    return lines + [
        TextLine(0, 0, line, SHAPE, "shape") for line in wrap(note.sentence, room, SHAPE)
    ]


def _few_lines(name: str, room: float, size: float, *, bold: bool = False) -> tuple[str, ...]:
    """A name from a file in as many lines as it takes; one of absurd length is cut to one."""
    lines = wrap(name, room, size, bold=bold)
    if 0 < len(lines) <= _MOST_NAME_LINES:
        return lines
    return (shorten(name, room, size, bold=bold),)
