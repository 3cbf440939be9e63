"""Connections to a web server: to the very address that was checked, and used again.

The name is looked up once a connection, its numbers are held against the settings, and the
connection goes to one of these: a name that means something else a moment later leads nowhere.
"""

from __future__ import annotations

import atexit
import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from functools import cache

from modeldiff.checkpoints.stores.access import may_connect
from modeldiff.errors import AccessDenied, StoreUnreachable
from modeldiff.text.quoting import quoted

SILENCE_SECONDS = 20.0
"""The longest silence."""
_MOST_IDLE = 64


class Connections:
    """Open connections by scheme and host, for several threads, to the numbers that ``allowed``
    says may be asked for an address."""

    def __init__(self, allowed: Callable[[str, str], bool]) -> None:
        self._allowed = allowed
        self._lock = threading.Lock()
        self._idle: dict[str, list[http.client.HTTPConnection]] = {}

    def take(self, root: str, address: str) -> tuple[http.client.HTTPConnection, bool]:
        """A connection to ``root`` (``https://host:port``) to ask for ``address``, and whether it
        was used before. Raises ``AccessDenied``, ``StoreUnreachable``."""
        while connection := self._idle_one(root):
            if connection.sock is not None and self._allowed(_number(connection), address):
                return connection, True
            connection.close()
        return _connect(root, address, self._allowed), False

    def give_back(self, root: str, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose last answer was read to its end."""
        with self._lock:
            self._idle.setdefault(root, []).append(connection)
            surplus = []
            while sum(map(len, self._idle.values())) > _MOST_IDLE:
                oldest = next(iter(self._idle))
                surplus.append(self._idle[oldest].pop(0))
                if not self._idle[oldest]:
                    del self._idle[oldest]
        for each in surplus:
            each.close()

    def _idle_one(self, root: str) -> http.client.HTTPConnection | None:
        with self._lock:
            idle = self._idle.get(root)
            return idle.pop() if idle else None

    def close(self) -> None:
        """Close what is not in use."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()


@cache
def shared_connections() -> Connections:
    """Those of this process to web servers, for all who read."""
    return _of_this_process(may_connect)


@cache
def connections_to_stores() -> Connections:
    """Those of this process to object stores, whose hosts are the settings' and not a viewer's."""
    return _of_this_process(lambda _number, _address: True)


def _of_this_process(allowed: Callable[[str, str], bool]) -> Connections:
    connections = Connections(allowed)
    atexit.register(connections.close)
    return connections


def _connect(
    root: str, address: str, allowed: Callable[[str, str], bool]
) -> http.client.HTTPConnection:
    scheme, _, rest = root.partition("://")
    host, port = _host_and_port(rest, 443 if scheme == "https" else 80)
    try:
        numbers = [
            str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ]
    except (OSError, UnicodeError):
        raise StoreUnreachable(
            f"There is no server {quoted(host)}.", hint="Check the address and the network."
        ) from None
    numbers = [number for number in numbers if allowed(number, address)]
    if not numbers:
        raise AccessDenied(
            f"{quoted(host)} is in a private network, which is not read here.",
            hint="Whoever runs this app can name it in MODELDIFF_STORES.",
        )
    for number in numbers[:4]:
        try:
            plain = socket.create_connection((number, port), SILENCE_SECONDS)
        except OSError:
            continue
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return _over(plain, scheme, host, port)
        except ssl.SSLCertVerificationError:
            plain.close()
            raise StoreUnreachable(
                f"The certificate of {quoted(host)} is not one that this machine trusts.",
                hint="SSL_CERT_FILE names the certificates that are trusted.",
            ) from None
        except OSError:
            plain.close()
    raise StoreUnreachable(
        f"{quoted(rest)} could not be reached.", hint="Check the address and the network."
    )


def _over(plain: socket.socket, scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    connection: http.client.HTTPConnection
    if scheme == "https":
        connection = http.client.HTTPSConnection(host, port, context=_context())
        connection.sock = _context().wrap_socket(plain, server_hostname=host)
    else:
        connection = http.client.HTTPConnection(host, port)
        connection.sock = plain
    connection.auto_open = 0  # it would look the name up once more
    return connection


def _number(connection: http.client.HTTPConnection) -> str:
    """The address at the other end; empty where there is none any more."""
    try:
        return str(connection.sock.getpeername()[0])
    except OSError:
        return ""


def _host_and_port(rest: str, usual: int) -> tuple[str, int]:
    host, colon, port = rest.rpartition(":")
    if colon and port.isdigit() and not rest.endswith("]"):
        return host.strip("[]"), int(port)
    return rest.strip("[]"), usual


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
