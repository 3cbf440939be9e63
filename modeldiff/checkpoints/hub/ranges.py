"""Reading a file of a repository over the network, a range at a time: no byte lands on the disk.

The Hub is asked once where the file is; ranges then come from there, as the Hub limits how often it
may be asked and its answer, a signed address, holds for an hour or so. When one no longer holds, it
is asked again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from urllib.parse import urlsplit

from huggingface_hub import get_hf_file_metadata, get_session, hf_raise_for_status
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from modeldiff.checkpoints.hub.errors import translating_hub_errors
from modeldiff.checkpoints.hub.range_requests import answered_range, range_headers
from modeldiff.checkpoints.hub.repository import TIMEOUT_SECONDS, Repository, file_url
from modeldiff.errors import CheckpointChanged, HubUnreachable

_TRIES = 4
"""How often a range is asked for while nothing of it comes."""
_PAUSE_SECONDS = 0.5
"""Before the second try; twice as long before each further one."""
_STALE = (401, 403, 404, 410)
"""What an address answers that was signed too long ago."""


class RangeReader:
    """Reads ``file``, of ``size`` bytes, at a repository's commit. See ``ByteReader``."""

    def __init__(self, repository: Repository, file: str, size: int) -> None:
        self._repository = repository
        self._file = file
        self._size = size
        self._blob = repository.blobs[file]  # its hash, "" where that is not known
        self._lock = threading.Lock()
        self._address = ""

    def readinto(self, buffer: memoryview, offset: int) -> None:
        """As ``ByteReader`` has it. What broke off goes on from where it was."""
        fruitless = 0
        while buffer:
            left = len(buffer)
            try:
                with closing(self._ranges(offset, left)) as parts:
                    for part in parts:
                        taken = min(len(part), len(buffer))
                        buffer[:taken] = part[:taken]
                        buffer, offset = buffer[taken:], offset + taken
                        if not buffer:  # whatever else is sent
                            break
            except HubUnreachable:
                fruitless = fruitless + 1 if len(buffer) == left else 1
                if fruitless == _TRIES:
                    raise
                self._address = ""
                time.sleep(_PAUSE_SECONDS * 2 ** (fruitless - 1))

    def expect(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Nothing is asked for before it is read."""

    def forget(self, offset: int, nbytes: int) -> None:
        """Nothing is kept."""

    def verify(self) -> None:
        """Ask the Hub whether it still has the file that was opened."""
        with translating_hub_errors(*self._names):
            metadata = get_hf_file_metadata(
                file_url(self._repository, self._file),
                timeout=TIMEOUT_SECONDS,
                endpoint=self._repository.endpoint,
                token=self._repository.token,
            )
        same = metadata.size == self._size and self._blob in ("", metadata.etag)
        if not same:
            raise self._changed()
        self._address = metadata.location

    def close(self) -> None:
        """There is nothing to close: connections are the client's."""

    @property
    def _names(self) -> tuple[str, str, str]:
        return self._repository.repo, self._repository.commit, self._repository.endpoint

    def _ranges(self, offset: int, count: int) -> Generator[bytes, None, None]:
        """What one request gives of the bytes from ``offset`` on, as it comes: perhaps less."""
        address = self._located()
        headers = range_headers(offset, count)
        at_hub = urlsplit(address)[:2] == urlsplit(self._repository.endpoint)[:2]
        if at_hub:  # anybody else has signed the address, and must not see the token
            headers |= build_hf_headers(token=self._repository.token)
        stream = get_session().stream("GET", address, headers=headers, timeout=TIMEOUT_SECONDS)
        with translating_hub_errors(*self._names), stream as response:
            if response.status_code in _STALE and not at_hub:
                raise HubUnreachable(
                    f"The address of {self._file} of {self._repository.repo} no longer holds.",
                    hint="Try again.",
                )
            hf_raise_for_status(response)
            start, size = answered_range(response) or (None, None)
            if start != offset:
                raise HubUnreachable(
                    f"{urlsplit(address).netloc} sends no parts of files.",
                    hint="Check the proxy, or let the file be downloaded.",
                )
            if size != self._size:
                raise self._changed()
            received = 0
            for part in response.iter_bytes():
                received += len(part)
                yield part
            if not received:
                raise HubUnreachable(
                    f"The download from {self._repository.repo} broke off.", hint="Try again."
                )

    def _located(self) -> str:
        with self._lock:
            if not self._address:
                self.verify()
            return self._address

    def _changed(self) -> CheckpointChanged:
        return CheckpointChanged(
            f"{self._repository.repo}: {self._file} is not the file that was opened.",
            hint="Open it again, then compare again.",
            repository=self._repository.repo,
        )
