"""What files are, wherever they lie: the seam above every source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Protocol, Self

from modeldiff.checkpoints.formats.weight_files import Index, other_shards
from modeldiff.checkpoints.source import FileHead, Source
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted


@dataclass(frozen=True)
class FileSet:
    """The files that make up one checkpoint, and the ``index`` that lists them if one does.

    ``warnings`` are sentences about how they were chosen. ``unread`` names the other weights that
    lie with them and may belong to the model.
    """

    files: tuple[str, ...]
    index: Index | None = None
    warnings: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @classmethod
    def of_named(cls, file: str) -> Self:
        """The ``file`` that a reference names; of a shard it is said that others are not read."""
        others = other_shards(file)
        if not others:
            return cls((file,))
        words = f"{quoted(file)} is one of several shards of a model: {others} were not read."
        return cls((file,), None, (words,), (others,))


@dataclass(frozen=True)
class Assembly:
    """What the headers of a set of files say together.

    ``tensors`` stand in file order (files by name, then by offset), ``metadata`` is what the files
    say of themselves, ``heads`` (by file name) what was read of each. ``config`` is what they say
    of the model, in transformers' words, and a ``config.json`` beside them what they leave unsaid;
    None where they say nothing. ``usual`` is what models of that kind have where neither says.
    ``tied`` are names left out of ``tensors``, which the files give to the embedding's own bytes.
    """

    tensors: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    warnings: tuple[str, ...]
    heads: Mapping[str, FileHead] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None
    usual: Mapping[str, Any] = field(default_factory=dict)
    tied: tuple[str, ...] = ()


class Format(Protocol):
    """A way to keep tensors in files."""

    @property
    def name(self) -> str:
        """As ``Checkpoint.format`` has it."""
        ...

    @property
    def signatures(self) -> tuple[bytes, ...]:
        """What its files begin with; empty where that tells nothing."""
        ...

    def recognise(self, source: Source) -> FileSet | None:
        """The files of this format that are a checkpoint, by their names; None where there are
        none.

        Raises ``UnsupportedFormat`` where there are several sets to choose from, naming them, and
        ``DamagedCheckpoint`` where a set is not whole.
        """
        ...

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """What the files say of their tensors; no weights are read.

        Raises ``DamagedCheckpoint`` where they contradict themselves or each other, and what else
        stands below ``CheckpointError``.
        """
        ...
