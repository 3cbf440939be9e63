"""The script for fish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modeldiff.cli.completion.words import Argument, Command

_HEAD = (
    "# fish completion of modeldiff: "
    "modeldiff completion fish > ~/.config/fish/completions/modeldiff.fish"
)


def fish_script(commands: Sequence[Command]) -> str:
    """The script, to be run by fish."""
    return "\n".join([_HEAD, "complete -c modeldiff -f", *_lines(commands), ""])


def _lines(commands: Sequence[Command]) -> Iterator[str]:
    for command in commands:
        yield (
            f"complete -c modeldiff -n __fish_use_subcommand -a {command.name}"
            f" -d '{_plain(command.line)}'"
        )
    for command in commands:
        start = f"complete -c modeldiff -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            flag = f"{start} -l {option.flag.removeprefix('--')} -d '{_plain(option.line)}'"
            yield f"{flag}{'' if option.argument is None else f' -r{_value(option.argument)}'}"
        for argument in dict.fromkeys(map(_value, command.arguments)):
            yield f"{start}{argument}"


def _value(argument: Argument) -> str:
    words = f" -a '{' '.join(argument.words)}'" if argument.words else ""
    return f"{' -F' if argument.files else ''}{words}"


def _plain(line: str) -> str:
    return line.replace("\\", "\\\\")
