"""References as people paste them: quoted, as an address in a browser, as a file's address.

Nothing is asked of any server here: an address only says what is meant.
"""

from __future__ import annotations

import re
from typing import Literal, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from modeldiff.checkpoints.addresses.hub_names import HUB_VIEWS, HubName
from modeldiff.checkpoints.addresses.store_names import SCHEMES
from modeldiff.checkpoints.addresses.suffixes import WEIGHT_SUFFIXES
from modeldiff.errors import InvalidReference
from modeldiff.settings.table import HF_ENDPOINT
from modeldiff.text.quoting import quoted

_QUOTES = {"'": "'", '"': '"', "`": "`", "‘": "’", "“": "”", "«": "»", "<": ">"}
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_CREDENTIALS = re.compile(r"(?P<start>\W*[A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")
_CACHED = re.compile(r"models--(?P<owner>(?:(?!--)[^/])+)--(?P<name>(?:(?!--)[^/])+)")
_QUERY = re.compile(r"(?P<address>\W*https?://[^?#]*)[?#].*", re.IGNORECASE | re.DOTALL)
_SHARD = re.compile(r".+-\d{3,9}-of-\d{3,9}\.(safetensors|bin)", re.ASCII)
_OF_A_FILE = ("blob", "resolve", "raw")
_OTHERS = ("datasets", "spaces", "docs", "papers", "collections", "api", "models", "blog")


def unquoted(text: str) -> str:
    """``text`` without the quotes around it.

    >>> unquoted(''' '"/models/llama"' ''')
    '/models/llama'
    """
    text = text.strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def without_credentials(text: str) -> str:
    """``text`` without the user's name, password or token of an address, and without the query of
    one of the web, which may be a signature: what people paste is shown, logged and exported.

    >>> without_credentials("https://user:hf_token@huggingface.co/owner/name")
    'https://huggingface.co/owner/name'
    >>> without_credentials("https://models.example.org/a.gguf?X-Amz-Signature=0123")
    'https://models.example.org/a.gguf'
    """
    address = _CREDENTIALS.match(text)
    text = address["start"] + text[address.end() :] if address else text
    query = _QUERY.fullmatch(text)
    return query["address"] if query else text


def of_address(text: str) -> tuple[Literal["path", "hub", "store"], str] | None:
    """What an address means: a path for ``file://``, ``owner/name[@revision][/path][:tag]`` for
    one of the Hub, the address itself for one of an object store or the web; None for text that is
    no address. It carries no credentials.

    Raises ``InvalidReference``, without a hint, for an address of anything else.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return None
    try:
        url = urlsplit(text)
        host = url.netloc.lower()
    except ValueError:
        _refuse(f"{quoted(text)} is no valid address.")
    if url.scheme == "file":
        return "path", _local_path(url, text)
    if url.scheme == "hf":
        return "hub", text[len("hf://") :].rstrip("/")
    if url.scheme not in SCHEMES:
        _refuse(f"{quoted(text)} is an address that begins with {scheme[0]}, which is not read.")
    if url.scheme not in ("http", "https") or not _is_hub(host):
        return "store", text
    return "hub", _of_path(url.path, text)


def of_shorthand(text: str) -> str:
    """What text means that is neither a path here nor ``owner/name``, but tells of the Hub:
    ``hf.co/owner/name``, ``owner/name/tree/main``, ``owner/name/``, ``models--owner--name``; other
    text as it is. Raises ``InvalidReference``, without a hint."""
    first, _, rest = text.partition("/")
    parts = text.rstrip("/").split("/")
    if _is_hub(first.lower()) and len(parts) > 2:
        return _of_path(rest, text)
    if len(parts) > 3 and parts[2] in HUB_VIEWS and "@" not in parts[1]:
        return _of_path(text, text)
    if cached := _CACHED.fullmatch(text.rstrip("/")):
        return f"{cached['owner']}/{cached['name']}"
    return "/".join(parts) if len(parts) == 2 else text


def _of_path(path: str, text: str) -> str:
    """``owner/name[@revision][/path]`` from the path of an address of the Hub. A file that is no
    weights, or one of many shards, stands for the folder that it is in."""
    parts = [unquote(part) for part in path.split("/") if part]
    if parts and parts[0] in _OTHERS:
        _refuse(f"{quoted(text)} is an address of the Hub, but not of a model.")
    if len(parts) < 2:
        _refuse(f"{quoted(text)} names no repository of the Hub: it lacks the owner or the name.")
    owner, name, *view = parts
    repository = f"{owner}/{name.removesuffix('.git')}"
    if len(view) < 2 or view[0] not in HUB_VIEWS:
        return repository
    revision, below = view[1], view[2:]
    if revision == "refs" and len(below) > 1:  # refs/pr/12, where the slashes were not escaped
        revision, below = "/".join((revision, *below[:2])), below[2:]
    if view[0] in _OF_A_FILE and below and not _is_one_set(below[-1]):
        below = below[:-1]
    if any(":" in part for part in below):
        _refuse(f"{quoted(text)} leads to a name with a colon in it, which is not read.")
    return HubName(repository, revision, "/".join(below)).text


def _is_one_set(file: str) -> bool:
    return file.lower().endswith(WEIGHT_SUFFIXES) and not _SHARD.fullmatch(file)


def _local_path(url: SplitResult, text: str) -> str:
    if url.netloc not in ("", "localhost"):
        _refuse(f"{quoted(text)} is an address of a file on another machine.")
    path = unquote(url.path)
    if not path.startswith("/"):
        _refuse(f"{quoted(text)} names no file.")
    return path.rstrip() or "/"


def _is_hub(host: str) -> bool:
    """Whether a host, with its port, is the Hub's or that of the one that HF_ENDPOINT names."""
    if host in _HOSTS:
        return True
    try:
        endpoint = urlsplit(without_credentials(HF_ENDPOINT.value())).netloc.lower()
    except ValueError:
        return False
    return host == endpoint != ""


def _refuse(message: str) -> NoReturn:
    raise InvalidReference(message)
