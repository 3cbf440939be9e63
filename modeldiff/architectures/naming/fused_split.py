"""Fused tensors cut into what they are made of: q, k and v, gate and up, the experts of a stack.

A part is a view of the stored bytes, described and not read. Where the numbers that strides need
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
from modeldiff.architectures.families.fused import USUAL, Fused
from modeldiff.architectures.naming.orientation import Orientation
from modeldiff.architectures.naming.placed_slice import PlacedSlice
from modeldiff.architectures.naming.strides import slice_strides
from modeldiff.architectures.place import Codes, Place
from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.recipes.element_slice import slice_elements
from modeldiff.checkpoints.tensor import Strides, TensorInfo

MOST_PARTS = 1 << 17
"""Parts that one checkpoint is cut into: the largest models have half as many tensors where they
are stored apart. A hostile file could ask for any number."""

_QUERY = "q_proj"
_GATE = "gate_proj"


_Cut = tuple[Place, tuple[int, ...], int, Strides, str]
"""Place, shape, first element, strides and name of a part."""
_Blocks = tuple[int, tuple[int, ...]]
"""How many times the parts take turns, and how many outputs each has in a turn."""
_Layer = tuple[str, int | None]


class Cutter:
    """Cuts one checkpoint's fused tensors, by its family's description. ``placed`` are all its
    tensors at their places."""

    def __init__(
        self,
        family: Family | None,
        settings: Settings,
        orientation: Orientation,
        placed: Iterable[PlacedSlice],
    ) -> None:
        self._fused: Mapping[str, Fused] = {**USUAL, **family.fused} if family else {}
        self._orientation = orientation
        self._settings = settings
        self._stacks = _described_stacks(family)
        self._counted = settings.count(*EXPERT_KEYS)
        self._left = MOST_PARTS
        self._read: dict[tuple[_Layer, str], int] = {}
        """What the attention's output, and an MLP's, read in each layer: as wide as all queries,
        and as wide as what has no gate."""
        if self._fused:
            for one in placed:
                if one.place.component.endswith(("o_proj", "down_proj")):
                    self._note_width(one)

    def _note_width(self, one: PlacedSlice) -> None:
        place = one.place
        if place.parameter != "weight":
            return
        shape = one.shape
        if len(shape) > 1 and len(shape) - 2 == (
            place.expert is None and "experts" in place.component
        ):
            turned, _ = self._orientation.of(one)
            width = shape[-2] if turned else shape[-1]
            self._read[(place.tower, place.layer), place.component] = width

    @property
    def components(self) -> frozenset[str]:
        """Those that may be fused, but for stacks of experts."""
        return frozenset(self._fused)

    def concerns(self, place: Place) -> bool:
        """Whether a tensor at this place may be fused: nearly all are told by that alone."""
        component = place.component
        return component in self._fused or (place.expert is None and "experts" in component)

    def cut(self, whole: PlacedSlice) -> tuple[PlacedSlice, ...]:
        """The parts of a tensor, in the order in which they begin; none where it is not fused or
        can't be cut."""
        fused = self._fused.get(whole.place.component)
        stacked = "experts" in whole.place.component and self._is_stack(whole)
        if (fused is None and not stacked) or not _has_whole_rows(whole, 1 + stacked):
            return ()
        shape = whole.tensor.shape[1:] if stacked else whole.tensor.shape
        experts = whole.tensor.shape[0] if stacked else 1
        count = experts * (len(fused.parts) if fused else 1)
        if count > self._left:
            return ()
        cuts: list[_Cut] = [(whole.place, shape, 0, (), "")]
        if fused is not None:
            cuts = self._along_outputs(whole, shape, fused)
        if not cuts:
            return ()
        self._left -= count
        if not stacked:
            return tuple(_part(whole, cut, shape) for cut in cuts)
        return tuple(_part(whole, cut, shape, expert) for expert in range(experts) for cut in cuts)

    def why_whole(self, whole: PlacedSlice) -> str:
        """What is to be said of a fused tensor that was not cut."""
        fused = self._fused.get(whole.place.component)
        if fused is None or whole.place.parameter not in ("weight", "bias"):
            return ""
        words = ", ".join(part.removesuffix("_proj") for part in fused.parts)
        if whole.codes is not None:
            return f"{words} in one matrix, packed so that they can't be told apart"
        return f"{words} in one tensor; how they stand in it needs numbers that no config says"

    def _along_outputs(
        self, whole: PlacedSlice, shape: tuple[int, ...], fused: Fused
    ) -> list[_Cut]:
        """The parts of one matrix, bias or block of a packed matrix, all of it or an expert's."""
        place = whole.place
        axis = self._output_axis(whole, shape)
        if axis is None:
            return []
        stem = place.component.rpartition(".")[0]
        if self._is_ungated(place, shape[axis], fused):
            return [(replace(place, component=f"{stem}.up_proj"), shape, 0, (), "")]
        turns, sizes = self._blocks(place, shape[axis], fused) or (0, ())
        if not turns:
            return []
        cuts = []
        for part, size, start in zip(fused.parts, sizes, accumulate((0, *sizes)), strict=False):
            own = (*shape[:axis], turns * size, *shape[axis + 1 :])
            strides = slice_strides(shape, axis, turns, size)
            if strides and strides[-1][1] != 1 and not _is_stored_so(whole.tensor):
                return []  # by columns of what is made row by row
            component = f"{stem}.{part}" if stem else part
            first = start * prod(shape[axis + 1 :])
            word = part.removesuffix("_proj")
            cuts.append((replace(place, component=component), own, first, strides, word))
        return cuts

    def _output_axis(self, whole: PlacedSlice, shape: tuple[int, ...]) -> int | None:
        """Which dimension counts the outputs."""
        place = whole.place
        if whole.is_packed:
            return 0
        if place.parameter == "weight" and len(shape) == 2:
            return 1 if self._orientation.of(whole)[0] else 0
        return 0 if place.parameter == "bias" and len(shape) == 1 else None

    def _is_ungated(self, place: Place, outputs: int, fused: Fused) -> bool:
        """Whether what some fuse is one matrix here: as wide as what ``down_proj`` reads."""
        stem = place.component.rpartition(".")[0]
        read = self._read.get(((place.tower, place.layer), f"{stem}.down_proj"))
        return _GATE in fused.parts and read == outputs

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
        layer = (place.tower, place.layer)
        query = self._read.get((layer, "self_attn.o_proj")) or self._config_width()
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

    def _config_width(self) -> int | None:
        heads, each = self._settings.count(*HEAD_KEYS), self._settings.count("head_dim")
        if heads is not None and each is not None:
            return heads.value * each.value
        hidden = self._settings.count(*WIDTH_KEYS)
        return hidden.value if hidden else None

    def _is_stack(self, whole: PlacedSlice) -> bool:
        """Whether the first dimension of what is called experts counts these: where the family
        says so, or a config that counts as many."""
        place, shape = whole.place, whole.tensor.shape
        if place.expert is not None or not shape or shape[0] > MAX_INDEX:
            return False
        if place.component in self._stacks:
            least = {"weight": 3, "bias": 2}.get(place.parameter)
            return least is not None and len(shape) >= least
        counted = self._counted
        return len(shape) > 2 and counted is not None and counted.value == shape[0]


