"""What a user types, understood: text → reference."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from modeldiff.checkpoints.local.allowed_paths import (
    given_configs_folder,
    is_allowed,
    require_allowed,
)
from modeldiff.checkpoints.spellings import of_address, of_shorthand, unquoted, without_credentials
from modeldiff.errors import InvalidReference
from modeldiff.files.bundled import bundled
from modeldiff.settings.startup import is_server
from modeldiff.text.quoting import quoted

WEIGHT_SUFFIXES = (".safetensors", ".gguf", ".bin", ".pt", ".pth", ".ckpt")
"""What files of weights end in. Text that does is a path, even where nothing is."""
MAX_LENGTH = 4096
"""Longest text that is looked at: the longest path that Linux takes."""

# The Hub's own rule for names: letters, digits, "-", "_" and ".", no punctuation at either end.
_NAME = r"\w(?:[\w.-]{0,94}\w)?"
_HUB = re.compile(rf"(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>[\w./+-]{{1,255}}))?", re.ASCII)

_TAG = re.compile(r"[\w.][\w./-]{0,199}", re.ASCII)

_GIVEN = re.compile(r"[0-9a-f]{16}/[\w-][\w.-]{0,60}", re.ASCII)

_PLUS = " + "

_DEMO_ROOT = bundled("demo")

ReferenceKind = Literal["folder", "file", "hub", "demo", "catalog", "adapted"]


@dataclass(frozen=True)
class Reference:
    """What a user types, understood: which kind, where, and which revision of it.

    ``text`` is the canonical spelling and parses to the same reference again. ``location`` is an
    absolute path (folder, file; that of a config that somebody brought stands in no ``text``),
    ``owner/name`` (hub) or a name (demo, catalog). ``tag`` says which of several sets of weights
    there is meant: a state dict of a file (``model.pt:ema``), a quantisation of a folder
    (``folder:Q4_K_M``). ``parts`` of what is ``adapted`` are a model and an adapter for it; the
    ``location`` is the adapter's.
    """

    kind: ReferenceKind
    text: str
    location: str
    revision: str | None = None
    tag: str = ""
    parts: tuple[Reference, ...] = ()

    def __str__(self) -> str:
        return self.text


def parse_reference(text: str) -> Reference:
    """Understand a reference; the forms are those that ``reference_forms`` lists.

    Quotes around it and credentials in it are left out, and an address at huggingface.co, hf.co or
    HF_ENDPOINT's host is the repository that it shows. A local folder or file that exists wins over
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
        return _of_hub(meant, text) if kind == "hub" else _parse(meant)
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
        repository = of_shorthand(text)
        if hub := _hub(repository):
            return Reference("hub", repository, hub["repo"], hub["revision"])
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
    if not (before and colon and _TAG.fullmatch(tag)):
        return None
    path = Path(os.path.abspath(os.path.expanduser(before)))  # noqa: PTH100, PTH111
    kind = _kind_of(path) if is_allowed(path) else None
    return Reference(kind, f"{path}:{tag}", str(path), tag=tag) if kind else None


def _of_hub(repository: str, address: str) -> Reference:
    """The reference of an address, which never means what lies here under the same name."""
    hub = _hub(repository)
    if hub is None:
        _refuse(f"{quoted(address)} is an address of no repository that there can be.")
    namesake = Path(repository).resolve()
    here = is_allowed(namesake) and _kind_of(namesake)
    text = f"hf://{repository}" if here else repository
    return Reference("hub", text, hub["repo"], hub["revision"])


def _hub(text: str) -> re.Match[str] | None:
    """The parts of ``owner/name[@revision]``, by the Hub's rules; None for other text."""
    hub = _HUB.fullmatch(text)
    if hub and ("--" in hub["repo"] or ".." in text or hub["repo"].endswith(".git")):
        return None
    return hub


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
        ".bin, .pt, .pth, .ckpt), either with :NAME behind it for one of several sets of weights "
        "in it, owner/name or owner/name@revision on the Hugging Face Hub, or its address there, "
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
