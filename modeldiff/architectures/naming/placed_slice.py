"""A tensor, or a slice of one, at its place."""

from __future__ import annotations

from typing import NamedTuple

from modeldiff.architectures.place import Codes, Place
from modeldiff.checkpoints.tensor import TensorInfo


class PlacedSlice(NamedTuple):
    """``codes`` says what the tensor holds in place of values; None where it holds values."""

    place: Place
    tensor: TensorInfo
    codes: Codes | None = None

    @property
    def is_packed(self) -> bool:
        """Whether the stored shape is not that of the values."""
        return self.codes is not None and self.codes.shape != self.tensor.shape

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values; () where it is not known."""
        return self.tensor.shape if self.codes is None else self.codes.shape or ()
