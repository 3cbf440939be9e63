"""Matrices that a converter cut in two: what recipes that put them together have in common."""

from __future__ import annotations

from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class TwoParts:
    """A recipe's two parts, ``first`` and ``second``. Where both come in one type the matrix does,
    too; else in float32."""

    first: TensorInfo
    second: TensorInfo

    grain = 1

    @property
    def stored(self) -> str:
        """The stored type, or both."""
        return "/".join(dict.fromkeys((self.first.dtype, self.second.dtype)))

    @property
    def lossy(self) -> bool:
        """Whether either lost something."""
        return self.first.lossy or self.second.lossy

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """Both."""
        return self.first, self.second

    @property
    def kind(self) -> str:
        """The type that values come in."""
        both = {self.first.values, self.second.values}
        return self.first.values if len(both) == 1 else "F32"
