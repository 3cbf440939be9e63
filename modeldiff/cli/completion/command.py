"""``modeldiff completion SHELL``."""

from __future__ import annotations

from argparse import Namespace

from modeldiff.cli.arguments import build_parser
from modeldiff.cli.completion.bash import bash_script
from modeldiff.cli.completion.fish import fish_script
from modeldiff.cli.completion.words import read_commands
from modeldiff.cli.completion.zsh import zsh_script
from modeldiff.cli.terminal import Terminal

_SCRIPTS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


def completion_command(options: Namespace, terminal: Terminal) -> None:
    """Print the script for one shell."""
    terminal.raw(_SCRIPTS[options.shell](read_commands(build_parser())))
