"""What a user types, understood: text → reference."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Literal, NoReturn

from modeldiff.checkpoints.addresses.hub_names import HubName, hub_name, is_tag
from modeldiff.checkpoints.addresses.spellings import (
    of_address,
    of_shorthand,
    unquoted,
    without_credentials,
)
from modeldiff.checkpoints.addresses.store_names import store_name
from modeldiff.checkpoints.addresses.suffixes import WEIGHT_SUFFIXES
from modeldiff.checkpoints.local.allowed_paths import (
    given_configs_folder,
    is_allowed,
    require_allowed,
)
from modeldiff.errors import InvalidReference
from modeldiff.files.bundled import bundled
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.settings.startup import is_server
from modeldiff.text.quoting import quoted

MAX_LENGTH = 4096
"""Longest text that is looked at: the longest path that Linux takes."""

_GIVEN = re.compile(r"[0-9a-f]{16}/[\w-][\w.-]{0,60}", re.ASCII)

_PLUS = " + "

_DEMO_ROOT = bundled("demo")

ReferenceKind = Literal["folder", "file", "hub", "store", "demo", "catalog", "adapted"]


@dataclass(frozen=True)
class Reference:
    """What a user types, understood: which kind, where, and which revision of it.

    ``text`` is the canonical spelling and parses to the same reference again. ``location`` is an
    absolute path (folder, file; that of a config that somebody brought stands in no ``text``),
    ``owner/name`` (hub), the address of a folder or file (store) or a name (demo, catalog).
    ``revision`` and ``path``, a folder or file in it, are those of a repository. ``tag`` says which
    of several sets of weights there is meant: a state dict of a file (``model.pt:ema``), a
    quantisation or variant in a folder (``folder:Q4_K_M``). ``parts`` of what is ``adapted`` are a
    model and an adapter for it; the ``location`` is the adapter's.
    """

    kind: ReferenceKind
    text: str
    location: str
    revision: str | None = None
    tag: str = ""
    path: str = ""
    parts: tuple[Reference, ...] = ()

    def __str__(self) -> str:
        return self.text

    def choosing(self, ending: str) -> str:
        """The text of a reference to one of the things that this one names: ``ending`` is a tag
        with its colon, in the place of this one's, or a path with its slash."""
        text = self.text.removesuffix(f":{self.tag}") if self.tag else self.text
        return f"{text.rstrip('/')}{ending}"


def parse_reference(text: str) -> Reference:
    """Understand a reference; the forms are those that ``reference_forms`` lists.

    Quotes around it and credentials in it are left out, and an address at huggingface.co, hf.co or
    HF_ENDPOINT's host is what it shows of the Hub. A local folder or file that exists wins over
    a Hub repository of the same spelling. Text that can only be a path is a reference whether or
    not something is there: opening it will tell.
    Raises ``InvalidReference``.
    """
    if len(text) > MAX_LENGTH:
        _refuse(f"A text of {len(text):,} characters is no reference to a checkpoint.")
    text = without_credentials(unquoted(text))
    _require_readable(text)
    if _PLUS in text and not _is_here(text):
        return _adapted(text)
    try:
        kind, meant = of_address(text) or ("", text)
        _require_readable(meant)
        if kind == "hub":
            return _of_hub(meant, text)
        return _of_store(meant) if kind == "store" else _parse(meant)
    except InvalidReference as error:
        error.hint = error.hint or reference_forms()
        raise


def _require_readable(text: str) -> None:
    if not text:
        _refuse("No checkpoint is named.")
    if any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in text):
        _refuse(f"{quoted(text)} holds control characters.")
    if not _is_unicode(text):
        _refuse(f"{quoted(text)} is not valid Unicode.")


def _parse(text: str) -> Reference:
    scheme, _, name = text.partition(":")
    if scheme == "demo":
        return _demo(name)
    if scheme == "catalog":
        return _catalog(name)
    if scheme == "given":
        return _given(name)

    if text.startswith("~") and is_server():
        # Whoever typed it has no home here, and must not learn who has one.
        _refuse(f"{quoted(text)}: paths are written out here, from / on.")
    # Unlike Path's methods these keep links as typed and take "~nobody" for a name like any other.
    path = Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111
    kind = _kind_of(path) if is_allowed(path) else None
    if kind is None and (tagged := _tagged(text)):
        return tagged
    if kind is None and text[0] not in "/.~":
        hub = hub_name(of_shorthand(text))
        if hub is not None:
            return _at_hub(hub)
    if kind is None and _is_path(text):
        require_allowed(path, text)
        kind = "file" if path.suffix in WEIGHT_SUFFIXES else "folder"
    if kind is None:
        _refuse(f"{quoted(text)} is neither something that is here nor written as owner/name.")
    return Reference(kind, str(path), str(path))


