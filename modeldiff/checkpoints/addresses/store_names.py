"""Addresses of object stores and of the web: ``s3://bucket/path[:tag]`` and its kin.

A tag stands behind the last colon of the last part of the path, or behind a file of weights. Where
a name really ends so, a slash behind it says that there is no tag.
"""

from __future__ import annotations

import re
from typing import NoReturn
from urllib.parse import quote, unquote, urlsplit

from modeldiff.checkpoints.addresses.hub_names import is_tag
from modeldiff.checkpoints.addresses.suffixes import WEIGHT_SUFFIXES
from modeldiff.errors import InvalidReference
from modeldiff.text.quoting import quoted

BUCKETS = ("s3", "gs", "az")
"""Schemes of object stores: a bucket (of Azure a container), then the path."""
SCHEMES = (*BUCKETS, "https", "http")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}", re.ASCII)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:.]{2,45}\]", re.ASCII)
_FILE = re.compile(rf"(?P<path>[^:]*(?:{'|'.join(map(re.escape, WEIGHT_SUFFIXES))})):(?P<tag>.+)")
_LAST = re.compile(r"(?P<path>.*[^/]):(?P<tag>[^/:]+)", re.DOTALL)
_SAFE = "/!$&'()*+,;=:@~-._"
"""What stands unescaped in the path of an address, beside letters and digits."""


def store_name(text: str) -> tuple[str, str]:
    """The canonical address in ``text`` and the tag behind it, ``""`` without one.

    Raises ``InvalidReference``, without a hint, for an address of nothing that there can be.
    """
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    root, _, path = rest.partition("/")
    if scheme in BUCKETS:
        if not _BUCKET.fullmatch(root) or ".." in root:
            _refuse(f"{quoted(text)} names no bucket that there can be.")
    else:
        root = _authority(scheme, root, text)
        path = unquote(path)
    path, tag = _without_tag(path)
    for part in path.split("/") if path else ():
        if part in ("", ".", "..") or not part.isprintable() or part != part.strip():
            _refuse(f"{quoted(text)} has a path that leads nowhere.")
    shown = path if scheme in BUCKETS else quote(path, safe=_SAFE)
    # As much as needed to read back as the same: see the module's docstring.
    ending = "/" if not tag and _without_tag(path)[1] else ""
    return f"{scheme}://{root}{'/' if path else ''}{shown}{ending}", tag


def address_parts(url: str) -> tuple[str, str, str]:
    """Scheme, bucket or host with its port, and path (as it is, not escaped) of a canonical
    address."""
    scheme, _, rest = url.partition("://")
    root, _, path = rest.partition("/")
    path = path.rstrip("/")
    return scheme, root, path if scheme in BUCKETS else unquote(path)


def web_address(root: str, path: str) -> str:
    """What stands in a request for ``path`` at ``root``, an address without a path."""
    return f"{root}/{quote(path, safe=_SAFE)}"


def _without_tag(path: str) -> tuple[str, str]:
    match = _FILE.fullmatch(path) or _LAST.fullmatch(path)
    if match and is_tag(match["tag"]):
        return match["path"], match["tag"]
    return path.rstrip("/"), ""


def _authority(scheme: str, root: str, text: str) -> str:
    """Host and port in lower case, the usual port left out."""
    try:
        url = urlsplit(f"{scheme}://{root.lower()}")
        host, port = url.netloc.rpartition("@")[2], url.port
    except ValueError:
        _refuse(f"{quoted(text)} is no valid address.")
    host = re.sub(r":\d*$", "", host)
    if not _HOST.fullmatch(host) or ".." in host:
        _refuse(f"{quoted(text)} is an address at {quoted(host)}, which is no server's name.")
    usual = {"https": 443, "http": 80}[scheme]
    return host if port in (None, usual) else f"{host}:{port}"


def _refuse(message: str) -> NoReturn:
    raise InvalidReference(message)
