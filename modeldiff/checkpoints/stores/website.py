"""Files at a web server: states and ranges over HTTP, with no library but Python's own.

Each range goes straight into the buffer that it is for. What a server says is believed only where
it fits: the range that was asked for, of the size and version that were opened.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from modeldiff.checkpoints.addresses.store_names import address_parts, web_address
from modeldiff.checkpoints.source import FileStat
from modeldiff.checkpoints.stores.connections import shared_connections
from modeldiff.checkpoints.stores.range_answers import conditional_range, content_range, receive
from modeldiff.errors import (
    AccessDenied,
    CheckpointChanged,
    CheckpointNotFound,
    StoreUnreachable,
)
from modeldiff.text.quoting import quoted

_TRIES = 4
"""How often a range is asked for while nothing of it comes."""
_PAUSE_SECONDS = 0.2
"""Before the second try; twice as long before each further one."""
_MOST_REDIRECTIONS = 5
_SLOWEST_BYTES_PER_SECOND = 10_000
_PATIENCE_SECONDS = 60
_LISTED = (
    *("model.safetensors.index.json", "model.safetensors"),
    *("pytorch_model.bin.index.json", "pytorch_model.bin"),
)
"""A web server has no list of its files that can be relied on: these are asked for."""


class Website:
    """The files below ``address``, as ``Objects`` has it. The ETag is a file's identity, or when
    it was last changed; a server that says neither is refused."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        scheme, host, self._folder = address_parts(self.address)
        self._root = f"{scheme}://{host}"

    def __reduce__(self) -> tuple[object, ...]:
        return Website, (self.address,)

    def list(self) -> tuple[str, ...]:
        """As ``Objects`` has it: those of the usual names that are there."""
        return tuple(filter(self._is_there, _LISTED))

    def stat(self, name: str) -> FileStat:
        """As ``Objects`` has it."""
        return self.read(name, 0, 1)[1]

    def read(self, name: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """As ``Objects`` has it."""
        content = bytearray(max(count, 1))  # no byte can't be asked for
        taken, stat = self._fill(name, memoryview(content), start, None)
        return bytes(content[: min(taken, count)]), stat

    def readinto(self, name: str, stat: FileStat, buffer: memoryview, offset: int) -> None:
        """As ``Objects`` has it. What broke off goes on from where it was."""
        if offset + len(buffer) > stat.size:
            self._refuse_change(name)
        self._fill(name, buffer, offset, stat)

    def _fill(
        self, name: str, buffer: memoryview, offset: int, opened: FileStat | None
    ) -> tuple[int, FileStat]:
        """Fill the buffer as far as the file reaches, by as many requests as it takes: how many
        bytes that were, and the file's state, which is ``opened`` if that is given."""
        deadline = time.monotonic() + _PATIENCE_SECONDS + len(buffer) / _SLOWEST_BYTES_PER_SECOND
        fruitless = taken = 0
        while opened is None or taken < min(len(buffer), opened.size - offset):
            if time.monotonic() > deadline:
                self._refuse(name, "the answers come too slowly")
            try:
                count, opened = self._fetch(name, buffer[taken:], offset + taken, opened, deadline)
            except StoreUnreachable:
                count = 0
                if fruitless + 1 == _TRIES:
                    raise
            taken += count
            fruitless = 0 if count else fruitless + 1
            if fruitless == _TRIES:
                self._refuse(name, "the answers break off")
            if fruitless and (opened is None or opened.size > offset + taken):
                time.sleep(_PAUSE_SECONDS * 2 ** (fruitless - 1))
        return taken, opened

    def _fetch(
        self, name: str, buffer: memoryview, offset: int, opened: FileStat | None, deadline: float
    ) -> tuple[int, FileStat]:
        """One request: how much of the buffer it filled, and the state of the file."""
        identity = str(opened.identity[0]) if opened is not None else ""
        headers = conditional_range(offset, len(buffer), identity)
        root, connection, response = self._request(name, headers)
        whole = False
        try:
            stat, length = self._accepted(name, response, offset)
            if opened is not None and stat != opened:
                self._refuse_change(name)
            taken = receive(response, buffer[:length], deadline)
            whole = taken == length and not response.chunked  # whose end is not read
        finally:
            response.close()
            if whole and connection.sock is not None:
                shared_connections().give_back(root, connection)
            else:
                connection.close()
        return taken, stat

    def _accepted(
        self, name: str, response: http.client.HTTPResponse, offset: int
    ) -> tuple[FileStat, int]:
        """The state of the file that the answer is of, and how many bytes follow."""
        identity = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        length = response.headers.get("Content-Length", "")
        match response.status:
            case 416 if offset == 0:
                return FileStat(0, (identity,)), 0  # no file is too short but an empty one
            case 206:
                ranged = content_range(response)
                if ranged is None or ranged.start != offset:
                    self._refuse(name, "the server sends no parts of files")
                size, count = ranged.size, ranged.count
            case 200 if offset == 0 and length.isdigit():
                size = count = int(length)
            case _:
                self._refuse_status(name, response.status)
        if not (0 < count <= size - offset or size == 0) or (length and length != str(count)):
            self._refuse(name, "the server contradicts itself on how much it sends")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            self._refuse(name, "the server sends it in another form than it is stored")
        if not identity:
            self._refuse(
                name,
                "the server says neither ETag nor Last-Modified: no change of it would be noticed",
            )
        return FileStat(size, (identity[:1000],)), count

    def _request(
        self, name: str, headers: Mapping[str, str]
    ) -> tuple[str, http.client.HTTPConnection, http.client.HTTPResponse]:
        """The answer to a request, redirections followed. It has to be closed."""
        root, target = self._root, web_address("", f"{self._folder}/{name}".strip("/"))
        redirections = 0
        while True:
            connection, response = self._answer(name, root, target, headers)
            if response.status not in (301, 302, 303, 307, 308):
                return root, connection, response
            location = response.headers.get("Location", "")
            response.close()
            connection.close()
            redirections += 1
            if redirections > _MOST_REDIRECTIONS:
                self._refuse(name, "there are too many redirections")
            root, target = self._redirected(name, f"{root}{target}", location)

    def _answer(
        self, name: str, root: str, target: str, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        while True:
            connection, used = shared_connections().take(root, f"{root}{target}")
            try:
                connection.request("GET", target, headers=dict(headers))
                return connection, connection.getresponse()
            except (OSError, http.client.HTTPException):
                connection.close()
                if not used:  # a server may end a connection that was idle
                    self._refuse(name, "the server did not answer")

    def _redirected(self, name: str, before: str, location: str) -> tuple[str, str]:
        """Scheme with host, and the rest, of the address that ``location`` means."""
        try:
            url = urlsplit(urljoin(before, location))
            host = url.netloc.rpartition("@")[2].lower()
            target = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
            downgraded = before.startswith("https:") and url.scheme != "https"
            sound = url.hostname and target.isascii() and target.isprintable()
        except ValueError:
            sound = downgraded = False
        if not sound or downgraded or url.scheme not in ("http", "https") or " " in target:
            self._refuse(name, "the server leads on to an address that is not read")
        return f"{url.scheme}://{host}", target

    def _is_there(self, name: str) -> bool:
        try:
            self.stat(name)
        except CheckpointNotFound:
            return False
        return True

    def _where(self, name: str) -> str:
        return f"{self.address}/{name}".rstrip("/")

    def _refuse_status(self, name: str, status: int) -> NoReturn:
        where = self._where(name)
        if status in (404, 410):
            raise CheckpointNotFound(f"There is no {where}.", hint="Check the spelling.")
        if status == 412:
            self._refuse_change(name)
        if status in (401, 403):
            raise AccessDenied(
                f"The server refuses access to {where}.",
                hint="Addresses are read without credentials, and without what stands behind a ?.",
            )
        self._refuse(name, f"the server answers with status {status}")

    def _refuse_change(self, name: str) -> NoReturn:
        raise CheckpointChanged(
            f"{self._where(name)} was replaced after it was opened.",
            hint="Wait until nothing writes to it any more, then open it again.",
        )

    def _refuse(self, name: str, why: str) -> NoReturn:
        raise StoreUnreachable(
            f"{quoted(self._where(name), 200)} can't be read: {why}.",
            hint="Try again later, or copy the checkpoint to this machine.",
        )
