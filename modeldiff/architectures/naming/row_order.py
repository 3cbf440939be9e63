"""Rows of queries and keys that stand in pairs, brought into the order of transformers' files.

RoPE turns two numbers of a head together. Meta's files hold their rows side by side, transformers'
in the head's two halves (the pairs are those of Su et al., RoFormer, 2021). The
values are the same, so the pairs are read in halves, and compare with files of either kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod

from modeldiff.architectures.config.config_values import HEAD_KEYS, WIDTH_KEYS, Settings
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.naming.placed_slice import PlacedSlice
from modeldiff.architectures.naming.strides import merge_axes
from modeldiff.checkpoints.tensor import Piece

_QUERY = "self_attn.q_proj"
_ROTARY = frozenset({_QUERY, "self_attn.k_proj"})
_READ = (
    "its rows stand in pairs that turn together, as in Meta's files; here they are read in halves"
)
_UNKNOWN = (
    "its rows stand in pairs that turn together, as in Meta's files; without a config that counts"
    " the heads they are compared as stored"
)
_UNSAID = (
    "its toolkit keeps these rows in pairs for some models and in halves for others, and the names"
    " do not tell; they are compared as stored"
)


class RowOrder:
    """How one checkpoint's rows of queries and keys stand. ``placed`` are its tensors."""

    def __init__(
        self,
        family: Family | None,
        settings: Settings,
        placed: Iterable[PlacedSlice],
    ) -> None:
        self._order = family.rotary_rows if family else "halves"
        rotates = self._order == "pairs"
        self._widths = dict(_head_widths(settings, placed)) if rotates else {}

    @property
    def components(self) -> frozenset[str]:
        """Those of which rows may stand otherwise than in halves."""
        return frozenset() if self._order == "halves" else _ROTARY

    def concerns(self, component: str) -> bool:
        """Whether rows of this component may stand otherwise than in halves."""
        return self._order != "halves" and component in _ROTARY

    def read(self, one: PlacedSlice) -> tuple[PlacedSlice, str]:
        """The tensor with its rows in halves, and what is to be said of it."""
        place, tensor = one.place, one.tensor
        if not self.concerns(place.component) or one.is_packed:
            return one, ""
        if self._order == "unsaid":
            return one, _UNSAID
        width = self._widths.get(place.tower, 0)
        if not width or width % 2 or tensor.recipe is not None or not tensor.elements:
            return one, _UNKNOWN
        pieces = tuple(filter(None, (_in_halves(piece, width) for piece in tensor.pieces)))
        if len(pieces) < len(tensor.pieces):
            return one, _UNKNOWN
        return one._replace(tensor=replace(tensor, pieces=pieces)), _READ


def _in_halves(piece: Piece, width: int) -> Piece | None:
    """A piece with its rows in halves; None where it does not hold whole heads of ``width`` rows,
    or not row by row."""
    rows = piece.shape[0] if piece.shape else 1
    if piece.strides or rows % width or (piece.start and piece.start[0] % width):
        return None
    inner = prod(piece.shape[1:])
    strides = merge_axes(
        [(rows // width, width * inner), (2, inner), (width // 2, 2 * inner), (inner, 1)]
    )
    return piece._replace(strides=strides)


def _head_widths(settings: Settings, placed: Iterable[PlacedSlice]) -> Mapping[str, int]:
    """How many rows a head has in each tower: as the config says, as the stream's width by its
    heads, or the query's rows by these."""
    each, heads = settings.count("head_dim"), settings.count(*HEAD_KEYS)
    stream = settings.count(*WIDTH_KEYS)
    widths: dict[str, int] = {}
    for one in placed:
        place, tensor = one.place, one.tensor
        if place.component != _QUERY or place.tower in widths or not tensor.shape:
            continue
        if each is not None:
            widths[place.tower] = each.value
        elif heads is not None and stream is not None and stream.value % heads.value == 0:
            # The query's own rows may be a rank's share of them.
            widths[place.tower] = stream.value // heads.value
        elif heads is not None and tensor.shape[0] % heads.value == 0:
            widths[place.tower] = tensor.shape[0] // heads.value
    return widths
