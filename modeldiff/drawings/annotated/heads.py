"""Attention heads drawn one by one, query heads in the groups that share a key and value head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from modeldiff.architectures.architecture import Architecture
from modeldiff.processes.late_dataclass import dataclass

MOST_DRAWN = 64
"""Above so many query heads, only their groups are drawn."""
Role = Literal["query", "key", "value", "latent"]
_ROLES: dict[str, Role] = {
    "self_attn.q_proj": "query",
    "self_attn.k_proj": "key",
    "self_attn.v_proj": "value",
}
HEAD_HEIGHT = 18.0
"""How high the heads are, in pixels."""


@dataclass(frozen=True)
class Heads:
    """The heads in a box: ``groups`` of ``each`` query heads, or (``each`` 0) as many KV heads.

    A ``latent`` is one for all heads: what keys and values of all come out of.
    """

    role: Role
    groups: int
    each: int

    def strips(self, left: float, width: float) -> Iterator[tuple[float, float]]:
        """Where each head is drawn in this room: its left edge and its width."""
        pitch = width / self.groups
        rim = min(2.5, pitch * 0.12)
        each = max(self.each if self.each * self.groups <= MOST_DRAWN else 1, 1)
        own = (pitch - 2 * rim) / each
        between = min(0.7, own * 0.15) if each > 1 else 0.0
        for group in range(self.groups):
            for head in range(each):
                x = left + group * pitch + rim + head * own
                yield x + between, own - 2 * between

    def middles(self, left: float, width: float) -> Iterator[tuple[float, float]]:
        """The middle of each group in this room, and how far it reaches to either side."""
        pitch = width / self.groups
        for group in range(self.groups):
            yield left + (group + 0.5) * pitch, pitch / 2 - min(2.5, pitch * 0.12)


def heads_of(node_id: str, architecture: Architecture) -> Heads | None:
    """The heads of a projection of the main tower; None where it has none that are known."""
    if node_id == "self_attn.kv_a_proj":
        return Heads("latent", 1, 0)
    role = _ROLES.get(node_id)
    heads, shared = architecture.number("heads"), architecture.number("kv_heads")
    if role is None or not heads or not shared or heads % shared or shared > 4 * MOST_DRAWN:
        return None
    return Heads(role, shared, heads // shared if role == "query" else 0)


def sharing_words(architecture: Architecture) -> str:
    """What heads share, in words; "" where each has its own or nothing is known."""
    kind = architecture.fact("attention")
    heads, shared = architecture.number("heads"), architecture.number("kv_heads")
    if kind is not None and kind.value == "MLA":
        latent = architecture.number("kv_latent")
        return f"all heads share {latent:,} numbers a token" if latent else ""
    if not heads or not shared or heads % shared or heads == shared:
        return ""
    return f"{heads // shared} query heads share one key and value head"
