"""Whether a node of one model differs from its counterpart in another, and in what way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

from modeldiff.architectures.architecture import FactPair
from modeldiff.architectures.facts.diagram_anchors import (
    differing_nodes,
    is_of_size,
    unclear_nodes,
)
from modeldiff.drawings.diagram.boxes import Card
from modeldiff.processes.late_dataclass import dataclass

Mark = Literal["only", "built", "number"]
"""A node that only one model has, one that is built otherwise, one of other numbers."""

_T = TypeVar("_T")

_EXPERTS = "one of several experts"


@dataclass(frozen=True)
class Marking:
    """The components that different facts are about: built otherwise, or only of other numbers;
    and those (``unclear``) of which something is known of one side only, whose words therefore
    differ."""

    builds: frozenset[str]
    numbers: frozenset[str]
    unclear: frozenset[str] = frozenset()

    def of(self, card: Card, other: Card | None) -> Mark | None:
        """The mark of a node whose counterpart is ``other``; None where the two are alike."""
        node = card.node
        if card.kind == "symbol":
            return None
        if other is None:
            return "only"
        same = other.node
        unclear = self.leaves_open(node.id)
        if unclear and node.kind == "operation":
            return None
        if _build(card) != _build(other) or node.id in self.builds:
            return "built"
        if node.kind == "operation" and node.id != same.id:
            return None
        if unclear and node.shape == same.shape:
            return None
        if (node.shape, node.detail) != (same.shape, same.detail) or node.id in self.numbers:
            return "number"
        return None

    def leaves_open(self, id: str) -> bool:
        """Whether no fact says that the node with this ``id`` differs, and one is known of one side
        only."""
        return id in self.unclear and id not in self.builds | self.numbers


def read_marking(pairs: Iterable[FactPair]) -> Marking:
    """The marking by two models' facts, compared."""
    builds: set[str] = set()
    numbers: set[str] = set()
    unclear: set[str] = set()
    for pair in pairs:
        (numbers if is_of_size(pair) else builds).update(differing_nodes(pair))
        unclear |= unclear_nodes(pair)
    return Marking(frozenset(builds), frozenset(numbers), frozenset(unclear))


def counterpart(id: str, there: Mapping[str, _T]) -> _T | None:
    """What stands at this place of another model: an expert does what one MLP does."""
    if id in there:
        return there[id]
    if id.startswith("mlp.experts."):
        return there.get(f"mlp.{id.removeprefix('mlp.experts.')}")
    if id.startswith("mlp.") and id.count(".") == 1:
        return there.get(f"mlp.experts.{id.removeprefix('mlp.')}")
    return None


def build_difference_text(card: Card, other: Card) -> str:
    """From what to what the build of two counterparts differs; "" where no word says it."""
    ours, theirs = (
        [word for word in _build(one) if word not in _build(two) and word != _EXPERTS]
        for one, two in ((card, other), (other, card))
    )
    if not ours and not theirs:
        return ""
    return " → ".join(", ".join(words) or "none" for words in (ours, theirs))


def _build(card: Card) -> tuple[str, ...]:
    """What two nodes at one place share if they are built alike, whatever their sizes."""
    node = card.node
    if node.kind == "operation":
        return (node.label,)
    build = [value.parameter for value in card.values if value.parameter != "weight"]
    kind = node.detail.partition(", ")[0]
    if node.kind == "norm" and not kind.endswith("bias"):
        build.insert(0, kind)
    if ".experts." in node.id:
        build.append(_EXPERTS)
    return tuple(filter(None, build))
