"""The reference of the command line, written from its parser: `python -m scripts.reference_pages`.

The page is kept in the repository, so that it can be read there; a test holds it to the parser.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from modeldiff.cli.arguments import build_parser
from modeldiff.cli.usage.help_texts import (
    EXAMPLES,
    EXIT_CODES_TEXT,
    REFERENCES,
)

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "commands.md"
_HEAD = (
    "# Commands and options\n\n"
    "Written from the parser by `python -m scripts.reference_pages`; `modeldiff COMMAND --help` "
    "says the same. How the commands are used: [The command line](../command-line.md); what BASE, "
    "TARGET and REF may be: [References](../references.md).\n"
)
_COMMON = (REFERENCES, EXIT_CODES_TEXT)
"""What ``--help`` says of most commands, and pages of their own say here."""


def commands_page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_commands(build_parser())])


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from _command(name, command)


def _command(name: str, command: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## {name}\n"
    arguments = [each for each in command._actions if each.dest != "help"]
    yield f"`{' '.join(['modeldiff', name, *_usage(arguments)])}`\n"
    if command.description:
        yield f"{_escaped(command.description)}\n"
    if arguments:
        yield "| argument | |\n| --- | --- |"
        yield from (f"| {_names(each)} | {_what(each)} |" for each in arguments)
        yield ""
    if examples := EXAMPLES.get(name):
        lines = (line.removeprefix("  ") for line in examples.splitlines()[1:])
        yield "```sh\n" + "\n".join(lines) + "\n```\n"
    for paragraph in (command.epilog or "").split("\n\n"):
        if paragraph not in ("", examples, *_COMMON):
            yield f"{_escaped(paragraph)}\n"


def _usage(arguments: list[argparse.Action]) -> Iterator[str]:
    if any(each.option_strings and not each.required for each in arguments):
        yield "[OPTIONS]"
    for each in arguments:
        if each.option_strings and each.required:
            yield f"{each.option_strings[-1]} {_value(each)}"
    for each in arguments:
        if not each.option_strings:
            value = f"{_value(each)} …" if each.nargs == "+" else _value(each)
            yield value if each.required else f"[{value}]"


def _names(action: argparse.Action) -> str:
    value = _value(action)
    if not action.option_strings:
        return f"`{value}`"
    return ", ".join(
        f"`{flag} {value}`" if value else f"`{flag}`" for flag in action.option_strings
    )


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    return str(action.metavar or action.dest.upper())


def _what(action: argparse.Action) -> str:
    text = _escaped(action.help or "")
    if not action.choices:
        return text
    return f"{text}. One of {', '.join(f'`{each}`' for each in action.choices)}"


def _escaped(text: str) -> str:
    """A help text in a cell of a table: what is quoted there, and options, are code here."""
    text = re.sub(r"(?<=\s)'([^']+)'|(?<![\w`])(--[a-z-]+|whole\.\*)", _code, text)
    return text.replace("%%", "%").replace("|", "\\|")


def _code(match: re.Match[str]) -> str:
    return f"`{match[1] or match[2]}`"


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
