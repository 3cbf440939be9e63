"""What stands on each box of the annotated diagram, and how large it must be for that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from modeldiff.architectures.architecture import Architecture, Node
from modeldiff.drawings.annotated.colours import Group
from modeldiff.drawings.annotated.heads import HEAD_HEIGHT, Heads, heads_of
from modeldiff.drawings.diagram.box_values import BoxValue
from modeldiff.drawings.diagram.boxes import Card
from modeldiff.drawings.style.fonts import REGULAR, SEMIBOLD
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import grouped_digits

TEXT = 14.0
LINE = 18.0
BADGE = 10.0
"""The radius of a parameter's number."""
CHIP, CHIP_WIDTH = 20.0, 52.0
_MOST_WORDS, _LONGEST = 168.0, 320.0
_SYMBOL = 24.0
_MOST_LINES = 4
_PAD = 9.0

Form = Literal["upright", "bar", "heads", "stack", "flat", "operation", "symbol"]
"""A norm across the data's way, turned or lying; a projection with its heads; lines in the middle
under each other, or from the left; an operation; a sign."""


@dataclass(frozen=True)
class Tile:
    """A node as a box: its words and the least size of it on the page."""

    node: Node
    form: Form
    group: Group
    label: str
    lines: tuple[str, ...]
    number: int | None
    heads: Heads | None
    values: tuple[BoxValue, ...]
    width: float
    height: float

    def card(self, *, across: bool) -> Card:
        """The tile for the engine that arranges rows upward; ``across``: data runs to the right."""
        kind: Literal["parameters", "operation", "symbol"] = "parameters"
        if self.form in ("operation", "symbol"):
            kind = "symbol" if self.form == "symbol" else "operation"
        size = (self.height, self.width) if across else (self.width, self.height)
        return Card(self.node, kind, self.label, "", (), (), *size)


@dataclass(frozen=True)
class TileMaker:
    """Makes the tiles of a row. ``numbers`` are the parameters' numbers by node; ``across``: data
    runs to the right, else downward. There is room for a value in every box, so that none moves
    when values come."""

    architecture: Architecture
    numbers: dict[str, int]
    across: bool

    def row(
        self, nodes: Sequence[Node], values: Sequence[tuple[BoxValue, ...]], group: Group | None
    ) -> list[Tile]:
        """The tiles of the nodes of a row, with what changed of each."""
        many = sum(node.kind not in ("operation", "input") for node in nodes) > 2
        tiles = [
            self._tile(node, own, group_of(node, group), alone=len(nodes) == 1, many=many)
            for node, own in zip(nodes, values, strict=True)
        ]
        if not self.across:
            return tiles
        width = max(
            (tile.width for tile in tiles if tile.form in ("heads", "stack", "flat")), default=0
        )
        return [
            replace(tile, width=width) if tile.form in ("heads", "stack", "flat") else tile
            for tile in tiles
        ]

    def _tile(
        self, node: Node, values: tuple[BoxValue, ...], group: Group, *, alone: bool, many: bool
    ) -> Tile:
        number = self.numbers.get(node.id)
        if node.kind == "operation" and len(node.label) == 1:
            return Tile(node, "symbol", group, node.label, (), None, None, (), _SYMBOL, _SYMBOL)
        if node.kind in ("operation", "input"):
            label, lines = _operation(node)
            width = max(_bold(label), *(map(_plain, lines)), 34) + 18
            height = max(LINE * (1 + len(lines)) + 12, 32)
            return Tile(node, "operation", group, label, lines, None, None, (), width, height)
        label = short_label(node)
        badge = 2 * BADGE + 6 if number is not None else 0.0
        if node.kind == "norm" and alone:
            long = _bold(label) + badge + 24 + CHIP_WIDTH
            if self.across:
                return Tile(node, "upright", group, label, (), number, None, values, 38, 190)
            return Tile(node, "bar", group, label, (), number, None, values, min(long, 300), 32)
        heads = heads_of(node.id, self.architecture)
        if heads is not None:
            words = heads_words(heads, self.architecture, short=not self.across)
            wide = badge + _bold(label) + 2 * _PAD
            if self.across:
                # Beside the name there is room for words where the box is wider than it must be.
                wide += CHIP_WIDTH + 2
                height = LINE + HEAD_HEIGHT + 34
            else:
                wide = max(wide, _plain(words) + 2 * _PAD, CHIP_WIDTH + 2 * _PAD)
                height = 2 * LINE + HEAD_HEIGHT + 34
            return Tile(node, "heads", group, label, (words,), number, heads, values, wide, height)
        lines = shape_lines(node, many=many or not self.across)
        if many or not self.across:
            wide = badge + _bold(label) + CHIP_WIDTH + 8
            width = max(wide, *map(_plain, lines), 0) + 2 * _PAD
            height = LINE * (1 + len(lines)) + 16
            return Tile(node, "flat", group, label, lines, number, None, values, width, height)
        width = max(_bold(label), *map(_plain, lines), CHIP_WIDTH) + 2 * _PAD
        height = LINE * (1 + len(lines)) + (26 if badge else 0) + CHIP + 6 + 18
        return Tile(node, "stack", group, label, lines, number, None, values, width, height)


