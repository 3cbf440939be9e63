"""A repository of the Hub as a source: metadata first, weights when somebody asks for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Self

from modeldiff.checkpoints.fingerprints import hub_fingerprint, sha256
from modeldiff.checkpoints.formats.weight_files import with_subfolders
from modeldiff.checkpoints.hub.access import HubLogin, require_room
from modeldiff.checkpoints.hub.download import download
from modeldiff.checkpoints.hub.ranges import RangeReader
from modeldiff.checkpoints.hub.repository import (
    Repository,
    cached_file,
    find_repository,
    read_range,
    read_small,
)
from modeldiff.checkpoints.local.files import read_file_range
from modeldiff.checkpoints.local.reader import LocalReader
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import ByteReader, FetchProgress, FileHead, FileStat
from modeldiff.checkpoints.stores.read_ahead import ReadAhead
from modeldiff.errors import (
    CheckpointChanged,
    CheckpointError,
    CheckpointNotFound,
    HubUnreachable,
    placing_errors,
)
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.settings.startup import is_server
from modeldiff.text.quoting import did_you_mean, quoted


@dataclass(frozen=True)
class HubFiles:
    """A repository's files at the commit that was opened.

    ``download``: a file is downloaded, once and for all programs that use huggingface_hub, when
    its weights are wanted. Otherwise they are read over the network range by range, each time.
    Names are those in ``folder`` (empty: of the repository as a whole), of which ``named`` is meant
    alone, if it is given.
    """

    reference: Reference
    repository: Repository
    download: bool = True
    heads: Mapping[str, FileHead] = field(default_factory=dict)
    named: str = ""
    folder: str = ""

    @classmethod
    def of(
        cls, reference: Reference, *, download: bool = True, login: HubLogin | None = None
    ) -> Self:
        """The source that a ``reference`` of kind ``hub`` names, asked for in the name of
        ``login``; ``download`` as the class has it. Raises ``CheckpointNotFound``,
        ``AccessDenied``, ``HubUnreachable``."""
        repository = find_repository(reference.location, reference.revision, login)
        folder, named = _place(repository, reference.path)
        return cls(reference, repository, download, named=named, folder=folder)

    @property
    def warnings(self) -> tuple[str, ...]:
        """That it is what was seen last, where the Hub could not be asked."""
        if self.repository.source == "hub":
            return ()
        return (
            f"The Hub could not be reached: this is {self.repository.repo} at commit "
            f"{self.repository.commit[:12]}, as it was last seen.",
        )

    def where(self, file: str = "") -> str:
        """Where the file lies if it was downloaded, else where it came from; on a server always
        that."""
        if not file:
            return f"{self.repository.repo}/{self.folder}".rstrip("/")
        path = None if is_server() else self.path(file)
        return str(path or f"{self.repository.repo}/{self._full(file)}")

    def path(self, file: str = "") -> Path | None:
        """Where the file lies if it was downloaded."""
        return cached_file(self.repository, self._full(file)) if file else None

    def list(self) -> Collection[str]:
        """The files, those in folders too."""
        start = f"{self.folder}/" if self.folder else ""
        blobs = self.repository.blobs
        return tuple(file.removeprefix(start) for file in blobs if file.startswith(start))

    def has(self, file: str) -> bool:
        """Whether the repository lists it."""
        return self._full(file) in self.repository.blobs

    def read(self, file: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """As ``Source`` has it, from the caches where it is known."""
        content, size = read_range(self.repository, self._full(file), start, count)
        return content, FileStat(size, (self.repository.blobs[self._full(file)],))

    def read_small(self, file: str, limit: int) -> bytes:
        """Read at the commit that was opened. Raises as ``read_small`` does."""
        if not self.has(file):
            raise CheckpointNotFound(
                f"{self.where()} has no {quoted(file)}.",
                hint="Look at the repository's list of files.",
            )
        return read_small(self.repository, self._full(file), limit)

    def pinned(self, heads: Mapping[str, FileHead]) -> Self:
        """This commit, with what was read of its files."""
        return replace(self, heads=heads)

    def fingerprint(self, heads: Mapping[str, FileHead], config: bytes | None) -> str:
        """By the commit and the blobs' hashes; see ``fingerprints``."""
        return hub_fingerprint(self.repository.commit, heads, config)

    def explain(self, error: CheckpointError) -> CheckpointError:
        """huggingface_hub's cache may hold a part of the files only; the weights may lie in
        subfolders."""
        if self.repository.source != "cache":
            return with_subfolders(error, self.list(), self.reference)
        return HubUnreachable(
            f"The Hub could not be reached, and only a part of {self.repository.repo} is in the "
            "cache.",
            hint="Try again when the network is back, or unset HF_HUB_OFFLINE.",
        )

    def reader(self, file: str, progress: FetchProgress | None = None) -> ByteReader:
        """Of the file in huggingface_hub's cache, downloaded first where it is not there; over the
        network where nothing is to be downloaded.

        Raises ``CheckpointChanged`` when its size or header is not what was read at the Hub.
        """
        size, reference = self.heads[file].stat.size, self.reference.text
        full = self._full(file)
        with placing_errors(reference=reference, repository=self.repository.repo):
            path = cached_file(self.repository, full)
            if path is None and not self.download:
                remote = RangeReader(self.repository, full, size)
                remote.verify()
                return ReadAhead(remote, size)
            if path is None:
                require_room(self.repository.repo, sum(map(self.bytes_to_download, self.heads)))
                path = download(self.repository, full, size, progress)
            verify = _Verify(path, self.heads[file], self.repository.repo, self.where(file))
            verify()
            return LocalReader(path, size, file, reference, verify)

    def bytes_to_download(self, file: str) -> int:
        """The file's size, but 0 where it is in huggingface_hub's cache or is not brought here."""
        if not self.download or cached_file(self.repository, self._full(file)) is not None:
            return 0
        return self.heads[file].stat.size

    def _full(self, file: str) -> str:
        """The file's name in the repository."""
        return f"{self.folder}/{file}" if self.folder else file


def _place(repository: Repository, path: str) -> tuple[str, str]:
    """The folder that ``path`` means and the file in it that is meant alone, if one is. Raises
    ``CheckpointNotFound`` where there is neither."""
    if not path or any(file.startswith(f"{path}/") for file in repository.blobs):
        return path, ""
    if path in repository.blobs:
        folder, _, named = path.rpartition("/")
        return folder, named
    folders = {file.rpartition("/")[0] for file in repository.blobs} - {""}
    raise CheckpointNotFound(
        f"{repository.repo} has no folder or file {quoted(path)}.",
        hint=did_you_mean(path, sorted(folders | set(repository.blobs)))
        or "Look at the repository's list of files.",
    )


@dataclass(frozen=True)
class _Verify:
    """Checks a downloaded file against what was read of it at the Hub."""

    path: Path
    head: FileHead
    repo: str
    where: str

    def __call__(self) -> None:
        start, stat = read_file_range(self.path, 0, self.head.nbytes)
        if (stat.size, sha256(start)) != (self.head.stat.size, self.head.sha256):
            raise CheckpointChanged(
                f"{self.where} is not the file that {self.repo} has at the Hub.",
                hint="Remove it and try again: it will be downloaded anew.",
                path=self.path,
                repository=self.repo,
            )
