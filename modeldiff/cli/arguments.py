"""What the command line takes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from modeldiff._version import __version__
from modeldiff.cli.each_command import COMMAND_ADDERS, CommandAdder
from modeldiff.cli.usage.help_texts import EXAMPLES, EXIT_CODES_TEXT, REFERENCES, HelpFormatter


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the arguments say: ``command``, and what that command takes.

    ``arguments`` are those behind the program's name, None for the process's own. What ``app`` does
    not know itself is its ``passed_on``. Wrong usage raises ``SystemExit(2)``.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = build_parser(arguments[0] if arguments else "")
    options, unknown = parser.parse_known_args(arguments)
    if options.command == "app":
        options.passed_on = unknown
    elif unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def build_parser(only: str = "") -> argparse.ArgumentParser:
    """The parser of all commands, which completion and the documentation read too; of the command
    ``only`` alone, if there is one of that name: a parser takes half a millisecond to build."""
    as_module = Path(sys.argv[0]).name == "__main__.py"
    top = argparse.ArgumentParser(
        prog="python -m modeldiff" if as_module else "modeldiff",
        description="What changed between two language-model checkpoints, and where?",
        epilog=f"{EXAMPLES['']}\n\n{REFERENCES}\n\n{EXIT_CODES_TEXT}",
        formatter_class=HelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"modeldiff {__version__}")
    commands = CommandAdder(top)
    adders = [COMMAND_ADDERS[only]] if only in COMMAND_ADDERS else COMMAND_ADDERS.values()
    for add in adders:
        add(commands)
    return top
