"""What of two models' aligned drawings differs: a mark for a box, a note for a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from modeldiff.architectures.architecture import FactPair
from modeldiff.architectures.facts.diagram_anchors import INPUT, LAYERS, in_brief, written_at
from modeldiff.architectures.facts.lineage import news
from modeldiff.drawings.comparison.difference_marks import (
    Mark,
    build_difference_text,
    counterpart,
    read_marking,
)
from modeldiff.drawings.comparison.row_alignment import Slot
from modeldiff.drawings.diagram.boxes import Card

_SIDES = ("base", "target")


@dataclass(frozen=True)
class DifferenceNote:
    """A difference in words: what differs, and from what to what; ``meaning`` is one sentence."""

    label: str
    words: str
    meaning: str = ""


@dataclass(frozen=True)
class Differences:
    """``boxes`` has each marked box's mark, by side and number of the slot and component;
    ``notes`` the notes of each slot."""

    boxes: Mapping[tuple[int, int, str], Mark]
    notes: Mapping[int, tuple[DifferenceNote, ...]]


def find_differences(
    slots: Sequence[Slot], pairs: Iterable[FactPair], bare: Sequence[int]
) -> Differences:
    """Marks and notes of two sides' slots.

    ``bare`` are the slots of frames and sublayers that one side lacks altogether: what is in them
    has no marks of its own.
    """
    different = [pair for pair in pairs if not pair.same]
    marking = read_marking(different)
    boxes: dict[tuple[int, int, str], Mark] = {}
    notes: dict[int, list[DifferenceNote]] = {}
    for pair in news(different):
        at = _slot_for(pair.key, slots)
        if at is not None:
            words = " → ".join(in_brief(pair))
            notes.setdefault(at, []).append(DifferenceNote(pair.label, words, pair.meaning))
    frames = _frames(slots)
    said: set[str] = set()
    for number, slot in enumerate(slots):
        if number in bare:
            continue
        titles = [frame.title for frame in slot.frames]
        if len(set(titles)) > 1 and number not in notes:
            notes[number] = [DifferenceNote("layers", " → ".join(titles))]
        for side, found in enumerate(slot.boxes):
            there = frames.get((1 - side, slot.frame), {})
            alone = []
            for card in (box.card for box in found):
                other = counterpart(card.step.id, there)
                mark = marking.of(card, other)
                if mark is not None:
                    boxes[side, number, card.step.id] = mark
                if mark == "only" and all(slot.boxes):
                    alone.append(card.label)
                # What no fact tells, the boxes' own words do; once for all that differ so.
                words = (
                    build_difference_text(card, other)
                    if mark == "built" and other and side == 0
                    else ""
                )
                if words and card.step.id not in marking.builds and words not in said:
                    said.add(words)
                    notes.setdefault(number, []).append(DifferenceNote(card.label, words))
            if alone:
                note = DifferenceNote(f"only in {_SIDES[side]}", ", ".join(alone))
                notes.setdefault(number, []).append(note)
    return Differences(boxes, {number: tuple(found) for number, found in notes.items()})


def _frames(slots: Sequence[Slot]) -> dict[tuple[int, int], dict[str, Card]]:
    """Each side's cards by component, frame by frame; those outside the frames together."""
    frames: dict[tuple[int, int], dict[str, Card]] = {}
    for slot in slots:
        for side, boxes in enumerate(slot.boxes):
            cards = {box.card.step.id: box.card for box in boxes}
            frames.setdefault((side, slot.frame), {}).update(cards)
    return frames


def _slot_for(key: str, slots: Sequence[Slot]) -> int | None:
    """Where a fact's difference is written: at the first of its places that is drawn, where both
    sides have it if there is such a place."""
    for place in written_at(key):
        found = [number for number, slot in enumerate(slots) if _stands_at(place, slot)]
        if found:
            return max(found, key=lambda number: all(span for span in slots[number].spans))
    return None


def _stands_at(place: str, slot: Slot) -> bool:
    if place == LAYERS:
        return bool(slot.frames)
    if place == INPUT:
        return "tokens" in slot.ends
    return place in slot.ids
