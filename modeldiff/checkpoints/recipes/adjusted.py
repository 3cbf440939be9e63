"""Vectors that a converter stored otherwise than the model has them, brought back."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass

Adjustment = Literal["minus one", "logarithm of the negative"]
"""``minus one``: the norm's scale 1 + w was stored for w. ``logarithm of the negative``: -exp(x)
was stored for x, which does not come back to the last bit."""

_WORDS: dict[Adjustment, str] = {
    "minus one": "stored with one added",
    "logarithm of the negative": "stored as -exp of it",
}
ADJUSTABLE = {"F32": np.float32, "F16": np.float16}
"""The stored types that can be adjusted, as NumPy has them."""


@dataclass(frozen=True)
class Adjusted:
    """The recipe of values of ``tensor``, stored in one of the ``ADJUSTABLE`` types, with an
    adjustment undone in float32."""

    tensor: TensorInfo
    adjustment: Adjustment

    grain = 1

    @property
    def words(self) -> str:
        """What the converter did."""
        return f"{self.tensor.dtype}, {_WORDS[self.adjustment]}"

    @property
    def stored(self) -> str:
        """As the tensor."""
        return self.tensor.dtype

    @property
    def lossy(self) -> bool:
        """Adding one loses what is below its last bit: little, and less than other types lose."""
        return False

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """What is stored."""
        return (self.tensor,)

    def open(self, read: Fill) -> _Adjuster:
        """A reader that undoes the adjustment."""
        return _Adjuster(self, read)


class _Adjuster:
    def __init__(self, recipe: Adjusted, read: Fill) -> None:
        self._recipe, self._read = recipe, read

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        tensor = self._recipe.tensor
        stored: npt.NDArray[Any] = np.empty(last - first, ADJUSTABLE[tensor.values])
        self._read(tensor, first, stored.data.cast("B"))
        values = np.frombuffer(out, np.float32)
        if self._recipe.adjustment == "minus one":
            np.subtract(stored, np.float32(1), out=values)
        else:
            with np.errstate(all="ignore"):  # what is not negative has no logarithm: NaN tells it
                np.log(-stored.astype(np.float32), out=values)
