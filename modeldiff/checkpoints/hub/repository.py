"""A Hub repository at one commit: its list of files and the beginnings of files.

Everything here is asked of the real huggingface_hub client, so that endpoint, token, proxy and
offline mode are what its users know. Timeouts are short and nothing is retried: who waits at a
screen can press the button again.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import httpx2
from huggingface_hub import (
    HfApi,
    get_session,
    hf_hub_url,
    hf_raise_for_status,
    try_to_load_from_cache,
)
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from modeldiff.checkpoints.formats.weight_files import is_plain_path
from modeldiff.checkpoints.hub import metadata_cache as hub_cache
from modeldiff.checkpoints.hub.access import HubLogin, hub_token, require_hub_access
from modeldiff.checkpoints.hub.errors import translating_hub_errors
from modeldiff.checkpoints.hub.range_requests import answered_range, range_headers
from modeldiff.checkpoints.hub.visibility import hub_endpoint, is_public, remember_visibility
from modeldiff.checkpoints.local.files import read_file_range
from modeldiff.errors import (
    AccessDenied,
    CheckpointNotFound,
    DamagedCheckpoint,
    HubUnreachable,
)
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

TIMEOUT_SECONDS = 10.0
"""Longest silence of the Hub."""

# An answer that trickles in without ever being silent is given up after a minute when it is slower.
_SLOWEST_BYTES_PER_SECOND = 10_000

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Repository:
    """A repository at a commit. ``blobs`` maps each file to its blob's hash, ``""`` where that is
    not known. ``source`` says where the list of files is from: the Hub now, the Hub as it was
    last seen, or huggingface_hub's cache, which may hold a part of the files only. ``login`` is
    in whose name the Hub is asked; None for this machine's, see ``hub_token``."""

    endpoint: str
    repo: str
    commit: str
    blobs: Mapping[str, str]
    source: Literal["hub", "memory", "cache"] = "hub"
    login: HubLogin | None = None

    @property
    def token(self) -> str | Literal[False] | None:
        """The ``token`` argument of huggingface_hub for it."""
        return hub_token(self.repo, self.login)


def find_repository(repo: str, revision: str | None, login: HubLogin | None = None) -> Repository:
    """Ask the Hub, in the name of ``login``, which commit ``revision`` is and which files it has.

    Where the Hub can't be reached, what an earlier opening or another program left in the caches
    is taken; but not where others filled them, and only the Hub could say who may see it. Raises
    ``CheckpointNotFound``, ``AccessDenied``, ``HubUnreachable``.
    """
    require_hub_access(repo)
    endpoint = hub_endpoint()
    # Whoever may use this machine's own token may see what it brought here.
    owns_caches = hub_token(repo, login) is None
    key = ("listing", endpoint, repo, revision or "main")
    if revision and _COMMIT.fullmatch(revision) and owns_caches:
        known = _remembered(endpoint, repo, key)
        if known is not None:
            return replace(known, source="hub")  # a commit can't have changed: no need to ask
    try:
        with translating_hub_errors(repo, revision, endpoint):
            repository = _ask(endpoint, repo, revision, login)
    except HubUnreachable:
        known = None
        if owns_caches or is_public(endpoint, repo):
            known = _remembered(endpoint, repo, key) or _downloaded(endpoint, repo, revision)
        if known is None:
            raise
        return replace(known, login=login)
    except (AccessDenied, CheckpointNotFound):
        if not owns_caches:
            remember_visibility(endpoint, repo, public=False)
        raise
    hub_cache.save(json.dumps([repository.commit, repository.blobs]).encode(), *key)
    return repository


def read_start(repository: Repository, file: str, count: int) -> tuple[bytes, int]:
    """The first ``count`` bytes of a file (fewer if it is shorter) and its size in bytes.

    From the caches where it is known, else by one ranged request.
    """
    cached = cached_file(repository, file)
    if cached is not None:
        content, stat = read_file_range(cached, 0, count)
        return content, stat.size
    key = ("start", repository.endpoint, repository.repo, repository.commit, file)
    known = hub_cache.load(*key)
    if known is not None:
        size, start = int.from_bytes(known[:8], "little"), known[8:]
        if len(start) >= min(count, size):
            return start[:count], size
    with translating_hub_errors(repository.repo, repository.commit, repository.endpoint):
        start, size = _request(repository, file, 0, count)
    if len(start) != min(count, size):
        raise HubUnreachable(
            f"{repository.repo}: the Hub sent {len(start):,} of the first {count:,} bytes of "
            f"{quoted(file)}.",
            hint="Try again.",
        )
    hub_cache.save(size.to_bytes(8, "little") + start, *key)
    return start, size


def read_range(repository: Repository, file: str, start: int, count: int) -> tuple[bytes, int]:
    """``count`` bytes from byte ``start`` on (fewer where the file ends) and the file's size.

    Beginnings are kept, as in ``read_start``; what lies elsewhere is asked for each time.
    """
    if start == 0:
        return read_start(repository, file, count)
    cached = cached_file(repository, file)
    if cached is not None:
        content, stat = read_file_range(cached, start, count)
        return content, stat.size
    with translating_hub_errors(repository.repo, repository.commit, repository.endpoint):
        return _request(repository, file, start, count)


