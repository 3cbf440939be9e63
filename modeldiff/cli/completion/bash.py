"""The script for bash. In bash a colon parts words, so references are completed from the line."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.cli.completion.words import Argument, Command

_SCRIPT = """\
# bash completion of modeldiff: eval "$(modeldiff completion bash)"
_modeldiff() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    local typed="${{COMP_LINE:0:COMP_POINT}}" command="" word words="" files=""
    typed="${{typed##*[[:space:]]}}"
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in -*) ;; *) command="$word"; break ;; esac
    done
    case "$command $before" in
{values}
        *) case "$command" in
            "") words="{names}" ;;
{arguments}
        esac
        case "$typed" in -*) files=""; case "$command" in
{options}
        esac ;; esac ;;
    esac
    COMPREPLY=( $(compgen -W "$words" -- "$typed") )
    if [[ "$typed" == *:* ]]; then
        COMPREPLY=( "${{COMPREPLY[@]#"${{typed%"${{typed##*:}}"}}"}}" )
    elif [[ -n "$files" ]]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY+=( $(compgen -f -- "$current") )
    fi
}}
complete -F _modeldiff modeldiff
"""


def bash_script(commands: Sequence[Command]) -> str:
    """The script, to be run by bash."""
    values = [
        f'        "{command.name} {option.flag}") {_set(option.argument)} ;;'
        for command in commands
        for option in command.options
        if option.argument is not None
    ]
    arguments = [
        f"            {command.name}) {_set(*command.arguments)} ;;"
        for command in commands
        if command.arguments
    ]
    options = [
        f'            {command.name}) words="{" ".join(o.flag for o in command.options)}" ;;'
        for command in commands
        if command.options
    ]
    return _SCRIPT.format(
        names=" ".join(command.name for command in commands),
        values="\n".join(values),
        arguments="\n".join(arguments),
        options="\n".join(options),
    )


def _set(*arguments: Argument) -> str:
    """What is offered where one of these may stand."""
    words = dict.fromkeys(word for argument in arguments for word in argument.words)
    files = "yes" if any(argument.files for argument in arguments) else ""
    return f'words="{" ".join(words)}" files="{files}"'
