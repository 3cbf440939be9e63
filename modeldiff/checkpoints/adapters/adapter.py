"""The adapter that is part of an opened checkpoint."""

from __future__ import annotations

from modeldiff.checkpoints.references import Reference
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Adapter:
    """An adapter on the model that ``base`` names, whose content ``base_fingerprint`` identifies.

    ``reference`` is the adapter's own. ``kind`` is what it is called (``LoRA``, ``DoRA``), and
    ``ranks`` are those of its updates, ascending. ``targets`` are what the updated modules are
    called, without their layers, in the order of the file; ``updated`` counts the matrices with an
    update.
    ``beside`` are words for what else it holds.
    """

    reference: Reference
    base: Reference
    base_fingerprint: str
    kind: str
    ranks: tuple[int, ...]
    targets: tuple[str, ...]
    updated: int
    beside: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """``LoRA, rank 16``."""
        if not self.ranks:
            return self.kind
        low, high = self.ranks[0], self.ranks[-1]
        ranks = f"rank {low:,}" if low == high else f"ranks {low:,} to {high:,}"
        return f"{self.kind}, {ranks}"
