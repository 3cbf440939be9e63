"""What an opened reference is: named tensors, a config, a fingerprint and where the bytes are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from modeldiff.errors import UnknownName
from modeldiff.text.formatting import format_bytes
from modeldiff.text.quoting import did_you_mean, quoted

ReferenceKind = Literal["folder", "file", "hub", "demo", "catalog"]

FetchProgress = Callable[[int, int], None]
"""Called with (bytes here so far, bytes in all) while a file is brought here. May raise
``Cancelled`` to stop."""


@dataclass(frozen=True)
class Reference:
    """What a user types, understood: which kind, where, and which revision of it.

    ``text`` is the canonical spelling and parses to the same reference again. ``location`` is an
    absolute path (folder, file), ``owner/name`` (hub) or a name (demo, catalog).
    """

    kind: ReferenceKind
    text: str
    location: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.text


Strides = tuple[tuple[int, int], ...]
"""How many elements lie how far apart, as (count, distance in elements), the outermost first. The
empty one: they lie one after the other."""


@dataclass(frozen=True)
class TensorInfo:
    """One stored tensor, from its header, or a slice of one.

    ``offset`` counts bytes from the file's start to the first element. In ``strides`` the elements
    come in the order of ``shape``, row by row; it is empty but where they lie apart, as the keys in
    a fused matrix may. ``slice`` says which slice of the stored tensor this is (``k``; ``gate of
    expert 3``), empty if it is all of it; ``nbytes`` are the slice's own.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    offset: int
    nbytes: int
    strides: Strides = ()
    slice: str = ""

    @property
    def label(self) -> str:
        """The stored name, with the slice behind it."""
        return f"{self.name} ({self.slice})" if self.slice else self.name

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar, 0 where a dimension is 0."""
        count = 1
        for size in self.shape:
            count *= size
        return count


class Storage(Protocol):
    """Where a checkpoint's bytes live."""

    def fetch(self, file: str, progress: FetchProgress | None = None) -> Path:
        """Bring ``file`` here if it is elsewhere and return its local path.

        Raises ``CheckpointChanged`` when it is no longer the file whose header was read, and the
        errors of the Hub where it has to be downloaded.
        """
        ...

    def is_local(self, file: str) -> bool:
        """Whether ``fetch`` would return at once, without a download."""
        ...

    def read_beside(self, name: str, limit: int) -> bytes:
        """A small file that lies beside the weights, such as the tokenizer's.

        Raises ``CheckpointNotFound`` where there is none, ``DamagedCheckpoint`` where it has more
        than ``limit`` bytes, and what else stands below ``CheckpointError``.
        """
        ...


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """An opened reference. Opening reads headers only, never weights.

    Each opening is a checkpoint of its own, equal to itself alone: ``fingerprint`` compares
    contents.

    ``tensors`` stand in file order (shards by name, then by offset). ``files`` maps each file that
    holds tensors to its size in bytes. ``config`` is the parsed ``config.json`` or None.
    ``metadata`` is the headers' ``__metadata__``. ``fingerprint`` identifies the content: two
    checkpoints with one fingerprint hold the same bytes as far as can be told without reading
    them. ``warnings`` are sentences about oddities that did not stop the opening.
    """

    reference: Reference
    format: str
    tensors: tuple[TensorInfo, ...]
    files: Mapping[str, int]
    config: Mapping[str, Any] | None
    metadata: Mapping[str, str]
    fingerprint: str
    storage: Storage = field(repr=False)
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        size = format_bytes(self.nbytes)
        return (
            f"<Checkpoint {self.reference}: {len(self.tensors):,} tensors, {size}, {self.format}>"
        )

    def __getitem__(self, name: str) -> TensorInfo:
        """The stored tensor of this name, from its header. Raises ``UnknownName``."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(
                f"{self.reference} has no tensor {quoted(str(name))}.",
                hint=did_you_mean(str(name), self._by_name)
                or "Iterating over it gives all its names.",
            ) from None

    def __contains__(self, name: object) -> bool:
        """Whether a tensor of this name is stored."""
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        """The stored tensors' names, in file order."""
        return iter(self._by_name)

    @cached_property
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
