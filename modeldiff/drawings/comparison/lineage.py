"""A line of models as stacks of rows, brief enough for a card each: one place at one height in all,
each marked against the one before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import groupby
from typing import Literal

from modeldiff.architectures.architecture import Architecture, LayerKind, Node
from modeldiff.architectures.facts.lineage import LineageStep
from modeldiff.drawings.comparison.difference_marks import (
    Mark,
    Marking,
    counterpart,
    read_marking,
)
from modeldiff.drawings.comparison.merged_kinds import comparable
from modeldiff.drawings.comparison.row_alignment import row_likeness
from modeldiff.drawings.comparison.sequence_alignment import align
from modeldiff.drawings.comparison.side_by_side import brief_cards
from modeldiff.drawings.diagram.boxes import Card
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import grouped_digits

_HEADS = re.compile(r"[\d,]+ (?:KV )?heads?")

LineKind = Literal["input", "row", "frame", "sublayer", "end of sublayer", "end of frame"]


@dataclass(frozen=True)
class Chip:
    """A node in brief. ``gone``: the model before had it, this one has not."""

    label: str
    value: str
    mark: Mark | None
    gone: bool = False
    title: str = ""


@dataclass(frozen=True)
class StackLine:
    """A height in all stacks, from below: for each stack its chips, None where it has nothing.

    ``titles`` name a frame, a sublayer, or what goes in; ``changed`` says whose title differs from
    the one before.
    """

    kind: LineKind
    chips: tuple[tuple[Chip, ...] | None, ...]
    titles: tuple[str, ...]
    changed: tuple[bool, ...]


@dataclass(frozen=True)
class _Item:
    kind: LineKind
    ids: frozenset[str]
    title: str = ""
    cards: tuple[Card, ...] = ()


def stack_lines(steps: Sequence[LineageStep]) -> tuple[StackLine, ...]:
    """The lines of all stacks, the lowest first. Data runs upward."""
    sides = [tuple(_items(step.architecture)) for step in steps]
    places = align(sides, _likeness)
    builder = _Marked(steps)
    merged = [
        [None if at is None else side[at] for side, at in zip(sides, place, strict=True)]
        for place in places
    ]
    builder.read(merged)
    return tuple(builder.line(number, items) for number, items in enumerate(merged))


@dataclass
class _Marked:
    """Compares each stack with the one before it, frame by frame."""

    steps: Sequence[LineageStep]
    cards: dict[tuple[int, int], dict[str, Card]] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)

    def read(self, merged: Sequence[Sequence[_Item | None]]) -> None:
        """Note what each stack holds in which frame."""
        frame = frames = 0
        for items in merged:
            kind = next(item.kind for item in items if item is not None)
            if kind == "frame":
                frames += 1
                frame = frames
            self.frames.append(frame)
            for side, item in enumerate(items):
                cards = {card.node.id: card for card in item.cards} if item else {}
                self.cards.setdefault((side, frame), {}).update(cards)
            if kind == "end of frame":
                frame = 0

    def line(self, number: int, items: Sequence[_Item | None]) -> StackLine:
        kind = next(item.kind for item in items if item is not None)
        chips = [self._chips(number, side, items) for side in range(len(items))]
        titles = tuple(item.title if item else "" for item in items)
        keys = {"input": "context", "end of frame": "layers"}
        changed = tuple(
            side > 0 and any(pair.key == keys.get(kind) for pair in step.pairs if pair.differs)
            for side, step in enumerate(self.steps)
        )
        return StackLine(kind, tuple(chips), titles, changed)

    def _chips(
        self, number: int, side: int, items: Sequence[_Item | None]
    ) -> tuple[Chip, ...] | None:
        item, frame = items[side], self.frames[number]
        cards = item.cards if item else ()
        step = self.steps[side]
        marking = read_marking(step.pairs)
        here, before = self.cards[side, frame], self.cards.get((side - 1, frame), {})
        chips = []
        for card in cards:
            mark = None
            if side and before:
                earlier = counterpart(card.node.id, before)
                mark = _mark(marking, card, earlier)
                if mark is None and not marking.leaves_open(card.node.id):
                    mark = _other_number(card, earlier, step)
            chips.append(_chip(card, cards, mark, step.architecture))
        left = items[side - 1] if side else None
        if here and left is not None:
            lost = [c for c in left.cards if counterpart(c.node.id, here) is None]
            if lost:
                chips.append(_gone(lost, left.cards, step.architecture))
        return tuple(chips) if item or chips else None


def _items(architecture: Architecture) -> Iterator[_Item]:
    """The main tower from what goes in to what comes out."""
    ready = comparable(architecture)
    cards = brief_cards(architecture)
    towers = list(dict.fromkeys(kind.tower for kind in ready.layer_kinds)) or [""]
    others = tuple(f"{tower}." for tower in towers[1:])
    context = architecture.fact("context")
    yield _Item("input", frozenset(), f"up to {context.text}" if context else "")
    stem = [node for node in ready.stem if not node.id.startswith(others)]
    tables = [node for node in stem if node.kind == "embedding"]
    for nodes in (tables, *([node] for node in stem if node not in tables)):
        yield from _row(cards(nodes, (None,)))
    for kind in ready.layer_kinds:
        if kind.tower == towers[0]:
            yield from _frame(
                kind, [cards(row, kind.layers) for s in kind.sublayers for row in s.rows]
            )
    for node in ready.tail:
        yield from _row(cards([node], (None,)))


def _row(cards: Sequence[Card]) -> Iterator[_Item]:
    shown = tuple(card for card in cards if card.kind != "symbol")
    if shown:
        yield _Item("row", frozenset(card.node.id for card in shown), cards=shown)


def _frame(kind: LayerKind, rows: Sequence[Sequence[Card]]) -> Iterator[_Item]:
    ids = frozenset(card.node.id for row in rows for card in row)
    _, _, mark = kind.name.partition(": ")
    title = f"{len(kind.layers)} layers" if len(kind.layers) > 1 else "1 layer"
    yield _Item("frame", ids)
    left = iter(rows)
    for sublayer in kind.sublayers:
        own = [next(left) for _ in sublayer.rows]
        inner = frozenset(card.node.id for row in own for card in row)
        yield _Item("sublayer", inner, sublayer.name)
        for row in own:
            # Shared experts stand over the routed ones: there is no room beside them.
            for _, beside in groupby(row, key=lambda card: "shared_expert" in card.node.id):
                yield from _row(list(beside))
        yield _Item("end of sublayer", inner, sublayer.name)
    yield _Item("end of frame", ids, f"{title}: {mark}" if mark else title)


def _likeness(one: _Item, other: _Item) -> float:
    if one.kind != other.kind:
        return 0.0
    if one.kind == "row":
        return row_likeness(one.ids, other.ids)
    if one.kind == "input":
        return 1.0
    alike = len(one.ids & other.ids) / (len(one.ids | other.ids) or 1)
    # Their edges weigh more than what is in them: no row stands in another's frame.
    return 20.0 * (alike + (0.1 if "frame" in one.kind else one.title == other.title))


def _mark(marking: Marking, card: Card, before: Card | None) -> Mark | None:
    """The mark of a node. A bias that is gone is said in words: beside another size it is no other
    idea of the matrix itself."""
    mark = marking.of(card, before)
    if mark == "built" and before is not None and card.node.shape != before.node.shape:
        names = [{value.parameter for value in one.values} for one in (before, card)]
        if card.node.kind == "linear" and names[0] - names[1] == {"bias"}:
            return "number"
    return mark


def _other_number(card: Card, before: Card | None, step: LineageStep) -> Mark | None:
    """The mark of an operation that has another number, as heads of another width."""
    if before is None or step.before is None or card.node.kind != "operation":
        return None
    values = (
        _brief(one.node, architecture, alone=True)
        for one, architecture in ((before, step.before), (card, step.architecture))
    )
    return "number" if len(set(values)) > 1 else None


def _chip(card: Card, row: Sequence[Card], mark: Mark | None, architecture: Architecture) -> Chip:
    label, value = _brief(card.node, architecture, alone=len(row) == 1)
    return Chip(label, grouped_digits(value), mark, title=_title(card.node))


def _gone(cards: Sequence[Card], row: Sequence[Card], architecture: Architecture) -> Chip:
    """One chip for all of a row that the model before had."""
    labels = (
        "norm"
        if card.node.kind == "norm" and len(row) == 1
        else _brief(card.node, architecture, alone=len(row) == 1)[0]
        for card in cards
    )
    title = "; ".join(_title(card.node) for card in cards)
    return Chip(", ".join(labels), "", "only", gone=True, title=title)


def _title(node: Node) -> str:
    return ", ".join(part for part in (node.label, node.shape, node.detail) if part)


def _brief(node: Node, architecture: Architecture, *, alone: bool) -> tuple[str, str]:
    """What a node is called in a word or two, and the number or the words that matter most."""
    first = node.detail.partition(", ")[0]
    words = node.id.rpartition(".")[2].removesuffix("_proj").replace("_", " ")
    name = f"shared {words}" if ".shared_expert." in f".{node.id}" else words
    if node.kind == "operation":
        return _operation(node, architecture)
    if node.kind == "norm":
        return (first or "norm", "") if alone else (name, "")
    if node.id == "lm_head":
        own = node.shape.rpartition(" → ")[2]
        return "head", "the embedding" if "the same matrix" in node.detail else own
    if node.kind == "embedding":
        name = "pos" if "position" in name else name.removeprefix("embed ")
        return name, node.shape.partition(" ×")[0]
    if node.id == "mlp.router":
        return name, node.detail if alone else first
    return name, node.shape if alone else node.shape.rpartition(" → ")[2]


def _operation(node: Node, architecture: Architecture) -> tuple[str, str]:
    if node.id.endswith("self_attn.attention"):
        kind, own = architecture.fact("attention"), node.detail.split(", ")
        counts = [part.split()[0] for part in own if _HEADS.fullmatch(part)]
        width = architecture.number("head_dim")
        heads = f"{'/'.join(counts)} heads" + (f" of {width}" if width else "")
        rest = [part for part in own if not _HEADS.fullmatch(part)]
        label = str(kind.value) if kind is not None else node.label
        return label, ", ".join([heads, *rest] if counts else own)
    scaled = re.search(r", (?:llama3|yarn|linear|dynamic) (×[\d.]+)", node.detail)
    if scaled is not None:
        return node.label, f"scaled {scaled[1]}, {node.detail[: scaled.start()]}"
    return re.sub(r" \(tanh\)$", "", node.label), node.detail
