"""Objects in S3, Google Cloud Storage and Azure, through obstore.

Credentials are found by the stores' own conventions, and stay inside the library: its messages may
hold addresses with signatures in them, so none of them is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from modeldiff.checkpoints.addresses.store_names import address_parts
from modeldiff.checkpoints.formats.weight_files import is_plain_path
from modeldiff.checkpoints.source import FileStat
from modeldiff.checkpoints.stores.client import Retries, open_store
from modeldiff.checkpoints.stores.signed_ranges import SignedRanges
from modeldiff.errors import (
    AccessDenied,
    CheckpointChanged,
    CheckpointNotFound,
    DamagedCheckpoint,
    StoreUnreachable,
)
from modeldiff.settings.store_environment import may_sign

MOST_LISTED = 20_000
"""Most objects that are listed below a folder; where there are more, those in it alone are."""
_RETRIES = Retries(tries=4, seconds=30, answer_seconds=60, connect_seconds=10)
_PART = 64 << 10
"""Bytes of an answer that the library hands over at once, at least. It makes memory for them, of
which the system wants back what is much larger: that cost half as much again as receiving it."""
_UNSIGNED = {
    "s3": "AWS_SKIP_SIGNATURE",
    "gs": "GOOGLE_SKIP_SIGNATURE",
    "az": "AZURE_SKIP_SIGNATURE",
}
_CHANGED = "Wait until nothing writes to it any more, then open it again."


class Bucket:
    """The objects below ``address``, as ``Objects`` has it; their ETags are their identities."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._scheme, bucket, self._folder = address_parts(self.address)
        self._store = open_store(self._scheme, bucket, "Reading", _RETRIES)
        signs = self._scheme == "s3" and may_sign()
        self._signed = SignedRanges(self._store) if signs else None

    def __reduce__(self) -> tuple[object, ...]:
        return Bucket, (self.address,)  # credentials are not written down

    def list(self) -> tuple[str, ...]:
        """As ``Objects`` has it, those in folders too."""
        import obstore

        prefix = f"{self._folder}/" if self._folder else ""
        names: list[str] = []
        with self._translating():
            for page in obstore.list(self._store, prefix or None, chunk_size=1000):
                names += [each["path"] for each in page]
                if len(names) > MOST_LISTED:
                    listed = obstore.list_with_delimiter(self._store, prefix or None)
                    names = [each["path"] for each in listed["objects"]]
                    break
        if len(names) > MOST_LISTED:
            raise DamagedCheckpoint(
                f"{self.address} holds more than {MOST_LISTED:,} objects.",
                hint="Give the folder in it that holds the checkpoint.",
            )
        return tuple(filter(is_plain_path, (name.removeprefix(prefix) for name in names)))

    def stat(self, name: str) -> FileStat:
        """As ``Objects`` has it."""
        import obstore

        with self._translating(name):
            return self._stat(obstore.head(self._store, self._full(name)), name)

    def read(self, name: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """As ``Objects`` has it."""
        stat = self.stat(name)
        count = min(count, max(stat.size - start, 0))
        content = bytearray(count)
        if count:
            self.readinto(name, stat, memoryview(content), start)
        return bytes(content), stat

    def readinto(self, name: str, stat: FileStat, buffer: memoryview, offset: int) -> None:
        """As ``Objects`` has it."""
        if offset + len(buffer) > stat.size:
            self._refuse_change(name)
        if self._signed is not None:
            taken = self._signed.readinto(self._full(name), stat, buffer, offset)
            buffer, offset = buffer[taken:], offset + taken
        if buffer:
            self._read_by_library(name, stat, buffer, offset)

    def _read_by_library(self, name: str, stat: FileStat, buffer: memoryview, offset: int) -> None:
        import obstore

        identity = str(stat.identity[0])
        taken = 0
        with self._translating(name):
            answer = obstore.get(
                self._store,
                self._full(name),
                options={"range": (offset, offset + len(buffer)), "if_match": identity},
            )
            # A store that knows no conditions answers with another version.
            if self._stat(answer.meta, name) != stat:
                self._refuse_change(name)
            for part in answer.stream(min_chunk_size=_PART):
                room = buffer[taken:][: len(part)]
                room[:] = memoryview(part)[: len(room)]
                taken += len(part)
        if taken != len(buffer):
            raise StoreUnreachable(f"{self._where(name)}: the answer broke off.", hint="Try again.")

    def _full(self, name: str) -> str:
        return f"{self._folder}/{name}".strip("/")

    def _where(self, name: str) -> str:
        return f"{self.address}/{name}".rstrip("/")

    def _stat(self, meta: Any, name: str) -> FileStat:
        if not meta["e_tag"]:
            raise StoreUnreachable(
                f"The store gives no ETag for {self._where(name)}: a change of it could not be "
                "noticed.",
                hint="Copy the checkpoint to this machine.",
            )
        return FileStat(meta["size"], (meta["e_tag"],))

    def _refuse_change(self, name: str) -> NoReturn:
        raise CheckpointChanged(
            f"{self._where(name)} was replaced after it was opened.", hint=_CHANGED
        )

    @contextmanager
    def _translating(self, name: str = "") -> Iterator[None]:
        """Raise our error for the library's, without its words."""
        from obstore import exceptions

        where = self._where(name)
        try:
            yield
        except (FileNotFoundError, exceptions.NotFoundError):
            raise CheckpointNotFound(
                f"There is no {where}.", hint="Check the bucket and the spelling."
            ) from None
        except exceptions.PreconditionError:
            raise CheckpointChanged(
                f"{where} was replaced after it was opened.", hint=_CHANGED
            ) from None
        except (PermissionError, exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
            raise AccessDenied(
                f"The store refuses access to {where}.",
                hint="Check the credentials in the environment or the profile, and the region.",
            ) from None
        except exceptions.BaseError:
            raise StoreUnreachable(
                f"The store did not answer for {where}.",
                hint="Check the network, the endpoint, the region and the credentials, and try "
                f"again. A public bucket may want {_UNSIGNED[self._scheme]}=true.",
            ) from None