def _described_stacks(family: Family | None) -> frozenset[str]:
    """The components of experts whose stored names have no expert in them."""
    if family is None:
        return frozenset()
    return frozenset(
        component.partition(":")[0]
        for path, component in family.layer.items()
        if component.startswith("mlp.experts.") and "#" not in path
    )


def _has_whole_rows(whole: PlacedSlice, first: int) -> bool:
    """Whether rows can be told apart: the values are of whole bytes, and packed ones fill whole
    rows, so that the ``first`` dimensions are those of the values."""
    tensor, codes = whole.tensor, whole.codes
    stored = STORED_TYPES.get(tensor.values)
    if not tensor.elements or stored is None or stored.bits % 8:
        return False
    if codes is None:
        return True
    if codes.shape is None or codes.inputs_first:
        return False
    return codes.shape[:first] == tensor.shape[:first]


def _is_stored_so(tensor: TensorInfo) -> bool:
    """Whether its values lie in one piece, in the order in which they are read."""
    piece = tensor.only_piece
    return piece is not None and not piece.strides


def _part(
    whole: PlacedSlice, cut: _Cut, shape: tuple[int, ...], expert: int | None = None
) -> PlacedSlice:
    """One part of ``whole``; ``shape`` is that of what was cut: all of it, or an expert's."""
    place, own_shape, first, strides, word = cut
    tensor = whole.tensor
    if expert is not None:
        place = replace(place, expert=expert)
        first += expert * prod(shape)
        word = f"{word} of expert {expert}" if word else f"expert {expert}"
    part = slice_elements(tensor, own_shape, first, strides, word)
    codes = _codes_of(whole.codes, shape, own_shape, expert is not None)
    return PlacedSlice(place, part, codes)


def _codes_of(
    codes: Codes | None, shape: tuple[int, ...], own: tuple[int, ...], stacked: bool
) -> Codes | None:
    """What a part's codes are: the values' shape is cut as the codes' is."""
    if codes is None or codes.shape is None:
        return None
    values = codes.shape[1:] if stacked else codes.shape
    if values == shape:
        return replace(codes, shape=own)
    return replace(codes, shape=(own[0], *values[1:]))