def group_of(node: Node, group: Group | None) -> Group:
    """The group of a node; ``group`` is that of its sublayer, None outside the layers."""
    name = node.id.rpartition(".")[2]
    if node.kind == "norm":
        return "norm"
    if name in ("rope", "alibi") or "position" in name or "relative" in name:
        return "position"
    return group or "embedding"


def short_label(node: Node) -> str:
    """The name as stored, a very long one cut in its middle."""
    name = node.label
    if ".shared_expert." in f".{node.id}":
        name = f"shared {name}"
    return SEMIBOLD.shorten(name, _LONGEST, TEXT)


def shape_lines(node: Node, *, many: bool) -> tuple[str, ...]:
    """A shape in two lines, from what goes in to what comes out; in one where ``many`` stand in a
    row. Of experts also how many they are."""
    shape = grouped_digits(node.shape)
    parts = re.split(r" (?=[→×] )", shape) if not many else [shape]
    if len(parts) > _MOST_LINES:
        parts = [shape]
    if ".experts." in f".{node.id}":
        parts.append(node.detail.partition(", ")[0])
    return tuple(REGULAR.shorten(part, _MOST_WORDS, TEXT) for part in parts if part)


def heads_words(heads: Heads, architecture: Architecture, *, short: bool) -> str:
    """``32 heads × 128``; ``short``: without the word."""
    if heads.role == "latent":
        latent = architecture.number("kv_latent")
        return f"{latent:,} for all heads" if latent and not short else ""
    count = heads.groups * heads.each if heads.each else heads.groups
    width = architecture.number("head_dim")
    if short:
        return f"{count} × {width}" if width else f"{count}"
    kind = "KV heads" if heads.role != "query" and _shared(architecture) else "heads"
    return f"{count} {kind} × {width}" if width else f"{count} {kind}"


def _shared(architecture: Architecture) -> bool:
    return architecture.number("heads") != architecture.number("kv_heads")


def _operation(node: Node) -> tuple[str, tuple[str, ...]]:
    """The name of an operation and what sets it, in short lines."""
    details = [part for part in node.detail.split(", ") if part]
    if node.id.endswith("self_attn.attention"):
        rest = [part for part in details if not re.fullmatch(r"[\d,]+ (?:KV )?heads?", part)]
        return "softmax", ("q·k, then × v", *_fitting(rest))
    scaled = [re.sub(r"^\w+ (×[\d.]+) from .*", r"scaled \1", part) for part in details]
    label = re.sub(r" \(tanh\)$", "", node.label)
    return SEMIBOLD.shorten(label, _MOST_WORDS, TEXT), _fitting(scaled)


def _fitting(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for part in parts[:3] for line in REGULAR.wrap(part, 112, TEXT)[:3])


def _bold(text: str) -> float:
    return min(SEMIBOLD.width(text, TEXT), _MOST_WORDS)


def _plain(text: str) -> float:
    return REGULAR.width(text, TEXT)
