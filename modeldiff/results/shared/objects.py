"""The objects of the store that is shared (``MODELDIFF_SHARED``), written under conditions.

An object is created only where there is none, and replaced only where it is what was read: no two
writers overwrite each other, and nobody needs a lock. Credentials stay inside the library: its
messages may hold addresses with signatures in them, so none of them is shown.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache, partial
from types import TracebackType
from typing import Any, TypeVar

from modeldiff.checkpoints.addresses.store_names import address_parts
from modeldiff.checkpoints.stores.client import Retries, open_store
from modeldiff.errors import AccessDenied, ResultError
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.shared.rest import Fault, Rest
from modeldiff.settings.startup import is_server
from modeldiff.settings.table import SHARED

_RETRIES = Retries(tries=2, seconds=10, answer_seconds=10, connect_seconds=5)
"""For what is small, and for whether the store answers at all: pages wait for that."""
_PATIENCE = Retries(tries=2, seconds=10, answer_seconds=120, connect_seconds=5)
"""For large objects: a request's time includes that of its content."""
_SMALL = 1 << 20
"""Bytes."""
_MOMENT_SECONDS = 10.0
"""A store that answered so long ago is taken to answer still."""
_MOST_LISTED = 100_000
_DELETED_AT_ONCE = 1000
_VERSION = "\n"
"""Stands in a tag between the ETag and the version, where a store has one."""
_CHECK = (
    f"Check {SHARED.name}, the network, the endpoint, the region and the credentials of the store, "
    "and this machine's clock, which goes into signatures; its bucket has to be there."
)
_REFUSED, _NOT_WRITABLE, _NOT_LISTED, _SILENT, _GONE, _WITHOUT_TAGS = (
    Fault(how, _CHECK)
    for how in (
        "refuses access",
        "refuses to be written to",
        "refuses to be listed",
        "does not answer as it should",
        "is not there",
        "gives no ETags, by which changes are noticed",
    )
)
_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


class SharedStoreError(ResultError):
    """The shared store did not do what it was asked for. ``is_new``: it was asked indeed, and is
    not resting after an earlier failure, which was told then."""

    is_new = True


@dataclass(frozen=True)
class SharedObject:
    """An object as a list shows it: its ``name`` below the prefix, its ``nbytes``, the ETag as the
    ``tag`` that ``get_part`` wants, and when it was written (seconds since 1970)."""

    name: str
    nbytes: int
    tag: str
    written: float