def read_small(repository: Repository, file: str, limit: int) -> bytes:
    """A whole file of at most ``limit`` bytes. Raises ``DamagedCheckpoint`` for a larger one."""
    content, size = read_start(repository, file, limit)
    if size > limit:
        raise DamagedCheckpoint(
            f"{repository.repo}: {quoted(file)} has {size:,} bytes, too many for what it should "
            "hold.",
            hint="The repository's owner has to mend it; another revision may be sound.",
        )
    return content


def cached_file(repository: Repository, file: str) -> Path | None:
    """Where the file lies in huggingface_hub's cache, or None."""
    path = try_to_load_from_cache(repository.repo, file, revision=repository.commit)
    return Path(path) if isinstance(path, str) else None


def _ask(endpoint: str, repo: str, revision: str | None, login: HubLogin | None) -> Repository:
    token = hub_token(repo, login)
    api = HfApi(endpoint=endpoint, token=token)
    try:
        info = api.model_info(repo, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS)
        siblings = {
            sibling.rfilename: (sibling.lfs.sha256 if sibling.lfs else sibling.blob_id) or ""
            for sibling in info.siblings or ()
        }
        commit, name = info.sha or "", str(info.id)
        public = info.private is False and info.gated is False
    except (ValueError, TypeError, KeyError, AttributeError):
        # The answer was no JSON, or not of the Hub's form.
        commit, name, siblings, public = "", repo, {}, False
    if not _COMMIT.fullmatch(commit):
        raise HubUnreachable(
            f"{endpoint} answers, but not as a Hub does.", hint="Check HF_ENDPOINT and the proxy."
        )
    require_hub_access(name)  # it may have moved to another owner
    if token is not None and not public:
        _require_files(endpoint, repo, token)
    remember_visibility(endpoint, repo, public=public)
    blobs = {file: blob for file, blob in siblings.items() if is_plain_path(file)}
    return Repository(endpoint, repo, commit, blobs, login=login)


def _require_files(endpoint: str, repo: str, token: str | Literal[False]) -> None:
    """Raise the Hub's error unless ``token`` may read the files: a gated repository lists them to
    everybody, and some of them may lie in a cache here."""
    answer = get_session().get(
        f"{endpoint}/api/models/{repo}/auth-check",
        headers=build_hf_headers(token=token),
        timeout=TIMEOUT_SECONDS,
    )
    hf_raise_for_status(answer)


def _remembered(endpoint: str, repo: str, key: tuple[str, ...]) -> Repository | None:
    known = hub_cache.load(*key)
    try:
        commit, blobs = json.loads(known or b"")
    except ValueError:
        return None
    return Repository(endpoint, repo, commit, blobs, "memory")


def _downloaded(endpoint: str, repo: str, revision: str | None) -> Repository | None:
    """The snapshot in huggingface_hub's cache, which another program may have brought there."""
    probes = ("config.json", "model.safetensors", "model.safetensors.index.json")
    paths = [try_to_load_from_cache(repo, probe, revision=revision) for probe in probes]
    snapshot = next((Path(path).parent for path in paths if isinstance(path, str)), None)
    if snapshot is None:
        return None
    blobs = {}
    for path in sorted(snapshot.iterdir()):
        # A snapshot's files are links to blobs named by their hash; copies where links don't work.
        blobs[path.name] = path.readlink().name if path.is_symlink() else ""
    return Repository(endpoint, repo, snapshot.name, blobs, "cache")


def file_url(repository: Repository, file: str) -> str:
    """Where the Hub serves the file at this commit, or says who does."""
    return hf_hub_url(
        repository.repo, file, revision=repository.commit, endpoint=repository.endpoint
    )


def _request(repository: Repository, file: str, start: int, count: int) -> tuple[bytes, int]:
    headers = build_hf_headers(token=repository.token) | range_headers(start, count)
    url = file_url(repository, file)
    began = time.monotonic()
    received = bytearray()
    # Streamed, because a server may ignore the range and begin to send all of it.
    with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT_SECONDS) as response:
        if response.status_code == 416 and not start:
            return b"", 0  # no file is too short for it but an empty one
        hf_raise_for_status(response)
        answer = answered_range(response)
        if start and (answer is None or answer[0] != start):
            raise HubUnreachable(
                f"{repository.endpoint} sends no parts of files.", hint="Check the proxy."
            )
        for part in response.iter_bytes():
            received += part
            if len(received) >= count:
                break
            if time.monotonic() - began > 60 + len(received) / _SLOWEST_BYTES_PER_SECOND:
                raise httpx2.ReadTimeout("too slow", request=response.request)
    if answer is not None:
        return bytes(received[:count]), answer[1]
    length = response.headers.get("Content-Length", "")
    # Without either, the answer ended by itself or there is more of it than was asked for.
    return bytes(received[:count]), int(length) if length.isdigit() else len(received)
