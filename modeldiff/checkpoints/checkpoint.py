"""What an opened reference is: named tensors, a config, a fingerprint and where the bytes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.tensor import TensorInfo


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """An opened reference. Opening reads headers only, never weights.

    Each opening is a checkpoint of its own, equal to itself alone: ``fingerprint`` compares
    contents.

    ``tensors`` stand in file order (shards by name, then by offset). ``files`` maps each file that
    holds tensors to its size in bytes. ``config`` is the parsed ``config.json`` or None.
    ``metadata`` is the headers' ``__metadata__``. ``fingerprint`` identifies the content: two
    checkpoints with one fingerprint hold the same bytes as far as can be told without reading
    them. ``source`` is where the bytes are, pinned to what was opened. ``warnings`` are sentences
    about oddities that did not stop the opening.
    """

    reference: Reference
    format: str
    tensors: tuple[TensorInfo, ...]
    files: Mapping[str, int]
    config: Mapping[str, Any] | None
    metadata: Mapping[str, str]
    fingerprint: str
    source: Source = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors, headers not counted."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def elements(self) -> int:
        """Stored elements over all tensors."""
        return sum(tensor.elements for tensor in self.tensors)