class SharedObjects:
    """The objects below ``address`` (``s3://bucket/prefix``), for several threads. All methods
    raise ``SharedStoreError`` where the store does not answer or refuses."""

    def __init__(self, address: str) -> None:
        self.address = address
        scheme, bucket, self._folder = address_parts(address)
        self._rest = Rest(_REFUSED, _SILENT)
        self._rest_from_writing = Rest(_NOT_WRITABLE, _SILENT)
        self._rests_from_listing: dict[str, Rest] = {}
        self._answered = -_MOMENT_SECONDS
        try:
            self._store, self._patient_store = (
                open_store(scheme, bucket, "Sharing results at", retries)
                for retries in (_RETRIES, _PATIENCE)
            )
        except AccessDenied as error:
            raise SharedStoreError(error.message, hint=error.hint) from None

    def get(self, name: str, most: int) -> tuple[bytes, str] | None:
        """The content of an object and its tag; None where there is none. One of more than
        ``most`` bytes is refused with ``ValueError`` before it is read."""
        import obstore

        def read() -> tuple[bytes, str, int]:
            answer = obstore.get(self._client(most), self._full(name))
            nbytes, tag = answer.meta["size"], self._tag(answer.meta)
            return bytes(answer.bytes()) if nbytes <= most else b"", tag, nbytes

        if most > _SMALL and time.monotonic() - self._answered > _MOMENT_SECONDS:
            # One that takes connections and says nothing would be waited for with all patience.
            there = self._ask(partial(obstore.head, self._store, self._full(name)))
            if there is None:
                return None
        answer = self._ask(read)
        if answer is None:
            return None
        content, tag, nbytes = answer
        if nbytes > most:
            raise ValueError(f"it has {nbytes:,} bytes, more than the {most:,} that it may")
        return content, tag

    def get_part(self, name: str, tag: str, start: int, count: int) -> bytes | None:
        """``count`` bytes of an object from ``start``; None where it is not that with this tag
        any more."""
        import obstore

        def read() -> bytes | None:
            options: Any = {"range": (start, start + count), "if_match": tag}
            answer = obstore.get(self._client(count), self._full(name), options=options)
            return bytes(answer.bytes()) if answer.meta["e_tag"] == tag else None

        return self._ask(read)

    def create(self, name: str, content: bytes) -> str | None:
        """Write an object where there is none: its tag; None where there is one."""
        return self._put(name, content, "create")

    def replace(self, name: str, content: bytes, tag: str) -> str | None:
        """Write an object in the place of that with this ``tag``: the new tag; None where another
        stands there now, or none."""
        e_tag, _, version = tag.partition(_VERSION)
        known = {"e_tag": e_tag, "version": version} if version else {"e_tag": e_tag}
        return self._put(name, content, known)

    def delete(self, *names: str) -> None:
        """Delete objects, in any order. That there are none is no error."""
        import obstore

        for start in range(0, len(names), _DELETED_AT_ONCE):
            paths = [*map(self._full, names[start : start + _DELETED_AT_ONCE])]

            def delete(paths: list[str] = paths) -> bool:
                obstore.delete(self._store, paths)
                return True

            # Some stores take the names one by one, and stop at the first that is not there.
            if self._ask(delete, self._rest_from_writing) is None:
                for path in paths:
                    one = partial(obstore.delete, self._store, path)
                    self._ask(one, self._rest_from_writing)

    def below(self, folder: str) -> tuple[SharedObject, ...]:
        """The objects below ``folder`` (``results/``), in the order of their names."""
        import obstore

        start = len(self._full(""))

        def read() -> list[SharedObject]:
            listed: list[SharedObject] = []
            for page in obstore.list(self._store, self._full(folder), chunk_size=1000):
                if len(listed) >= _MOST_LISTED:
                    where = f"{self.address}/{folder}"
                    _log.warning("Of %s only the first %d objects are listed.", where, len(listed))
                    break
                listed += [_listed(each, start) for each in page]
            return listed

        listed = self._ask(read, self._rest_from_listing(folder), may_be_absent=False)
        return tuple(sorted(listed or (), key=lambda each: each.name))

    def _rest_from_listing(self, folder: str) -> Rest:
        kind = folder.partition("/")[0]
        oddity = Fault(
            f"holds an object below {kind}/ whose name can't be read, so that listing fails",
            "Delete that object with the store's own tools.",
        )
        return self._rests_from_listing.setdefault(kind, Rest(_NOT_LISTED, oddity))

    def _put(self, name: str, content: bytes, mode: Any) -> str | None:
        import obstore

        client = self._client(len(content))
        return self._ask(
            lambda: self._tag(obstore.put(client, self._full(name), content, mode=mode)),
            self._rest_from_writing,
            may_be_absent=mode != "create",
        )

    def _client(self, nbytes: int) -> Any:
        """The client for a request that carries so many bytes, one way or the other."""
        return self._store if nbytes <= _SMALL else self._patient_store

    def _full(self, name: str) -> str:
        return f"{self._folder}/{name}".lstrip("/")

    def _tag(self, meta: Any) -> str:
        if not meta["e_tag"]:
            raise self._failure(_WITHOUT_TAGS, self._rest)
        # Google's conditions on writing go by the version, the others' by the ETag.
        version = meta["version"]
        return f"{meta['e_tag']}{_VERSION}{version}" if version else str(meta["e_tag"])

    def _ask(
        self,
        request: Callable[[], _Answer],
        own: Rest | None = None,
        *,
        may_be_absent: bool = True,
    ) -> _Answer | None:
        """What a ``request`` to the store brings; None where an object is not there, or not what a
        condition says. Where none ``may_be_absent``, an answer that something is not there is about
        the bucket, and a failure.

        After a failure the store rests for a while, and all who ask meanwhile are told. Where the
        failure says nothing of other kinds of requests (who may not write may well read), only
        those of this kind rest: their ``own`` rest begins.
        """
        from obstore import exceptions

        own = own or self._rest
        for rest in (self._rest, own):
            if rest.is_on:
                error = self._error(rest.fault)
                error.is_new = False
                raise error
        answer: _Answer | None = None
        try:
            answer = request()
        except (FileNotFoundError, exceptions.NotFoundError):
            if not may_be_absent:
                raise self._failure(_GONE, self._rest) from None
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            pass
        except (PermissionError, exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
            raise self._failure(own.refusal, own) from None
        except exceptions.InvalidPathError:
            raise self._failure(own.oddity, own) from None
        except exceptions.BaseError:
            raise self._failure(_SILENT, self._rest) from None
        self._answered = time.monotonic()
        self._rest.end()
        own.end()
        return answer

    def _failure(self, fault: Fault, rest: Rest) -> SharedStoreError:
        rest.begin(fault)
        return self._error(fault)

    def _error(self, fault: Fault) -> SharedStoreError:
        where = "" if is_server() else f" {self.address}"
        return SharedStoreError(f"The shared store{where} {fault.how}.", hint=fault.hint)


def _listed(meta: Any, start: int) -> SharedObject:
    """An object of the library's list, its name from its character ``start`` on."""
    written = meta["last_modified"].timestamp()
    return SharedObject(meta["path"][start:], meta["size"], meta["e_tag"] or "", written)


def shared_objects() -> SharedObjects | None:
    """The store that is shared; None where none is set. Raises ``SharedStoreError`` where the
    environment says too little to ask it, ``MissingExtra``, ``InvalidOption``."""
    address = SHARED.value()
    return None if address is None else _objects(address)


@cache
def _objects(address: str) -> SharedObjects:
    return SharedObjects(address)


class _GoingOn:
    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, SharedStoreError):
            return False
        if error.is_new:
            _log.warning("%s Going on with this machine's cache. %s", error, error.hint)
        return True


def if_reachable() -> _GoingOn:
    """Go on behind the block where the shared store fails in it; a warning says so once."""
    return _GoingOn()
