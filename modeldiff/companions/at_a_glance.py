"""Which companions differ, by what is quick to read: tokenizers byte by byte and unparsed, nothing
run, and no file downloaded."""

from __future__ import annotations

from collections.abc import Iterator

from modeldiff.architectures.understand import understand
from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.tokenizer import GGUF, MAX_TOKENIZER_BYTES
from modeldiff.companions.chat.template import TEMPLATE_FILES, read_chat_template
from modeldiff.companions.entries import EntriesPair, pair_entries
from modeldiff.companions.files import read_beside
from modeldiff.companions.tokenizer.tokenizer import TOKENIZER_FILES

_WITHOUT_EFFECT = frozenset(("transformers_version", "_name_or_path"))
"""Entries that say who wrote a file, and where."""


def differing_at_a_glance(base: Checkpoint, target: Checkpoint) -> tuple[str, ...]:
    """What differs of tokenizer file, chat template, generation config and config (but for what
    the architectures' facts tell), as it is called. What is not on this machine is not looked at,
    nor are the tokens in a GGUF, or what it does not keep of configs. Of what one side alone has
    that is said.
    """
    return tuple(_differing((base, target)))


def _differing(sides: tuple[Checkpoint, Checkpoint]) -> Iterator[str]:
    base, target = sides
    inside = any(side.format == GGUF for side in sides)
    if not inside:
        yield from _tokenizer(sides)
    if not _is_away(sides, TEMPLATE_FILES) and not any(map(_is_remote_gguf, sides)):
        templates = [read_chat_template(side).sources for side in sides]
        if templates[0] != templates[1]:
            yield f"chat template{_alone(*map(bool, templates))}"
    config, generation = pair_entries(understand(base).entries, understand(target).entries)
    if _entries_differ(generation, of_both=inside):
        yield "generation config"
    if _entries_differ(config, of_both=inside):
        yield "config"


def _tokenizer(sides: tuple[Checkpoint, Checkpoint]) -> Iterator[str]:
    """The tokenizer file, where one that both have differs, or one side has none; where both have
    one and no file in common, that they are in another form."""
    base, target = ({file for file in TOKENIZER_FILES if side.source.has(file)} for side in sides)
    both = base & target
    if any(_file_differs(sides, file) for file in both):
        yield "tokenizer file"
    elif not both and (base or target):
        yield f"tokenizer file{_alone(bool(base), bool(target)) or ' (of another kind)'}"


def _alone(base: bool, target: bool) -> str:
    """Behind the name of what one side alone has: which side that is."""
    return "" if base == target else f" (only {'base' if base else 'target'} has one)"


def _is_away(sides: tuple[Checkpoint, Checkpoint], files: tuple[str, ...]) -> bool:
    return any(
        side.source.has(file) and side.source.path(file) is None for side in sides for file in files
    )


def _is_remote_gguf(side: Checkpoint) -> bool:
    return side.format == GGUF and side.source.path(next(iter(side.files))) is None


def _file_differs(sides: tuple[Checkpoint, Checkpoint], file: str) -> bool:
    if _is_away(sides, (file,)):
        return False
    contents = [read_beside(side, file, MAX_TOKENIZER_BYTES) for side in sides]
    unreadable = any(problem for _, problem in contents)
    return not unreadable and contents[0] != contents[1]


def _entries_differ(pair: EntriesPair, *, of_both: bool) -> bool:
    """Whether entries differ that no fact tells. ``of_both``: those that both sides have, as where
    one keeps a few of them."""
    return any(
        entry.fact is None
        and entry.name not in _WITHOUT_EFFECT
        and not (of_both and None in (entry.base, entry.target))
        for entry in pair.different
    )
