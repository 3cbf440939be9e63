"""What can be completed: each command's options and arguments, read from the parser."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from modeldiff.checkpoints.config_only.catalog import catalog_names
from modeldiff.checkpoints.references import demo_names
from modeldiff.cli.each_command import LISTS
from modeldiff.cli.schemas.published import DOCUMENTS
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.gallery.collection import GALLERY, gallery_names

_LONGEST_LINE = 72
_REFERENCES = ("REF", "BASE", "TARGET")
_FILES = (*_REFERENCES, "FILE", "RESULT")
_WORDS = {"RESULT": ("last",), "NAME": tuple(DOCUMENTS), "WHAT": LISTS}


@dataclass(frozen=True)
class Argument:
    """What an option or a command takes: some ``words``, a file, or what nobody can guess."""

    name: str
    words: tuple[str, ...]
    files: bool


@dataclass(frozen=True)
class Option:
    """An option by its long name, what it does in a line, and what it takes, if anything."""

    flag: str
    line: str
    argument: Argument | None


@dataclass(frozen=True)
class Command:
    """A command, what it does in a line, its options and what it takes beside them."""

    name: str
    line: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]


def read_commands(parser: argparse.ArgumentParser) -> tuple[Command, ...]:
    """All commands of the parser, in its order."""
    return tuple(_commands(parser))


def _commands(parser: argparse.ArgumentParser) -> Iterator[Command]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            lines = {each.dest: each.help or "" for each in action._choices_actions}
            for name, command in action.choices.items():
                taken = [each for each in command._actions if each.dest != "help"]
                yield Command(
                    name,
                    _line(lines[name]),
                    tuple(_option(each) for each in taken if each.option_strings),
                    tuple(_argument(each) for each in taken if not each.option_strings),
                )


def _option(action: argparse.Action) -> Option:
    argument = None if action.nargs == 0 else _argument(action)
    return Option(action.option_strings[-1], _line(action.help or ""), argument)


def _argument(action: argparse.Action) -> Argument:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    words = tuple(map(str, action.choices or _WORDS.get(metavar, ())))
    if metavar == "RESULT":
        words = (*words, *(f"{GALLERY}{name}" for name in gallery_names()))
    if metavar in _REFERENCES:
        demos = (f"demo:{name}" for name in demo_names())
        words = (*demos, *(f"catalog:{name}" for name in catalog_names()))
    return Argument(metavar.lower(), words, metavar in _FILES)


def _line(text: str) -> str:
    """The first clause of a help text, without what a quoted string can't hold."""
    clause = text.partition(";")[0].replace("'", "’")
    return textwrap.shorten(clause, _LONGEST_LINE, placeholder=" …")
