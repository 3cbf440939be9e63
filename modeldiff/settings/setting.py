"""One setting: a variable of the environment, what it may be, and what it is without one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import unquote

from modeldiff.errors import InvalidOption
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

_Value = TypeVar("_Value")
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?([kMGT]?B)", re.ASCII | re.IGNORECASE)
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_OWNER = re.compile(r"\w[\w.-]{0,95}", re.ASCII)
_PREFIX = re.compile(
    r"(?P<root>https?://[\w.:\[\]-]+(?=/|$)|(?:s3|gs|az)://(?=\w))(?P<path>[^\s?#,]*)",
    re.ASCII | re.IGNORECASE,
)
_NAME = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class Variable(Generic[_Value]):
    """A variable of the environment.

    ``name`` is the variable's. ``form`` says how its value is written, ``default`` what holds
    without one, ``meaning`` what it does: all three are what ``docs/server.md`` shows. ``unset`` is
    the default as a value. ``parse`` reads a text, and raises ``ValueError`` for one that has not
    the form. An empty text counts as none unless ``may_be_empty``.
    """

    name: str
    form: str
    default: str
    meaning: str
    unset: _Value
    parse: Callable[[str], _Value]
    may_be_empty: bool = False

    def value(self) -> _Value:
        """What it is now. Raises ``InvalidOption``."""
        text = os.environ.get(self.name)
        if text is None or not (text.strip() or self.may_be_empty):
            return self.unset
        text = text.strip()
        try:
            return self.parse(text)
        except ValueError as error:
            raise InvalidOption(
                f"{self.name} is {quoted(text)}, which is not {self.form}.",
                hint=f"Set it to {self.form}, or leave it out: then it is {self.default}.",
            ) from error


@dataclass(frozen=True)
class HubAccess:
    """Which repositories of the Hub may be opened: all, or those of ``owners`` (lower case) and
    those ``repositories`` (``owner/name``, lower case); neither of them: none."""

    all: bool = True
    owners: frozenset[str] = frozenset()
    repositories: frozenset[str] = frozenset()

    def names(self, repository: str) -> bool:
        """Whether ``repository`` (``owner/name``) is among those that are listed one by one, and
        does not lead out of its owner's."""
        name = repository.lower()
        if name.count("/") > 1 or not name.rpartition("/")[2].strip("."):
            return False
        return name in self.repositories or name.partition("/")[0] in self.owners

    def allows(self, repository: str) -> bool:
        """Whether ``repository`` (``owner/name``) may be opened."""
        return self.all or self.names(repository)


@dataclass(frozen=True)
class StoreAccess:
    """Which object stores and web servers may be read: all, or what lies below one of the
    ``prefixes`` (``s3://bucket/models``); without any: none."""

    all: bool = False
    prefixes: tuple[str, ...] = ()

    def names(self, address: str) -> bool:
        """Whether ``address`` lies below one of the prefixes, and does not lead up again."""
        if ".." in re.split(r"[/\\]", unquote(address)):
            return False
        return any(f"{address}/".startswith(f"{prefix}/") for prefix in self.prefixes)

    def allows(self, address: str) -> bool:
        """Whether what lies at ``address`` may be read."""
        return self.all or self.names(address)


def folder(text: str) -> Path:
    """A folder; ``~`` is the user's home, and ``~nobody`` a name like any other. An address of
    elsewhere is none."""
    if "://" in text:
        raise ValueError(text)
    return Path(os.path.expanduser(text))  # noqa: PTH111


def folders(text: str) -> tuple[Path, ...]:
    """Folders, joined as in ``PATH``; of separators alone there are none, which is no setting."""
    return tuple(map(folder, _parts(text, os.pathsep)))


def size(text: str) -> int:
    """A number of bytes with its unit, as ``500 GB``."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(float(match[1]) * _UNITS[match[2].lower()])


def count(text: str) -> int:
    """A whole number above zero."""
    number = int(text.replace(",", "").replace("_", "")) if text.isascii() else 0
    if not 0 < number < 10**12:
        raise ValueError(text)
    return number


def yes_or_no(text: str) -> bool:
    """A switch."""
    return {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}[
        _one_of(text.lower(), "1 yes true 0 no false")
    ]


def names(text: str) -> frozenset[str]:
    """Names or addresses with commas between them, in lower case; commas alone are no setting."""
    return frozenset(_parts(text.lower(), ","))


def word(text: str) -> str:
    """A text without spaces in it."""
    if text.split() != [text] or not text.isprintable():
        raise ValueError(text)
    return text


def log_form(text: str) -> str:
    """How the log is written: ``json``."""
    return _one_of(text.lower(), "json")


def host_and_port(text: str) -> tuple[str, int]:
    """An address of this machine and a port, as ``127.0.0.1:9100``."""
    host, _, port = text.rpartition(":")
    if not host or host.split() != [host] or not port.isascii() or not port.isdigit():
        raise ValueError(text)
    if not 0 < int(port) < 65536:
        raise ValueError(text)
    return host.strip("[]"), int(port)


def hub_access(text: str) -> HubAccess:
    """``off``, ``all``, or owners and repositories with commas between them."""
    if text.lower() in ("off", "all"):
        return HubAccess(all=text.lower() == "all")
    parts = names(text)
    repositories = frozenset(filter(_NAME.fullmatch, parts))
    owners = frozenset(filter(_OWNER.fullmatch, parts - repositories))
    if parts != owners | repositories:
        raise ValueError(text)
    return HubAccess(False, owners, repositories)


def store_access(text: str) -> StoreAccess:
    """``off``, ``all``, or prefixes with commas between them."""
    if text.lower() in ("off", "all"):
        return StoreAccess(all=text.lower() == "all")
    parts = [_PREFIX.fullmatch(part) for part in _parts(text, ",")]
    prefixes = tuple(f"{m['root'].lower()}{m['path']}".rstrip("/") for m in parts if m)
    if len(prefixes) < len(parts):
        raise ValueError(text)
    return StoreAccess(prefixes=prefixes)


def store_prefix(text: str) -> str:
    """A prefix in an object store, as ``s3://team/modeldiff``, without a slash at its end."""
    match = _PREFIX.fullmatch(text.rstrip("/"))
    if match is None or match["root"].lower().startswith("http") or "," in text:
        raise ValueError(text)
    if not all(part.strip(".") for part in match["path"].split("/")):
        raise ValueError(text)
    return f"{match['root'].lower()}{match['path']}"


def _parts(text: str, separator: str) -> list[str]:
    """What stands between separators, at least one part: a list that variables were put together
    to, and none of them was set, would else mean that nobody is kept out."""
    parts = [part.strip() for part in text.split(separator) if part.strip()]
    if not parts:
        raise ValueError(text)
    return parts


def _one_of(text: str, choices: str) -> str:
    if text not in choices.split():
        raise ValueError(text)
    return text
