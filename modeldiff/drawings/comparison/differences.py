"""What of two models' aligned drawings differs: a mark for a box, a note for a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from modeldiff.architectures.architecture import FactPair
from modeldiff.architectures.facts.diagram_anchors import INPUT, LAYERS, in_brief, written_at
from modeldiff.architectures.facts.lineage import news
from modeldiff.drawings.comparison.difference_marks import (
    Mark,
    Marking,
    build_difference_text,
    counterpart,
    read_marking,
)
from modeldiff.drawings.comparison.row_alignment import Slot
from modeldiff.drawings.diagram.boxes import Card
from modeldiff.processes.late_dataclass import dataclass

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
    ``notes`` the notes of each slot. ``unclear``: something is known of one side only."""

    boxes: Mapping[tuple[int, int, str], Mark]
    notes: Mapping[int, tuple[DifferenceNote, ...]]
    unclear: bool = False


def find_differences(
    slots: Sequence[Slot], pairs: Iterable[FactPair], bare: Sequence[int]
) -> Differences:
    """Marks and notes of two sides' slots.

    ``bare`` are the slots of frames and sublayers that one side lacks altogether: what is in them
    has no marks of its own.
    """
    pairs = tuple(pairs)
    different = [pair for pair in pairs if pair.differs]
    marking = read_marking(pairs)
    cards = _cards_by_frame(slots)
    notes = _fact_notes(different, slots)
    boxes: dict[tuple[int, int, str], Mark] = {}
    explained: set[str] = set()
    for number, slot in enumerate(slots):
        if number in bare:
            continue
        titles = [frame.title for frame in slot.frames]
        if len(set(titles)) > 1 and number not in notes:
            notes[number] = [DifferenceNote("layers", " → ".join(titles))]
        for side, row in enumerate(slot.boxes):
            there = cards.get((1 - side, slot.frame), {})
            marked = [_marked(box.card, there, marking) for box in row]
            boxes |= {(side, number, one.card.node.id): one.mark for one in marked if one.mark}
            if side == 0:
                notes[number] += _build_notes(marked, marking, explained)
            alone = [one.card.label for one in marked if one.mark == "only" and all(slot.boxes)]
            if alone:
                notes[number].append(DifferenceNote(f"only in {_SIDES[side]}", ", ".join(alone)))
    told = {number: tuple(each) for number, each in notes.items() if each}
    return Differences(boxes, told, any(pair.one_sided for pair in pairs))


@dataclass(frozen=True)
class _MarkedCard:
    card: Card
    other: Card | None
    mark: Mark | None


def _marked(card: Card, there: Mapping[str, Card], marking: Marking) -> _MarkedCard:
    other = counterpart(card.node.id, there)
    return _MarkedCard(card, other, marking.of(card, other))


def _fact_notes(
    different: Sequence[FactPair], slots: Sequence[Slot]
) -> defaultdict[int, list[DifferenceNote]]:
    """A note for each fact that is news, at the slot where it is drawn."""
    notes: defaultdict[int, list[DifferenceNote]] = defaultdict(list)
    for pair in news(different):
        at = _slot_for(pair.key, slots)
        if at is not None:
            words = " → ".join(in_brief(pair))
            notes[at].append(DifferenceNote(pair.label, words, pair.meaning))
    return notes


def _build_notes(
    marked: Iterable[_MarkedCard], marking: Marking, explained: set[str]
) -> Iterator[DifferenceNote]:
    """What no fact tells, the boxes' own words do; once (``explained``) for all that differ so."""
    for one in marked:
        if one.mark != "built" or one.other is None or one.card.node.id in marking.builds:
            continue
        words = build_difference_text(one.card, one.other)
        if words and words not in explained:
            explained.add(words)
            yield DifferenceNote(one.card.label, words)


def _cards_by_frame(slots: Sequence[Slot]) -> dict[tuple[int, int], dict[str, Card]]:
    """Each side's cards by component, frame by frame; those outside the frames together."""
    frames: dict[tuple[int, int], dict[str, Card]] = {}
    for slot in slots:
        for side, boxes in enumerate(slot.boxes):
            cards = {box.card.node.id: box.card for box in boxes}
            frames.setdefault((side, slot.frame), {}).update(cards)
    return frames


def _slot_for(key: str, slots: Sequence[Slot]) -> int | None:
    """Where a fact's difference is written: at the first of its places that is drawn, where both
    sides have it if there is such a place."""
    for place in written_at(key):
        numbers = [number for number, slot in enumerate(slots) if _stands_at(place, slot)]
        if numbers:
            return max(numbers, key=lambda number: all(span for span in slots[number].spans))
    return None


def _stands_at(place: str, slot: Slot) -> bool:
    if place == LAYERS:
        return bool(slot.frames)
    if place == INPUT:
        return "tokens" in slot.ends
    return place in slot.ids
