"""What a checkpoint says it was made from: its card, its config, and a merge's recipe.

All of it is text from outside: read with limits, by patterns, and believed by nobody. It is offered
as a pair to compare, and opened only if somebody asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.references import parse_reference
from modeldiff.errors import CheckpointError, InvalidReference
from modeldiff.processes.late_dataclass import dataclass

OriginSource = Literal["card", "merge", "config"]
MOST_ORIGINS = 8
_MAX_BYTES = 1 << 20
_NAME = r"['\"]?(?P<name>[^'\"#\n\[\],]{1,300}?)['\"]?"
_FRONT = re.compile(r"\A---\r?\n(?P<yaml>.*?)\r?\n---", re.DOTALL)
_ONE = re.compile(rf"^base_model:[ \t]*{_NAME}[ \t\r]*(?:#.*)?$", re.MULTILINE)
_LIST = re.compile(
    r"^base_model:[ \t]*\r?\n(?P<items>(?:[ \t]*-[ \t]+[^\n]+(?:\n|\Z))+)", re.MULTILINE
)
_INLINE = re.compile(r"^base_model:[ \t]*\[(?P<items>[^\]\n]{1,2000})\]", re.MULTILINE)
_ITEM = re.compile(rf"^[ \t]*-[ \t]+{_NAME}[ \t\r]*$", re.MULTILINE)
_MERGED = re.compile(rf"^[ \t]*-?[ \t]*(?:base_model|model):[ \t]*{_NAME}[ \t\r]*$", re.MULTILINE)


@dataclass(frozen=True)
class Origin:
    """A model that a checkpoint says it was made from: its ``reference`` as written there, and
    what says so."""

    reference: str
    source: OriginSource


def origins_of(checkpoint: Checkpoint) -> tuple[Origin, ...]:
    """What ``checkpoint`` says it was made from, the card's word first; each once, at most
    ``MOST_ORIGINS``. Only what can be a reference, and is not the checkpoint itself."""
    own = {checkpoint.reference.text, checkpoint.reference.location}
    known: dict[str, Origin] = {}
    for source, name in _named(checkpoint):
        text = name.strip()
        if text in own or text in known or not _is_reference(text):
            continue
        known[text] = Origin(text, source)
        if len(known) == MOST_ORIGINS:
            break
    return tuple(known.values())


def _named(checkpoint: Checkpoint) -> Iterator[tuple[OriginSource, str]]:
    front = _FRONT.match(_text(checkpoint, "README.md"))
    if front:
        yaml = front["yaml"]
        for block in _LIST.finditer(yaml):
            yield from (("card", item["name"]) for item in _ITEM.finditer(block["items"]))
        for inline in _INLINE.finditer(yaml):
            yield from (("card", item.strip(" '\"")) for item in inline["items"].split(","))
        yield from (("card", one["name"]) for one in _ONE.finditer(yaml))
    recipe = _text(checkpoint, "mergekit_config.yml")
    yield from (("merge", merged["name"]) for merged in _MERGED.finditer(recipe))
    name = (checkpoint.config or {}).get("_name_or_path")
    if isinstance(name, str) and len(name) <= 300:
        yield "config", name


def _text(checkpoint: Checkpoint, file: str) -> str:
    """A small file that lies beside the weights on this machine; empty where there is none that can
    be read. The network is not asked for what nobody wanted."""
    try:
        if checkpoint.source.path() is None or not checkpoint.source.has(file):
            return ""
        return checkpoint.source.read_small(file, _MAX_BYTES).decode("utf-8", "replace")
    except (CheckpointError, OSError):
        return ""


def _is_reference(text: str) -> bool:
    """Whether it is one that says where: a bare word may be anything."""
    if not text or ("/" not in text and ":" not in text):
        return False
    try:
        parse_reference(text)
    except InvalidReference:
        return False
    return True
