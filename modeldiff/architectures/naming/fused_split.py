"""Fused tensors cut into what they are made of: q, k and v, gate and up, the experts of a stack.

A part is a view of the stored bytes, described and not read. Where the numbers that a strides needs
are missing, or do not fit the tensor's shape, it stays whole under its fused component.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import accumulate
from math import prod

from modeldiff.architectures.config.config_values import (
    EXPERT_KEYS,
    HEAD_KEYS,
    WIDTH_KEYS,
    Settings,
)
from modeldiff.architectures.families.family import MAX_INDEX, Family
from modeldiff.architectures.families.fused import Fused
from modeldiff.architectures.naming.strides import slice_strides
from modeldiff.architectures.place import Place
from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.tensor import Strides, TensorInfo

MOST_PARTS = 1 << 17
"""Parts that one checkpoint is cut into: the largest models have half as many tensors where they
are stored apart. A hostile file could ask for any number."""

_QUERY = "q_proj"

PlacedSlice = tuple[Place, TensorInfo]
_Cut = tuple[Place, tuple[int, ...], int, Strides, str]
"""Place, shape, first element, strides and name of a part."""
_Blocks = tuple[int, tuple[int, ...]]
"""How many times the parts take turns, and how many outputs each has in a turn."""


class Cutter:
    """Cuts one checkpoint's fused tensors, by its family's description."""

    def __init__(
        self, family: Family | None, settings: Settings, placed: Iterable[tuple[Place, TensorInfo]]
    ) -> None:
        self._fused: Mapping[str, Fused] = family.fused if family else {}
        self._turned: frozenset[str] = family.transposed if family else frozenset()
        self._settings = settings
        self._stacks = _described_stacks(family)
        self._counted = settings.count(*EXPERT_KEYS)
        self._left = MOST_PARTS
        attends = any(_QUERY in fused.parts for fused in self._fused.values())
        self._queries = self._query_widths(placed) if attends else {}

    def cut(self, place: Place, tensor: TensorInfo) -> tuple[PlacedSlice, ...]:
        """The parts of a tensor at this place, in the order in which they begin; none where it is
        not fused or can't be cut."""
        component = place.component
        fused = self._fused.get(component)
        stacked = place.expert is None and "experts" in component and self._is_stack(place, tensor)
        if fused is None and not stacked:
            return ()
        piece, stored = tensor.only_piece, STORED_TYPES.get(tensor.dtype)
        if piece is None or piece.strides or not tensor.elements:
            return ()
        if stored is None or stored.bits % 8:
            return ()
        shape = tensor.shape[1:] if stacked else tensor.shape
        experts = tensor.shape[0] if stacked else 1
        count = experts * (len(fused.parts) if fused else 1)
        if count > self._left:
            return ()
        found: list[_Cut] = [(place, shape, 0, (), "")]
        if fused is not None:
            found = self._along_outputs(place, shape, fused)
        if not found:
            return ()
        self._left -= count
        step = prod(shape)
        width = stored.bits // 8
        parts = []
        for expert in range(experts):
            for at, own_shape, start, strides, word in found:
                offset = piece.offset + (expert * step + start) * width
                nbytes = prod(own_shape) * width
                if stacked:
                    at = replace(at, expert=expert)
                    word = f"{word} of expert {expert}" if word else f"expert {expert}"
                info = TensorInfo.stored(
                    tensor.name, piece.dtype, own_shape, piece.file, offset, nbytes, strides, word
                )
                parts.append((at, info))
        return tuple(parts)

    def _along_outputs(self, place: Place, shape: tuple[int, ...], fused: Fused) -> list[_Cut]:
        """The parts of one matrix, bias or block of a packed matrix, all of it or an expert's."""
        axis = self._output_axis(place, shape)
        if axis is None:
            return []
        turns, sizes = self._blocks(place, shape[axis], fused) or (0, ())
        if not turns:
            return []
        stem = place.component.rpartition(".")[0]
        found = []
        for part, size, start in zip(fused.parts, sizes, accumulate((0, *sizes)), strict=False):
            own = (*shape[:axis], turns * size, *shape[axis + 1 :])
            strides = slice_strides(shape, axis, turns, size)
            component = f"{stem}.{part}" if stem else part
            first = start * prod(shape[axis + 1 :])
            word = part.removesuffix("_proj")
            found.append((replace(place, component=component), own, first, strides, word))
        return found

    def _output_axis(self, place: Place, shape: tuple[int, ...]) -> int | None:
        """Which dimension counts the outputs."""
        if place.parameter == "weight" and len(shape) == 2:
            return 1 if place.component in self._turned else 0
        if place.parameter == "bias" and len(shape) == 1:
            return 0
        return 0 if place.parameter in ("blocks", "scales") and len(shape) > 1 else None

    def _blocks(self, place: Place, outputs: int, fused: Fused) -> _Blocks | None:
        parts = len(fused.parts)
        if _QUERY in fused.parts:
            return self._attention_blocks(place, outputs, fused)
        if outputs % parts:
            return None
        if fused.turns == "once":
            return 1, (outputs // parts,) * parts
        return outputs // parts, (1,) * parts

    def _attention_blocks(self, place: Place, outputs: int, fused: Fused) -> _Blocks | None:
        """By the width of all queries: what is left is keys and values, of one width."""
        query = self._queries.get((place.tower, place.layer)) or self._said_width()
        if query is None or query >= outputs or (outputs - query) % 2:
            return None
        key = (outputs - query) // 2
        if query % key:
            return None
        turns = 1
        if fused.turns == "kv_head":
            heads = self._settings.count(*HEAD_KEYS)
            if heads is None or query % heads.value or key % (query // heads.value):
                return None
            turns = key // (query // heads.value)
        widths = {_QUERY: query // turns}
        return turns, tuple(widths.get(part, key // turns) for part in fused.parts)

    def _said_width(self) -> int | None:
        heads, each = self._settings.count(*HEAD_KEYS), self._settings.count("head_dim")
        if heads is not None and each is not None:
            return heads.value * each.value
        hidden = self._settings.count(*WIDTH_KEYS)
        return hidden.value if hidden else None

    def _query_widths(
        self, placed: Iterable[tuple[Place, TensorInfo]]
    ) -> dict[tuple[str, int | None], int]:
        """What the attention's output reads in each layer, which is as wide as all queries."""
        widths = {}
        for place, tensor in placed:
            if place.component == "self_attn.o_proj" and place.parameter == "weight":
                turned = place.component in self._turned
                if len(tensor.shape) == 2:
                    widths[place.tower, place.layer] = tensor.shape[0 if turned else 1]
        return widths

    def _is_stack(self, place: Place, tensor: TensorInfo) -> bool:
        """Whether the first dimension counts experts: where the family says so, or a config that
        counts as many."""
        if not tensor.shape or tensor.shape[0] > MAX_INDEX:
            return False
        if place.component in self._stacks:
            least = {"weight": 3, "bias": 2, "blocks": 3, "scales": 3}.get(place.parameter)
            return least is not None and len(tensor.shape) >= least
        counted = self._counted
        return len(tensor.shape) > 2 and counted is not None and counted.value == tensor.shape[0]


def _described_stacks(family: Family | None) -> frozenset[str]:
    """The components of experts whose stored names have no expert in them."""
    if family is None:
        return frozenset()
    return frozenset(
        component.partition(":")[0]
        for path, component in family.layer.items()
        if component.startswith("mlp.experts.") and "#" not in path
    )