def _adapted(text: str) -> Reference:
    """A model and an adapter for it."""
    parts = text.split(_PLUS)
    if len(parts) > 2:
        _refuse(f"{quoted(text)} names several adapters: one at a time is read.")
    base, adapter = map(parse_reference, parts)
    both = f"{base}{_PLUS}{adapter}"
    return Reference("adapted", both, adapter.location, parts=(base, adapter))


def _tagged(text: str) -> Reference | None:
    """The reference of a folder or file that is here with a tag behind it; None for other text."""
    before, colon, tag = text.rpartition(":")
    if not (before and colon and is_tag(tag)):
        return None
    path = Path(os.path.abspath(os.path.expanduser(before)))  # noqa: PTH100, PTH111
    kind = _kind_of(path) if is_allowed(path) else None
    return Reference(kind, f"{path}:{tag}", str(path), tag=tag) if kind else None


def _of_hub(place: str, address: str) -> Reference:
    """The reference of an address, which never means what lies here under the same name."""
    hub = hub_name(place)
    if hub is None:
        _refuse(f"{quoted(address)} is an address of no repository that there can be.")
    namesake = Path(hub.text).resolve()
    here = (is_allowed(namesake) and _kind_of(namesake)) or _tagged(hub.text)
    return _at_hub(hub, "hf://" if here else "")


def _at_hub(hub: HubName, scheme: str = "") -> Reference:
    return Reference("hub", f"{scheme}{hub.text}", hub.repo, hub.revision, hub.tag, hub.path)


def _of_store(address: str) -> Reference:
    url, tag = store_name(address)
    return Reference("store", f"{url}:{tag}" if tag else url, url, tag=tag)


def demo_names() -> tuple[str, ...]:
    """The names of the demo checkpoints that are there, in alphabetical order."""
    return tuple(sorted(folder.parent.name for folder in _DEMO_ROOT.glob("*/config.json")))


def demo_folder(name: str) -> Path:
    """Where the demo checkpoint of this name lies."""
    return _DEMO_ROOT / name


def reference_forms() -> str:
    """What is accepted, in one sentence."""
    demos = ", ".join(f"demo:{name}" for name in demo_names())
    paths = "/models/llama" if is_server() else "/models/llama, ~/llama, ./llama"
    return (
        f"A checkpoint is named by a folder ({paths}), one file of weights (.safetensors, .gguf, "
        ".bin, .pt, .pth, .ckpt), owner/name on the Hugging Face Hub with @revision and "
        "/path/in/it where wanted, or its address there, an address that begins with s3://, gs://, "
        "az:// or https://, each with :NAME behind it for one of several sets of weights in it, "
        "a model and an adapter for it (BASE + ADAPTER; an adapter alone is put on the base that "
        "its config names), "
        f"a demo ({demos or 'none is here'}), or, for its architecture without weights, a name "
        "from the catalog (catalog:llama-3-8b) or a config.json."
    )


def _demo(name: str) -> Reference:
    if name not in demo_names():
        _refuse(f"There is no demo checkpoint called {quoted(name)}.")
    return Reference("demo", f"demo:{name}", name)


def _catalog(name: str) -> Reference:
    from modeldiff.checkpoints.config_only.catalog import catalog_names

    names = catalog_names()
    if name not in names:
        raise InvalidReference(
            f"The catalog has no model called {quoted(name)}.",
            hint=f"It has {', '.join(names)}.",
        )
    return Reference("catalog", f"catalog:{name}", name)


def _given(name: str) -> Reference:
    """A config that somebody brought: its name says nothing of where this machine keeps it."""
    path = given_configs_folder() / f"{name}.json"
    if not (_GIVEN.fullmatch(name) and path.is_file()):
        _refuse(f"No config is kept here as {quoted(f'given:{name}')}: bring it again.")
    return Reference("file", f"given:{name}", str(path))


def _kind_of(path: Path) -> Literal["folder", "file"] | None:
    """What is there; None for nothing, and for what this user may not look at."""
    try:
        return "folder" if stat.S_ISDIR(path.stat().st_mode) else "file"
    except OSError:
        return None


def _is_here(text: str) -> bool:
    """Whether text is the path of something that may be opened."""
    path = Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111
    return is_allowed(path) and _kind_of(path) is not None


def _is_path(text: str) -> bool:
    """Whether text that names nothing here can only have been meant as a path."""
    return (
        Path(text).is_absolute()
        or text.startswith(("./", "../", "~"))
        or text in (".", "..")
        or text.endswith(WEIGHT_SUFFIXES)
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(message: str) -> NoReturn:
    raise InvalidReference(message, hint=reference_forms())
