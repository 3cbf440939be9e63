"""Which way round a matrix is stored, read from shapes where they tell.

A matrix that reads the stream is as wide as the stream where it is stored [out, in], as high where
it is stored [in, out]; one that writes to the stream the other way round. A square one is told by
its neighbours, and where no shape tells the family's description holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.naming.placed_slice import PlacedSlice
from modeldiff.architectures.place import Place

_MLPS = ("mlp", "mlp.experts", "mlp.shared_expert")
_READERS = frozenset(
    {
        *(f"self_attn.{p}" for p in ("q_proj", "k_proj", "v_proj", "qkv_proj", "q_a_proj")),
        "self_attn.kv_a_proj",
        "cross_attn.q_proj",
        *(f"{mlp}.{part}" for mlp in _MLPS for part in ("gate_proj", "up_proj", "gate_up_proj")),
        "mixer.in_proj",
    }
)
_WRITERS = frozenset(
    {
        "self_attn.o_proj",
        "cross_attn.o_proj",
        *(f"{mlp}.down_proj" for mlp in _MLPS),
        "mixer.out_proj",
    }
)
_TELLING = _READERS | _WRITERS
_STREAM_NORMS = frozenset(
    {
        "input_layernorm",
        "post_attention_layernorm",
        "post_self_attn_layernorm",
        "post_mlp_layernorm",
        "norm",
    }
)

TELLING_COMPONENTS = _TELLING | _STREAM_NORMS
"""The components that tell how matrices are stored; no other counts."""

_Kind = tuple[str, bool, bool]
"""Tower, whether an expert's, and what the description says: matrices that are stored alike."""


class Orientation:
    """How one checkpoint stores its matrices. ``placed`` are all its tensors at their places."""

    def __init__(self, family: Family | None, placed: Iterable[PlacedSlice]) -> None:
        self._described = family.transposed if family else frozenset()
        placed = tuple(placed)
        self._width = _stream_widths(placed)
        votes: Counter[tuple[_Kind, bool]] = Counter()
        for one in placed if self._width else ():
            if one.place.component not in _TELLING:
                continue
            turned = self._by_shape(one.place, one.tensor.shape)
            if turned is not None:
                votes[self._kind(one), turned] += 1
        self._against = {
            kind for kind, turned in votes if turned != kind[2] and not votes[kind, kind[2]]
        }

    @property
    def components(self) -> frozenset[str]:
        """Those of which a tensor may be stored [in, out]: all others are as they are."""
        return _TELLING | self._described

    def of(self, one: PlacedSlice) -> tuple[bool, str]:
        """Whether a matrix, or a stack of matrices, is stored [in, out], and what is to be said of
        how this is known: nothing but where its neighbours told."""
        place, shape = one.place, one.tensor.shape
        if place.parameter != "weight" or len(shape) < 2 or one.is_packed:
            return False, ""
        if place.component not in _TELLING:
            return self._is_described(one), ""
        turned = self._by_shape(place, shape)
        if turned is not None:
            return turned, ""
        kind = self._kind(one)
        if kind not in self._against:
            return kind[2], ""
        way = "[out, in]" if kind[2] else "[in, out]"
        return not kind[2], f"square, and stored {way} as the matrices around it are"

    def with_shape(self, one: PlacedSlice) -> PlacedSlice:
        """Codes with the shape [out, in] of their values, where the stream's width tells it."""
        place, codes = one.place, one.codes
        width = self._width.get(place.tower)
        if codes is None or codes.shape is not None or not width or place.parameter != "weight":
            return one
        other, rest = divmod(codes.values_in(one.tensor.nbytes), width)
        if rest or place.component not in _TELLING:
            return one
        shape = (other, width) if place.component in _READERS else (width, other)
        return one._replace(codes=replace(codes, shape=shape))

    def _by_shape(self, place: Place, shape: Sequence[int]) -> bool | None:
        width = self._width.get(place.tower)
        if width is None or place.parameter != "weight" or not 2 <= len(shape) <= 3:
            return None
        rows, columns = shape[-2:]
        if (rows == width) == (columns == width):
            return None
        if place.component in _READERS:
            return rows == width
        return columns == width if place.component in _WRITERS else None

    def _is_described(self, one: PlacedSlice) -> bool:
        """Whether the description says that it is stored [in, out]. It speaks of experts that are
        a parameter of their module: those that are called a module's weight are stored as that of
        a linear layer is."""
        component = one.place.component
        of_a_module = ".experts." in component and one.tensor.name.endswith(".weight")
        return component in self._described and not of_a_module

    def _kind(self, one: PlacedSlice) -> _Kind:
        component = one.place.component
        return one.place.tower, ".experts." in component, self._is_described(one)


def _stream_widths(placed: Iterable[PlacedSlice]) -> dict[str, int]:
    """How wide each tower's stream is: as long as most of its norms are."""
    counts: dict[str, Counter[int]] = {}
    for one in placed:
        if one.place.component in _STREAM_NORMS and len(one.tensor.shape) == 1:
            counts.setdefault(one.place.tower, Counter())[one.tensor.shape[0]] += 1
    return {tower: lengths.most_common(1)[0][0] for tower, lengths in counts.items()}
