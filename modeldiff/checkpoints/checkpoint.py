"""What an opened reference is: named tensors, a config, a fingerprint and where the bytes are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from modeldiff.checkpoints.adapters.adapter import Adapter
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import UnknownName
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.once import computed_once
from modeldiff.text.formatting import format_bytes
from modeldiff.text.quoting import did_you_mean, quoted


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """An opened reference. Opening reads headers only, never weights.

    Each opening is a checkpoint of its own, equal to itself alone: ``fingerprint`` compares
    contents.

    ``reference`` is what was opened, ``format`` how its files are written (``config`` where there
    are no weights). ``tensors`` stand in file order (shards by name, then by offset). ``files``
    maps each file that holds tensors to its size in bytes. ``config`` is the parsed ``config.json``
    or None. ``metadata`` is the headers' ``__metadata__``. ``fingerprint`` identifies the content:
    two checkpoints with one fingerprint hold the same bytes as far as can be told without reading
    them. ``source`` is where the bytes are, pinned to what was opened. ``warnings`` are sentences
    about oddities that did not stop the opening. ``unread`` names weights that lie with these, may
    belong to the model and were not read: a subfolder's, an adapter's.
    ``tied`` are names that the files give to the embedding's own bytes, too, and that no tensor
    here has. ``adapter`` is what updates the weights of a model that lies elsewhere; None for a
    model of its own.
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
    unread: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()
    adapter: Adapter | None = None

    def __repr__(self) -> str:
        size = format_bytes(self.nbytes)
        return (
            f"<Checkpoint {self.reference}: {len(self.tensors):,} tensors, {size}, {self.format}>"
        )

    def __getitem__(self, name: str) -> TensorInfo:
        """The stored tensor called ``name``, from its header. Raises ``UnknownName``."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(
                f"{self.reference} has no tensor {quoted(str(name))}.",
                hint=did_you_mean(str(name), self._by_name)
                or "Iterating over it gives all its names.",
            ) from None

    def __contains__(self, name: object) -> bool:
        """Whether a tensor called ``name`` is stored."""
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        """The stored tensors' names, in file order."""
        return iter(self._by_name)

    @computed_once
    def _by_name(self) -> Mapping[str, TensorInfo]:
        return {tensor.name: tensor for tensor in self.tensors}

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors, headers not counted."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def elements(self) -> int:
        """Stored elements over all tensors."""
        return sum(tensor.elements for tensor in self.tensors)
