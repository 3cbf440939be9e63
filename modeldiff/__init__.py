"""What changed between two language-model checkpoints, and where?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from modeldiff._version import __version__

if TYPE_CHECKING:
    from modeldiff.changes import Change, Progress
    from modeldiff.checkpoints import Checkpoint, Reference

__all__ = ["__version__", "diff"]


def diff(
    base: str | Path | Reference | Checkpoint,
    target: str | Path | Reference | Checkpoint,
    *,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Change]:
    """What changed from base to target, one row a tensor, in base's file order.

    Either side is a reference (a folder, a ``.safetensors`` file, ``owner/name[@revision]``,
    ``demo:base``) or an opened checkpoint. Both are opened at once; the tensors are read while the
    rows are taken, through buffers of fixed size. ``device`` is ``auto``, ``cpu``, ``cuda:1`` …;
    the median is the same on all. ``progress`` is told several times a second how far it is, and
    may raise ``modeldiff.errors.Cancelled``.

    Raises the errors in ``modeldiff.errors``.

    >>> rows = list(diff("demo:base", "demo:base"))
    >>> {row.statistics.unchanged_pct for row in rows if row.statistics}
    {100.0}
    """
    from modeldiff.changes import measure
    from modeldiff.checkpoints import Checkpoint
    from modeldiff.comparison import Comparison
    from modeldiff.model import Model

    sides = (
        Model.of(side) if isinstance(side, Checkpoint) else Model.open(_reference(side))
        for side in (base, target)
    )
    comparison = Comparison(*sides)
    return measure(comparison.pairs, *comparison.checkpoints, device=device, progress=progress)


def _reference(side: str | Path | Reference) -> str | Reference:
    return str(side) if isinstance(side, Path) else side
