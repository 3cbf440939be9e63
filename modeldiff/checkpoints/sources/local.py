"""A folder of this machine, or one file in it, as a source; the demos are such folders too."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from modeldiff.checkpoints.fingerprints import local_fingerprint
from modeldiff.checkpoints.formats.config_json import CONFIG_NAME
from modeldiff.checkpoints.local.allowed_paths import require_inside
from modeldiff.checkpoints.local.files import (
    file_stat,
    read_range,
    read_small_file,
    translating_os_errors,
)
from modeldiff.checkpoints.local.reader import LocalReader
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import FetchProgress, FileHead, FileStat
from modeldiff.errors import CheckpointChanged, CheckpointError, NoWeights
from modeldiff.text.quoting import listed

_MOST_BELOW = 100


@dataclass(frozen=True)
class LocalFolder:
    """The files of ``folder``, an absolute path; of these the ``named`` one, if one is.

    A link is followed where it stays in the folder, or is what the user named.
    """

    reference: Reference
    folder: Path
    named: str = ""
    warnings: tuple[str, ...] = ()
    heads: Mapping[str, FileHead] = field(default_factory=dict)

    @classmethod
    def at(cls, reference: Reference, path: Path) -> Self:
        """The source at ``path``, a folder or a file. Raises ``CheckpointNotFound`` where there is
        neither, ``AccessDenied`` where it may not be looked at."""
        with translating_os_errors(path):
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        return cls(reference, path) if is_folder else cls(reference, path.parent, path.name)

    def where(self, file: str = "") -> str:
        """The path."""
        return str(self.folder / file)

    def list(self) -> Collection[str]:
        """The names in the folder as it is now, with those of weights in folders right below it, or
        the named file's."""
        if self.named:
            return (self.named,)
        with translating_os_errors(self.folder):
            names = [path.name for path in self.folder.iterdir()]
        return [*names, *_weights_below(self.folder)]

    def has(self, file: str) -> bool:
        """Whether the name is there, be it a link to nowhere."""
        return os.path.lexists(self.folder / file)

    def read(self, file: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """As ``Source`` has it. Raises as ``require_inside`` and ``read_range`` do."""
        self._require_inside(file)
        return read_range(self.folder / file, start, count)

    def read_small(self, file: str, limit: int) -> bytes:
        """Read now, whatever it was at opening. Raises as ``require_inside`` and
        ``read_small_file`` do."""
        self._require_inside(file)
        return read_small_file(self.folder / file, limit)

    def pinned(self, heads: Mapping[str, FileHead]) -> Self:
        """This folder, with what was read of its files."""
        return replace(self, heads=heads)

    def fingerprint(self, heads: Mapping[str, FileHead], config: bytes | None) -> str:
        """By headers, sizes, times and inodes; see ``fingerprints``."""
        return local_fingerprint(heads, config)

    def explain(self, error: CheckpointError) -> CheckpointError:
        """Of a folder without weights, where they may be meant to be."""
        hint = _elsewhere(self.folder) if isinstance(error, NoWeights) else ""
        return NoWeights(error.message, hint=hint) if hint else error

    def reader(self, file: str, progress: FetchProgress | None = None) -> LocalReader:
        """Opens nothing yet. Raises ``CheckpointChanged`` as ``LocalReader.verify`` does."""
        head = self.heads[file]

        def verify() -> None:
            try:
                unchanged = file_stat(path) == head.stat
            except OSError:
                unchanged = False
            if not unchanged:
                raise CheckpointChanged(
                    f"{path} was changed, replaced or removed after it was opened.",
                    hint="Wait until nothing writes to it any more, then open it again.",
                )

        path = self.folder / file
        verify()
        return LocalReader(path, head.stat.size, f"{file} of {self.reference}", verify)

    def bytes_to_download(self, file: str) -> int:
        """0: everything is here."""
        return 0

    def _require_inside(self, file: str) -> None:
        if file != self.named:
            require_inside(self.folder, file)


def _weights_below(folder: Path) -> list[str]:
    """The safetensors files in the folders right below, hidden ones left out: parts of a model that
    are files of their own, such as ``2_Dense``, or other models. A few are enough to say so."""
    paths = itertools.islice(folder.glob("[!.]*/*.safetensors"), _MOST_BELOW)
    try:
        return [path.relative_to(folder).as_posix() for path in paths]
    except OSError:  # one that may not be looked at
        return []


def _elsewhere(folder: Path) -> str:
    """A hint for a folder without weights: subfolders that hold some, or the config alone."""
    patterns = ("*/*.safetensors", "snapshots/*/*.safetensors")
    paths = itertools.chain.from_iterable(folder.glob(pattern) for pattern in patterns)
    names = {str(path.parent.relative_to(folder)) for path in itertools.islice(paths, 100)}
    if names:
        return f"Give one of its subfolders that hold some: {listed(sorted(names))}."
    config = folder / CONFIG_NAME
    return f"To see its architecture alone, give {config}." if config.is_file() else ""
