"""How a cell's tensors are stored on each side, in words: names, shapes and types."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.drawings.heatmap.cells import GatheredCell
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import MISSING, format_shape


@dataclass(frozen=True, slots=True)
class StoredAs:
    """Names and shapes on each side; of several tensors the first one's, and how many there are."""

    base_name: str
    target_name: str
    base_shape: str
    target_shape: str


def stored_as(cell: GatheredCell) -> StoredAs:
    """The words for a cell."""
    pairs = [row.pair for row in cell.rows]
    return StoredAs(
        _names([pair.base for pair in pairs]),
        _names([pair.target for pair in pairs]),
        _shapes([(pair.base, pair.shapes[0]) for pair in pairs]),
        _shapes([(pair.target, pair.shapes[1]) for pair in pairs]),
    )


def _names(tensors: Sequence[TensorInfo | None]) -> str:
    names = [tensor.label for tensor in tensors if tensor is not None]
    if not names:
        return MISSING
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"


def _shapes(tensors: Sequence[tuple[TensorInfo | None, Sequence[int] | None]]) -> str:
    there = [(tensor, shape) for tensor, shape in tensors if tensor is not None]
    if not there:
        return MISSING
    text = f"{format_shape(there[0][1])}, {there[0][0].dtype}"
    return text if len(there) == 1 else f"{len(there):,} of {text}"
