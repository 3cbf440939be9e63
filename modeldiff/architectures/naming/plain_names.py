"""Stored names without what wrappers put in and what all share: what families are recognised by.

A model that was compiled, trained in parallel, adapted or made part of a larger one is saved under
longer names. Left out here are the segments that only wrappers write, wherever they stand; words
for "the model" at a name's beginning; and the name of the base class, which a file with a head has
before all layers and the backbone's own file lacks. Stored names stay as they are for showing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from modeldiff.architectures.families.family import WEIGHT_NAMES
from modeldiff.architectures.naming.layer_lists import (
    INDEX,
    NOT_LAYERED,
    is_list_word,
    layer_starts,
)
from modeldiff.architectures.naming.pipeline import without_pipeline
from modeldiff.processes.late_dataclass import dataclass

_ANYWHERE = frozenset(
    {
        "_orig_mod",  # torch.compile
        "module",  # DataParallel, DistributedDataParallel, DeepSpeed
        "_module",  # Opacus
        "_fsdp_wrapped_module",
        "_fpw_module",
        "_checkpoint_wrapped_module",
        "_forward_module",  # Lightning Fabric
    }
)
_IN_ADAPTERS = frozenset({"base_layer", "modules_to_save", "original_module", "token_adapter"})
"""What PEFT writes in the middle of a name; the adapter's own name follows ``modules_to_save``."""
_WRAPPERS = _ANYWHERE | _IN_ADAPTERS
BESIDE_ADAPTER = "an adapter's matrices stand beside this one and are not added to it"
"""Why a weight alone is not what its model computes with."""
_LEADING = frozenset(
    {
        "base_model",
        "model",
        "state_dict",
        "model_state_dict",
        "pretrained_model",
        "policy",
        "actor",
        "thinker",
        "llm",
        "language_model",
        "transformer",
    }
)
"""What wrappers call the model that they hold."""
_LEADS = tuple(f"{word}." for word in _LEADING)
_LEADING_LINE = re.compile(rf"\n(?:(?:{'|'.join(sorted(_LEADING))})\.)+")
TOWER_WORDS: Mapping[str, str] = {
    "vision_tower": "vision",
    "vision_model": "vision",
    "vision_encoder": "vision",
    "visual": "vision",
    "audio_tower": "audio",
    "audio_model": "audio",
    "text_model": "text",
    "encoder": "encoder",
    "decoder": "decoder",
}
"""What opens a stack of its own: never taken for the name of a base class."""
_MOST_PREFIXES = 4
"""How many names of base classes are taken off, one inside the other."""


@dataclass(frozen=True)
class PlainNames:
    """``plain`` are the plain names of the stored ones, in their order; no two are the same.
    ``reasons`` has what is to be said of some stored ones. ``starts`` are the ``layer_starts`` of
    the plain ones."""

    plain: Sequence[str]
    reasons: Mapping[str, str]
    starts: Sequence[int]


# Two sides of a comparison mostly have the same names: the second is done when the first is.
@lru_cache(maxsize=2)
def plain_names(names: tuple[str, ...]) -> PlainNames:
    """Strip all stored ``names`` of one checkpoint.

    Where two would come out the same, the second keeps what an adapter put into it, or all of it:
    of a module and its copy that an adapter trains, the copy is the one in use. What a file calls
    a tensor is never another one's plain name.
    """
    stored = dict.fromkeys(names)
    # What is in none of the names has not to be looked for name by name: in most files nothing is.
    text = "\n".join(names)
    words = frozenset(word for word in _WRAPPERS if word in text)
    reasons: dict[str, str] = {}
    bare = None if words or "lora_A" in text else _without_leads(names, text)
    if bare is None:
        plain, reasons = _all_stripped(stored, words)
        bare = list(plain.values())
    if "lora_A" in text or "base_layer" in words:
        for name, reason in _adapted(stored, plain).items():
            reasons.setdefault(name, reason)
    modules, starts = _without_base_class(without_pipeline(bare))
    if "original_module" in words:
        renamed = dict(zip(plain, zip(modules, starts, strict=True), strict=True))
        modules, starts = zip(*(renamed[name] for name in stored), strict=True)
    return PlainNames(modules, reasons, starts)


def _without_leads(names: Sequence[str], text: str) -> list[str] | None:
    """Each name of the ``text``, a line each, without what leads it, all at once; None where that
    needs care: two come out the same, or a parameter without a module."""
    if text.count("\n") != len(names) - 1:
        return None
    bare = _LEADING_LINE.sub("\n", f"\n{text}")[1:].split("\n")
    whole = set(bare)
    return bare if len(whole) == len(bare) and whole.isdisjoint(WEIGHT_NAMES) else None


