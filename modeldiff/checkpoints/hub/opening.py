"""Opening a Hub repository: metadata first, weights shard by shard when somebody asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modeldiff.checkpoints.checkpoint import Checkpoint, FetchProgress, Reference
from modeldiff.checkpoints.fingerprints import hub_fingerprint, sha256
from modeldiff.checkpoints.formats.config_json import CONFIG_NAME, MAX_CONFIG_BYTES, parse_config
from modeldiff.checkpoints.formats.safetensors import header_bytes, parse_header
from modeldiff.checkpoints.formats.shards import assemble
from modeldiff.checkpoints.formats.weight_files import (
    MAX_INDEX_BYTES,
    Index,
    WeightFiles,
    choose_weights,
    left_aside,
    parse_index,
    require_present,
)
from modeldiff.checkpoints.hub.download import download
from modeldiff.checkpoints.hub.repository import (
    Repository,
    cached_file,
    find_repository,
    read_small,
    read_start,
)
from modeldiff.checkpoints.local.files import read_header
from modeldiff.errors import (
    CheckpointChanged,
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    HubUnreachable,
)
from modeldiff.text.quoting import quoted

_CONNECTIONS = 8
# Holds nearly every shard's header of the models that are published: one request a shard.
_FIRST_READ = 64 * 1024


def open_hub(reference: Reference) -> Checkpoint:
    """Open a repository by its listing, config, index and headers; no weights are downloaded.

    Raises ``CheckpointNotFound``, ``AccessDenied``, ``HubUnreachable`` and the errors of the
    formats.
    """
    repository = find_repository(reference.location, reference.revision)
    try:
        chosen, index = _choose(repository)
    except CheckpointError as error:
        if repository.source == "cache":
            raise HubUnreachable(
                f"The Hub could not be reached, and only a part of {repository.repo} is in the "
                "cache.",
                hint="Try again when the network is back, or unset HF_HUB_OFFLINE.",
            ) from error
        raise

    pool = ThreadPoolExecutor(_CONNECTIONS)
    try:
        starts = list(pool.map(lambda file: _read_header(repository, file), chosen.files))
    finally:
        pool.shutdown(cancel_futures=True)
    headers, files = {}, {}
    for file, (raw, size) in zip(chosen.files, starts, strict=True):
        where = _name(repository, file)
        headers[file] = parse_header(raw, file=file, file_size=size, where=where)
        files[file] = RemoteFile(size, sha256(raw))
    assembly = assemble(headers, index, repository.repo)
    config, config_bytes, config_warnings = _read_config(repository)
    return Checkpoint(
        reference=reference,
        format="safetensors",
        tensors=assembly.tensors,
        files={file: remote.size for file, remote in files.items()},
        config=config,
        metadata=assembly.metadata,
        fingerprint=hub_fingerprint(
            repository.commit,
            [(file, remote.size, repository.blobs[file]) for file, remote in files.items()],
            config_bytes,
        ),
        storage=HubStorage(repository, files),
        warnings=(
            *_offline_warning(repository),
            *chosen.warnings,
            *assembly.warnings,
            *config_warnings,
        ),
    )


@dataclass(frozen=True)
class RemoteFile:
    """What was read of a file at the Hub: its size in bytes and its header's SHA-256."""

    size: int
    header: str


@dataclass(frozen=True)
class HubStorage:
    """A repository's files, downloaded one by one at the commit that was opened."""

    repository: Repository
    files: Mapping[str, RemoteFile]

    def fetch(self, file: str, progress: FetchProgress | None = None) -> Path:
        """The file's path in huggingface_hub's cache, downloaded first where it is not there.

        Raises ``CheckpointChanged`` when its size or header is not what was read at the Hub.
        """
        remote = self.files[file]
        path = cached_file(self.repository, file)
        if path is None:
            path = download(self.repository, file, remote.size, progress)
        header, state = read_header(path)
        if RemoteFile(state.size, sha256(header)) != remote:
            raise CheckpointChanged(
                f"{path} is not the file that {self.repository.repo} has at the Hub.",
                hint="Remove it and try again: it will be downloaded anew.",
            )
        return path

    def is_local(self, file: str) -> bool:
        """Whether the file is in huggingface_hub's cache."""
        return cached_file(self.repository, file) is not None

    def read_beside(self, name: str, limit: int) -> bytes:
        """Read at the commit that was opened. Raises as ``read_small`` does."""
        if name not in self.repository.blobs:
            raise CheckpointNotFound(
                f"{self.repository.repo} has no {quoted(name)}.",
                hint="Look at the repository's list of files.",
            )
        return read_small(self.repository, name, limit)


def _choose(repository: Repository) -> tuple[WeightFiles, Index | None]:
    chosen = choose_weights(tuple(repository.blobs), repository.repo)
    index = None
    if chosen.index:
        raw = read_small(repository, chosen.index, MAX_INDEX_BYTES)
        index = parse_index(raw, f"{repository.repo}/{chosen.index}")
        require_present(index.files, repository.blobs, repository.repo)
        chosen = replace(chosen, files=index.files)
    top = [name for name in repository.blobs if "/" not in name]
    return replace(chosen, warnings=(*chosen.warnings, *left_aside(top, chosen.files))), index


def _read_header(repository: Repository, file: str) -> tuple[bytes, int]:
    """A file's header, the eight bytes of its length included, and the file's size."""
    start, size = read_start(repository, file, _FIRST_READ)
    length = header_bytes(start, size, _name(repository, file))
    if length > len(start):
        start, size = read_start(repository, file, length)
    return start[:length], size


def _name(repository: Repository, file: str) -> str:
    """The file as messages name it: where it lies if it was downloaded, else where it came from."""
    return str(cached_file(repository, file) or f"{repository.repo}/{file}")


def _read_config(
    repository: Repository,
) -> tuple[Mapping[str, Any] | None, bytes | None, tuple[str, ...]]:
    """The config, its bytes, and a warning where it is there and can't be used."""
    if CONFIG_NAME not in repository.blobs:
        return None, None, ()
    try:
        raw = read_small(repository, CONFIG_NAME, MAX_CONFIG_BYTES)
    except DamagedCheckpoint as error:
        return None, None, (f"{error.message} The config was left aside.",)
    config, warnings = parse_config(raw)
    return config, raw, warnings


def _offline_warning(repository: Repository) -> tuple[str, ...]:
    if repository.source == "hub":
        return ()
    return (
        f"The Hub could not be reached: this is {repository.repo} at commit "
        f"{repository.commit[:12]}, as it was last seen.",
    )
