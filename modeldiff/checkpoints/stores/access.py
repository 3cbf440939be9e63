"""What of other machines may be read here: which stores and servers, and which of their addresses.

On a server, a viewer's address is asked for by the machine that runs the app, in whose network more
may be reached than in theirs. There nothing is read that ``MODELDIFF_STORES`` does not allow, and
nothing at a private address, be it by way of a redirection, that it does not name.
"""

from __future__ import annotations

import ipaddress

from modeldiff.errors import AccessDenied
from modeldiff.settings.setting import StoreAccess
from modeldiff.settings.startup import is_server
from modeldiff.settings.table import STORES
from modeldiff.text.quoting import quoted

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def may_read_store(address: str) -> bool:
    """Whether what lies at ``address`` (``s3://bucket/path``) may be opened here."""
    return _access().allows(address.rstrip("/"))


def require_store_access(address: str) -> None:
    """Raise ``AccessDenied`` where what lies at ``address`` may not be opened here."""
    if may_read_store(address):
        return
    prefixes = ", ".join(_access().prefixes)
    raise AccessDenied(
        f"{quoted(address, 200)} may not be opened here: {STORES.name} "
        f"{f'allows {prefixes} alone' if prefixes else 'is off'}.",
        hint="Give a folder of this machine, a Hub repository or a demo. Whoever runs this app "
        "sets what may be opened.",
    )


def may_connect(number: str, address: str) -> bool:
    """Whether the server at ``number`` (an IP address) may be asked for ``address``: on one's own
    machine any, on a server those that everybody can reach, and what the setting names."""
    return not is_server() or _access().names(address.rstrip("/")) or _is_public(number)


def _access() -> StoreAccess:
    return STORES.value() or StoreAccess(all=not is_server())


def _is_public(number: str) -> bool:
    """Whether the address is one of the internet, also where another is wrapped in it."""
    try:
        address = ipaddress.ip_address(number.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return address.is_global and not address.is_multicast
