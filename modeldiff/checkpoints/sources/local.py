"""A folder of this machine, or one file in it, as a source; the demos are such folders too."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Self

from modeldiff.checkpoints.fingerprints import local_fingerprint
from modeldiff.checkpoints.formats.config_json import CONFIG_NAME
from modeldiff.checkpoints.formats.parallel_shards import parallel_shard_warning
from modeldiff.checkpoints.local.allowed_paths import is_allowed, require_inside
from modeldiff.checkpoints.local.files import (
    file_stat,
    read_file_range,
    read_small_file,
    translating_os_errors,
)
from modeldiff.checkpoints.local.reader import LocalReader
from modeldiff.checkpoints.local.sampled_blocks import sampled_sha256
from modeldiff.checkpoints.local.surroundings import (
    cached_snapshot,
    names_beside,
    unfinished_downloads,
    weights_below,
)
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import FetchProgress, FileHead, FileStat
from modeldiff.errors import CheckpointChanged, CheckpointError, DamagedCheckpoint, NoWeights
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import listed


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
        beside = names_beside(path) if is_allowed(path.parent) else []
        warnings = tuple(filter(None, (parallel_shard_warning(path.name, beside),)))
        if not is_folder:
            return cls(reference, path.parent, path.name, warnings)
        snapshot = cached_snapshot(path)
        if snapshot is None:
            return cls(reference, path, warnings=warnings)
        warning = (
            f"This is a repository in the Hub's cache: its snapshot {snapshot.name} was opened."
        )
        return cls(reference, snapshot, warnings=(warning,))

    def where(self, file: str = "") -> str:
        """The path."""
        return str(self.path(file))

    def path(self, file: str = "") -> Path:
        """In the folder."""
        return self.folder / file

    def list(self) -> Collection[str]:
        """The names in the folder as it is now, and of weights one level down, or the named
        file's."""
        if self.named:
            return (self.named,)
        with translating_os_errors(self.folder):
            names = [path.name for path in self.folder.iterdir()]
        return names + weights_below(self.folder)

    def has(self, file: str) -> bool:
        """Whether the name is there, be it a link to nowhere."""
        return os.path.lexists(self.folder / file)

    def read(self, file: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """As ``Source`` has it. Raises as ``require_inside`` and ``read_file_range`` do."""
        self._require_inside(file)
        return read_file_range(self.folder / file, start, count)

    def read_small(self, file: str, limit: int) -> bytes:
        """Read now, whatever it was at opening. Raises as ``require_inside`` and
        ``read_small_file`` do."""
        self._require_inside(file)
        return read_small_file(self.folder / file, limit)

    def pinned(self, heads: Mapping[str, FileHead]) -> Self:
        """This folder, with what was read of its files."""
        return replace(self, heads=heads)

    def fingerprint(self, heads: Mapping[str, FileHead], config: bytes | None) -> str:
        """By headers, sizes, times, inodes and sampled blocks; see ``fingerprints``. Raises as
        ``sampled_sha256`` does."""
        samples = {
            file: sampled_sha256(self.folder / file, head.stat) for file, head in heads.items()
        }
        return local_fingerprint(heads, samples, config)

    def explain(self, error: CheckpointError) -> CheckpointError:
        """Of a folder without weights, where they may be meant to be; of one that is not whole,
        that a download was not finished."""
        unfinished = unfinished_downloads(self.folder)
        if unfinished and isinstance(error, NoWeights | DamagedCheckpoint):
            return type(error)(
                f"{error.message} A download into it was not finished: {unfinished:,} "
                f"{'file is' if unfinished == 1 else 'files are'} there in part.",
                hint="Run the download again: it goes on where it stopped.",
            )
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
                    path=path,
                    reference=self.reference.text,
                )

        path = self.folder / file
        verify()
        return LocalReader(path, head.stat.size, file, self.reference.text, verify)

    def bytes_to_download(self, file: str) -> int:
        """0: everything is here."""
        return 0

    def _require_inside(self, file: str) -> None:
        if file != self.named:
            require_inside(self.folder, file)


def _elsewhere(folder: Path) -> str:
    """A hint for a folder without weights: subfolders that hold some, or the config alone."""
    below = dict.fromkeys(name.rpartition("/")[0] for name in weights_below(folder))
    if below:
        return f"Give one of its subfolders that hold some: {listed(below, limit=6)}."
    config = folder / CONFIG_NAME
    return f"To see its architecture alone, give {config}." if config.is_file() else ""
