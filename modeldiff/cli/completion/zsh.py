"""The script for zsh."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.cli.completion.words import Argument, Command, Option

_SCRIPT = """\
#compdef modeldiff
# zsh completion of modeldiff: eval "$(modeldiff completion zsh)", behind compinit
_modeldiff() {{
    local context state state_descr line
    typeset -A opt_args
    local -a commands
    commands=(
{names}
    )
    _arguments -C '1: :->command' '*:: :->arguments'
    case $state in
        command) _describe -t commands command commands ;;
        arguments) case $words[1] in
{cases}
        esac ;;
    esac
}}
compdef _modeldiff modeldiff
"""


def zsh_script(commands: Sequence[Command]) -> str:
    """The script, to be run by zsh."""
    names = (f"        '{command.name}:{_plain(command.line)}'" for command in commands)
    cases = (f"            {command.name}) {_case(command)} ;;" for command in commands)
    return _SCRIPT.format(names="\n".join(names), cases="\n".join(cases))


def _case(command: Command) -> str:
    specs = [*map(_option, command.options), *_arguments(command.arguments)]
    return f"_arguments {' '.join(specs)}" if specs else ":"


def _option(option: Option) -> str:
    flag = f"{option.flag}[{_plain(option.line)}]"
    return f"'{flag}'" if option.argument is None else f"'{flag}{_value(option.argument)}'"


def _arguments(arguments: Sequence[Argument]) -> list[str]:
    return [f"'{number}{_value(each)}'" for number, each in enumerate(arguments, 1)]


def _value(argument: Argument) -> str:
    words = " ".join(word.replace(":", r"\:") for word in argument.words)
    if not argument.files:
        return f":{argument.name}:({words})" if words else f":{argument.name}: "
    if not words:
        return f":{argument.name}:_files"
    return f':{argument.name}:_alternative "names:name:({words})" "files:file:_files"'


def _plain(line: str) -> str:
    """A line in which no sign means anything to ``_arguments``."""
    return "".join("-" if sign in "[]:\\" else sign for sign in line)
