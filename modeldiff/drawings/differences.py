"""What of two models' aligned drawings differs: a mark for a box, a note for a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from modeldiff.architectures.architecture import FactPair
from modeldiff.architectures.evolution import news
from modeldiff.architectures.fact_places import (
    INPUT,
    LAYERS,
    in_brief,
    is_of_size,
    marks,
    written_at,
)
from modeldiff.drawings.picture import Box
from modeldiff.drawings.slots import Slot

Mark = Literal["only", "built", "number"]
"""A box that only its side has, one that is built otherwise, one of other numbers."""


@dataclass(frozen=True)
class Note:
    """A difference in words: what differs, and from what to what; ``meaning`` is one sentence."""

    label: str
    words: str
    meaning: str = ""


@dataclass(frozen=True)
class Differences:
    """``boxes`` has each marked box's mark, by side and number of the slot and component;
    ``notes`` the notes of each slot."""

    boxes: Mapping[tuple[int, int, str], Mark]
    notes: Mapping[int, tuple[Note, ...]]


def find_differences(
    slots: Sequence[Slot], pairs: Iterable[FactPair], bare: Sequence[int]
) -> Differences:
    """Marks and notes of two sides' slots.

    ``bare`` are the slots of frames and sublayers that one side lacks altogether: what is in them
    has no marks of its own.
    """
    different = [pair for pair in pairs if not pair.same]
    numbers = frozenset().union(*(marks(pair) for pair in different if is_of_size(pair)))
    builds = frozenset().union(*(marks(pair) for pair in different if not is_of_size(pair)))
    here = _by_place(slots)
    told = frozenset().union(*(marks(pair) for pair in different))
    said: set[str] = set()
    boxes: dict[tuple[int, int, str], Mark] = {}
    notes: dict[int, list[Note]] = {}
    for pair in news(different):
        at = _slot_for(pair.key, slots)
        if at is not None:
            words = " → ".join(in_brief(pair))
            notes.setdefault(at, []).append(Note(pair.label, words, pair.meaning))
    for number, slot in enumerate(slots):
        if number in bare:
            continue
        alone: tuple[list[str], list[str]] = ([], [])
        for side, found in enumerate(slot.boxes):
            for box in found:
                id = box.card.step.id
                other = next(
                    (
                        here[key]
                        for place in _counterparts(id)
                        if (key := (1 - side, slot.frame, place)) in here
                    ),
                    None,
                )
                mark = _mark(box, other, numbers, builds)
                if mark is not None:
                    boxes[side, number, id] = mark
                if mark == "only" and all(slot.boxes):
                    alone[side].append(box.card.label)
                words = _words(box, other) if mark == "built" and side == 0 else ""
                if words and id not in told and words not in said:
                    said.add(words)
                    notes.setdefault(number, []).append(Note(box.card.label, words))
        for side, labels in enumerate(alone):
            if labels:
                where = ("base", "target")[side]
                notes.setdefault(number, []).append(Note(f"only in {where}", ", ".join(labels)))
    return Differences(boxes, {number: tuple(found) for number, found in notes.items()})


def _by_place(slots: Sequence[Slot]) -> dict[tuple[int, int, str], Box]:
    return {
        (side, slot.frame, box.card.step.id): box
        for slot in slots
        for side, boxes in enumerate(slot.boxes)
        for box in boxes
    }


def _counterparts(id: str) -> tuple[str, ...]:
    """The places across from a step, the best first: an expert does what one MLP does."""
    if id.startswith("mlp.experts."):
        return id, f"mlp.{id.removeprefix('mlp.experts.')}"
    if id.startswith("mlp.") and id.count(".") == 1:
        return id, f"mlp.experts.{id.removeprefix('mlp.')}"
    return (id,)


def _mark(
    box: Box, other: Box | None, numbers: frozenset[str], builds: frozenset[str]
) -> Mark | None:
    step = box.card.step
    if box.card.kind == "symbol":
        return None
    if other is None:
        return "only"
    same = other.card.step
    if _build(box) != _build(other) or step.id in builds:
        return "built"
    if step.kind == "operation" and step.id != same.id:
        return None
    if (step.shape, step.detail) != (same.shape, same.detail) or step.id in numbers:
        return "number"
    return None


def _build(box: Box) -> tuple[str, ...]:
    """What two steps at one place share if they are built alike, whatever their sizes."""
    step = box.card.step
    if step.kind == "operation":
        return (step.label,)
    build = [reading.parameter for reading in box.card.readings if reading.parameter != "weight"]
    if step.kind == "norm":
        build.append(step.detail.partition(", ")[0])
    if ".experts." in step.id:
        build.append("one of many")
    return tuple(build)


def _words(box: Box, other: Box | None) -> str:
    """How a box and its counterpart are built, where their own words say it."""
    both = [part.card.step for part in (box, other) if part is not None]
    texts = [step.label if step.kind == "operation" else step.detail for step in both]
    if len(set(texts)) < 2 or not all(texts):
        return ""
    return " → ".join(text.partition(", ")[0] for text in texts)


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
        return any(panel is not None and panel.level == "layer" for panel in slot.panels)
    if place == INPUT:
        return slot.kind == "start"
    return place in slot.ids
