"""Which request something is done for: an id that goes from a page's run to the jobs it asks for,
and into every line of the log that either writes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from modeldiff.processes.late_dataclass import dataclass

_PLAIN = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Request:
    """One run of a page. ``id`` is its own; ``connection`` the proxy's id (``X-Request-ID``) of the
    websocket that it came over, empty where there is none."""

    id: str = ""
    connection: str = ""


_NOBODYS = Request()
_current: ContextVar[Request] = ContextVar("request", default=_NOBODYS)


def current_request() -> Request:
    """The one that this thread works for; an empty one where nobody asked."""
    return _current.get()


def new_request(connection: str = "") -> Request:
    """A request with an id of its own, for this thread from now on. ``connection`` comes from
    outside: what is no plain id is left out."""
    known = connection if _PLAIN.fullmatch(connection) else ""
    request = Request(uuid.uuid4().hex[:16], known)
    _current.set(request)
    return request


@contextmanager
def working_for(request: Request) -> Iterator[None]:
    """Work for ``request`` until the block ends."""
    token = _current.set(request)
    try:
        yield
    finally:
        _current.reset(token)
