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
from modeldiff.processes.late_dataclass import dataclass

_WITHOUT_EFFECT = frozenset(("transformers_version", "_name_or_path"))
"""Entries that say who wrote a file, and where."""


@dataclass(frozen=True)
class Glance:
    """Companions by what they are called: those that are ``different``, and those that are known of
    one side alone, ``only_base`` or ``only_target``."""

    different: tuple[str, ...] = ()
    only_base: tuple[str, ...] = ()
    only_target: tuple[str, ...] = ()


def differing_at_a_glance(base: Checkpoint, target: Checkpoint) -> Glance:
    """What differs of tokenizer file, chat template, generation config and config (but for what
    the architectures' facts tell), and what of them ``base`` or ``target`` alone has. What is not
    on this machine is not looked at, nor are the tokens in a GGUF, or what it does not keep of
    configs.
    """
    found = list(_differing((base, target)))
    both, only_base, only_target = (
        tuple(name for name, has in found if has == sides)
        for sides in ((True, True), (True, False), (False, True))
    )
    return Glance(both, only_base, only_target)


def _differing(sides: tuple[Checkpoint, Checkpoint]) -> Iterator[tuple[str, tuple[bool, bool]]]:
    """What is not the same on both sides, and which of the two has it."""
    base, target = sides
    inside = any(side.format == GGUF for side in sides)
    if not inside:
        yield from _tokenizer(sides)
    if not _is_away(sides, TEMPLATE_FILES) and not any(map(_is_remote_gguf, sides)):
        templates = [read_chat_template(side).sources for side in sides]
        if templates[0] != templates[1]:
            yield "chat template", (bool(templates[0]), bool(templates[1]))
    config, generation = pair_entries(understand(base).entries, understand(target).entries)
    for name, pair in (("generation config", generation), ("config", config)):
        if _entries_differ(pair, of_both=inside):
            yield name, pair.sides


def _tokenizer(sides: tuple[Checkpoint, Checkpoint]) -> Iterator[tuple[str, tuple[bool, bool]]]:
    """The tokenizer file, where one that both have differs, or one side has none; where both have
    one and no file in common, that they are in another form."""
    base, target = ({file for file in TOKENIZER_FILES if side.source.has(file)} for side in sides)
    both = base & target
    if any(_file_differs(sides, file) for file in both):
        yield "tokenizer file", (True, True)
    elif not both and (base or target):
        kind = " (of another kind)" if base and target else ""
        yield f"tokenizer file{kind}", (bool(base), bool(target))


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
    """Whether one side alone has the file, or entries differ that no fact tells. ``of_both``: those
    that both sides have, as where one keeps a few of them."""
    if pair.sides[0] != pair.sides[1]:
        return not of_both
    return any(
        entry.fact is None
        and entry.name not in _WITHOUT_EFFECT
        and not (of_both and None in (entry.base, entry.target))
        for entry in pair.different
    )
