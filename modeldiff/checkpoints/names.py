"""What people call a model, from the reference that names it: short, and without paths or hashes.

The one place where a name is made. Whoever shows a model shows its name; references, paths and
fingerprints stand in the metadata of files.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from urllib.parse import unquote

from modeldiff.checkpoints.config_only.catalog import catalog_title
from modeldiff.checkpoints.references import Reference
from modeldiff.text.quoting import spelt_out

MAX_LABEL = 60
"""Longest label that somebody may give a model: it stands in headings and figures."""

_CACHED = re.compile(r"models--(?P<owner>.+?)--(?P<name>.+)")
_DEMO = {"lora": "LoRA"}
_SAYS_NOTHING = frozenset({"config.json", "model.safetensors", "snapshots", "main"})
_HASH = re.compile(r"[0-9a-f]{7,64}")


def model_name(reference: Reference) -> str:
    """The name of what ``reference`` names: ``Llama 3.1 8B`` from the catalog, a folder's last
    part, a repository's id; with the tag of one of several sets of weights.

    >>> from modeldiff.checkpoints import parse_reference
    >>> model_name(parse_reference("catalog:llama-3.1-8b"))
    'Llama 3.1 8B'
    >>> model_name(parse_reference("/models/llama-tuned/config.json"))
    'llama-tuned'
    >>> model_name(parse_reference("meta-llama/Llama-3.1-8B@main"))
    'meta-llama/Llama-3.1-8B'
    >>> model_name(parse_reference("/models/llama-gguf:Q4_K_M"))
    'llama-gguf:Q4_K_M'
    """
    if reference.parts:
        return " + ".join(map(model_name, reference.parts))
    tag = f":{reference.tag}" if reference.tag else ""
    return f"{_name(reference)}{tag}"


def _name(reference: Reference) -> str:
    if reference.kind == "catalog":
        return catalog_title(reference.location)
    if reference.kind == "demo":
        return f"Demo {_DEMO.get(reference.location, reference.location)}"
    if reference.kind == "hub":
        return reference.location
    if reference.kind == "store":
        return _of_path(PurePath(unquote(reference.location)))
    return _of_path(PurePath(reference.location))


def names_apart(base: Reference, target: Reference) -> tuple[str, str]:
    """The names of two models; where they would be the same, as much more of each reference as
    tells them apart.

    >>> from modeldiff.checkpoints import parse_reference
    >>> base, target = map(parse_reference, ("/runs/a/checkpoint-500", "/runs/b/checkpoint-500"))
    >>> names_apart(base, target)
    ('a/checkpoint-500', 'b/checkpoint-500')
    """
    names = model_name(base), model_name(target)
    if names[0] != names[1] or base.text == target.text:
        return names
    if base.kind == target.kind == "hub":
        return base.text, target.text
    if base.parts or target.parts:
        return base.text, target.text
    parts = [PurePath(reference.location).parts for reference in (base, target)]
    for count in range(2, max(map(len, parts)) + 1):
        tails = ["/".join(own[-count:]).lstrip("/") for own in parts]
        if tails[0] != tails[1]:
            return tails[0], tails[1]
    return names


def model_label(text: str) -> str:
    """A label as somebody typed it, on one line and no longer than ``MAX_LABEL``; what would not be
    seen of it, or would turn what stands beside it, is spelt out."""
    return spelt_out(" ".join(text.split())[:MAX_LABEL])[:MAX_LABEL].strip()


def _of_path(path: PurePath) -> str:
    """The last part that says something: not a snapshot's hash, nor a file's usual name."""
    parts = [part for part in path.parts if part != path.anchor]
    for part in reversed(parts):
        if cached := _CACHED.fullmatch(part):
            return f"{cached['owner']}/{cached['name']}"
        if part not in _SAYS_NOTHING and not _HASH.fullmatch(part):
            return part.removesuffix(".safetensors").removesuffix(".json") or part
    return parts[-1] if parts else str(path)
