"""Completion: what the shells themselves make of the scripts, where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from modeldiff.cli.arguments import build_parser
from modeldiff.cli.completion.bash import bash_script
from modeldiff.cli.completion.fish import fish_script
from modeldiff.cli.completion.words import read_commands
from modeldiff.cli.completion.zsh import zsh_script
from modeldiff.cli.each_command import SHELLS

COMMANDS = read_commands(build_parser())
SCRIPTS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def run(shell: str, script: str, *arguments: str, cwd: Path) -> list[str]:
    command = [shell, *(["--norc"] if shell == "bash" else []), *arguments, "-c", script]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def test_every_command_and_option_is_there() -> None:
    assert {"diff", "check", "open", "list", "app"} <= {command.name for command in COMMANDS}
    assert set(SCRIPTS) == set(SHELLS)
    for make in SCRIPTS.values():
        script = make(COMMANDS)
        for command in COMMANDS:
            assert command.name in script
            for option in command.options:
                assert option.flag.removeprefix("--") in script


@needs("bash")
class TestBash:
    def completions(self, line: str, folder: Path) -> list[str]:
        """As readline asks: the line, its words (a colon parts them), and where the cursor is."""
        words = line.replace(":", " : ").split(" ")
        quoted = " ".join(f"'{word}'" for word in words if word or word is words[-1])
        count = sum(bool(word) or word is words[-1] for word in words)
        script = (
            f"{bash_script(COMMANDS)}\nCOMP_LINE='{line}' COMP_POINT={len(line)}\n"
            f"COMP_WORDS=({quoted}) COMP_CWORD={count - 1}\n"
            '_modeldiff; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        return [each for each in run("bash", script, cwd=folder) if each]

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("modeldiff ch", ["check"]),
            ("modeldiff dif", ["diff"]),
            ("modeldiff diff --lay", ["--layers"]),
            ("modeldiff diff --layers p", ["position"]),
            ("modeldiff check a b --allow not", ["not_measured", "not_finite"]),
            ("modeldiff completion z", ["zsh"]),
            ("modeldiff list d", ["demos"]),
            ("modeldiff schema sh", ["shard"]),
            ("modeldiff inspect demo:ba", ["base"]),
            ("modeldiff diff demo:base catalog:gpt2", ["gpt2-124m"]),
            ("modeldiff diff mod", ["model.safetensors"]),
            ("modeldiff open re", ["result.parquet"]),
        ],
    )
    def test_completes(self, line: str, expected: list[str], tmp_path: Path) -> None:
        for name in ("model.safetensors", "result.parquet"):
            (tmp_path / name).touch()
        assert self.completions(line, tmp_path) == expected


@needs("zsh")
def test_zsh_understands_its_script(tmp_path: Path) -> None:
    script = (
        "autoload -Uz compinit; compinit -D -d /dev/null\n"
        f'{zsh_script(COMMANDS)}\nprint "$_comps[modeldiff]"'
    )
    assert run("zsh", script, "-f", cwd=tmp_path) == ["_modeldiff"]


@needs("fish")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("modeldiff ch", "check"),
        ("modeldiff diff --lay", "--layers"),
        ("modeldiff diff --layers p", "position"),
        ("modeldiff inspect demo:ba", "demo:base"),
    ],
)
def test_fish_completes(line: str, expected: str, tmp_path: Path) -> None:
    script = f"{fish_script(COMMANDS)}\ncomplete -C '{line}'"
    assert [each.split("\t")[0] for each in run("fish", script, "-N", cwd=tmp_path)] == [expected]