def _all_stripped(
    stored: Collection[str], words: frozenset[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Each name without the ``words`` of wrappers and what leads it, and what is to be said."""
    plain: dict[str, str] = {}
    reasons: dict[str, str] = {}
    shortened: dict[str, str] = {}
    """Plain names that are no stored ones → these."""
    for name in _copies_first(stored) if "original_module" in words else stored:
        if not words and not name.startswith(_LEADS):
            plain[name] = name
            continue
        own = bare = _stripped(name, words)
        if bare != name and (bare in shortened or bare in stored):
            own = _stripped(name, words & _ANYWHERE)
            own = name if own in shortened or own in stored else own
            other = shortened.get(bare, bare)
            reasons[name] = f"beside {other}, which has the same name without its wrappers"
        if own != name:
            shortened[own] = name
        plain[name] = own
    return plain, reasons


def _copies_first(stored: Iterable[str]) -> Iterable[str]:
    """The frozen original gives way to the copy in use, wherever the file holds it."""
    return sorted(stored, key=lambda name: "original_module" in name)


def _stripped(name: str, wrappers: frozenset[str]) -> str:
    if not wrappers:  # as in nearly all files: then no name is cut at all its dots
        rest = _after_leading(name)
        return name if rest in WEIGHT_NAMES else rest
    left = segments = name.split(".")
    if segments[0] not in _LEADING and wrappers.isdisjoint(segments):
        return name
    if not wrappers.isdisjoint(segments):
        left, follows_copies = [], False
        for segment in segments:
            if not follows_copies and segment not in wrappers:
                left.append(segment)
            follows_copies = segment == "modules_to_save" and segment in wrappers
    bare = _without_leading(left)
    # A wrapper holds modules: what is left of a name is more than a parameter.
    if not bare or (len(bare) == 1 and bare[0] in WEIGHT_NAMES and len(segments) > 1):
        return name
    return ".".join(bare)


def _without_leading(segments: list[str]) -> list[str]:
    start, last = 0, len(segments) - 1
    while start < last and segments[start] in _LEADING:
        start += 1
    return segments[start:]


def _after_leading(name: str) -> str:
    """As ``_without_leading``, of a name in one piece."""
    first, dot, rest = name.partition(".")
    while dot and first in _LEADING:
        name = rest
        first, dot, rest = name.partition(".")
    return name


def _adapted(stored: Iterable[str], plain: Mapping[str, str]) -> dict[str, str]:
    """What is to be said of matrices beside which an adapter's stand."""
    adapted = {
        plain[name].partition(".lora_A")[0]
        for name in stored
        if ".lora_A." in name and name.count(".lora_A.") == 1
    }
    under = {name for name in stored if ".base_layer." in name}
    if not adapted and not under:
        return {}
    return {
        name: BESIDE_ADAPTER
        for name in stored
        if name.endswith(".weight")
        and (name in under or plain[name].removesuffix(".weight") in adapted)
    }


def _without_base_class(names: Sequence[str]) -> tuple[Sequence[str], Sequence[int]]:
    """Each name without the segment that most names of layers begin with, and where its layer's
    number then begins."""
    own_names = list(names)
    for _ in range(_MOST_PREFIXES):
        starts = layer_starts(own_names)
        prefix = _base_class(own_names, starts)
        if prefix is None:
            return own_names, starts
        taken = set(own_names)
        for at, own in enumerate(own_names):
            if own.startswith(f"{prefix}."):
                rest = own[len(prefix) + 1 :]
                shorter = (_after_leading(rest), rest)
                own_names[at] = next((bare for bare in shorter if bare not in taken), own)
                taken.add(own_names[at])
    return own_names, layer_starts(own_names)


def _base_class(names: Sequence[str], starts: Sequence[int]) -> str | None:
    layered = [name for name, start in zip(names, starts, strict=True) if start != NOT_LAYERED]
    first = Counter([name.partition(".")[0] for name in layered]).most_common(1)
    if not first or first[0][1] * 2 <= len(layered):
        return None
    prefix = first[0][0]
    counted = re.compile(re.escape(prefix) + INDEX)
    is_list = is_list_word(prefix) or any(map(counted.match, layered))
    return None if is_list or prefix in TOWER_WORDS else prefix
