"""Settings: one table, read in one place, and refused where a slip would open a door."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from modeldiff.checkpoints import parse_reference
from modeldiff.checkpoints.nearby import cached_repositories
from modeldiff.cli import main
from modeldiff.errors import InvalidOption, InvalidReference
from modeldiff.results.store.folder import cannot_write
from modeldiff.settings.setting import HubAccess
from modeldiff.settings.startup import check_settings, is_loopback, require_roots
from modeldiff.settings.table import CACHE_SIZE, HUB, LOGIN, MOST_TENSORS, SETTINGS, settings_table

ROOT = Path(__file__).parents[2]
DESCRIBE_THE_TERMINAL = {"cli/terminal.py", "cli/heat/heat_table.py"}
HAND_IT_ON = {"processes/child.py", "cli/serving/app.py"}


def test_nothing_else_reads_the_environment() -> None:
    readers = set()
    for path in (ROOT / "modeldiff").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                readers.add(path.relative_to(ROOT / "modeldiff").as_posix())
    own = {name for name in readers if name.startswith("settings/")}
    assert readers - own == DESCRIBE_THE_TERMINAL | HAND_IT_ON


def test_the_page_has_the_table() -> None:
    assert settings_table() in (ROOT / "docs" / "server.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "bytes_"), [("500 GB", 500 * 10**9), ("1.5mb", 1_500_000), ("7 B", 7)]
)
def test_sizes(monkeypatch: pytest.MonkeyPatch, text: str, bytes_: int) -> None:
    monkeypatch.setenv(CACHE_SIZE.name, text)
    assert CACHE_SIZE.value() == bytes_


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((CACHE_SIZE.name, text) for text in ("500", "much", "-1 GB", "1e9 GB", "5 GiBs")),
        *((MOST_TENSORS.name, text) for text in ("0", "-5", "many", "٣", "1.5")),
        *((HUB.name, text) for text in ("a/b/c", "https://hub", "owner name", ",", "../x")),
        # Lists put together of variables that nobody set: else all paths, and all people.
        *(("MODELDIFF_ROOTS", text) for text in (os.pathsep, f" {os.pathsep} ")),
        *((LOGIN.name, text) for text in (",", " , ,")),
        ("MODELDIFF_STORES", ","),
        ("MODELDIFF_ALLOW_ALL_PATHS", "maybe"),
        ("MODELDIFF_LOGIN_HEADER", "two words"),
    ],
)
def test_a_value_that_is_none_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    assert main(["list"]) == 1
    shown = capsys.readouterr().err
    assert name in shown and "hint: " in shown


def test_a_misspelt_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDIFF_ROOT", "/models")
    with pytest.raises(InvalidOption) as caught:
        check_settings()
    assert "MODELDIFF_ROOTS" in caught.value.hint


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS:
        monkeypatch.setenv(setting.name, " ")
    check_settings()
    assert LOGIN.value() == frozenset() and HUB.value() == HubAccess()


class TestServing:
    """Who can come in, and what they learn of the machine."""

    @pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "10.0.0.7", "models.example.org"])
    def test_others_come_in_only_with_roots(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
    ) -> None:
        assert not is_loopback(address)
        with pytest.raises(InvalidOption):
            require_roots(address)
        monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path))
        require_roots(address)

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost"])
    def test_oneself_needs_none(self, address: str) -> None:
        require_roots(address)

    def test_a_root_that_is_not_there(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("MODELDIFF_ROOTS", f"{tmp_path}{os.pathsep}{tmp_path / 'unmounted'}")
        with pytest.raises(InvalidOption, match="unmounted"):
            require_roots("127.0.0.1")

    @pytest.mark.parametrize(
        "arguments", [["--server.address", "0.0.0.0"], ["--server.address=::"]]
    )
    def test_the_command(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
    ) -> None:
        started: list[str] = []
        monkeypatch.setattr("os.execv", lambda _, command: started.extend(command))
        monkeypatch.delenv("MODELDIFF_ALLOW_ALL_PATHS", raising=False)
        assert main(["app", *arguments]) == 1 and not started
        assert "MODELDIFF_ROOTS" in capsys.readouterr().err
        monkeypatch.setenv("MODELDIFF_ALLOW_ALL_PATHS", "no")  # so that it is put back
        assert main(["app", "--allow-all-paths", *arguments]) == 0
        assert started[-len(arguments) :] == arguments
        assert "every file" in capsys.readouterr().err

    def test_no_word_about_homes(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path))
        said = set()
        for typed in ("~root/model", "~no-such-account/model", "~/model"):
            with pytest.raises(InvalidReference) as caught:
                parse_reference(typed)
            said.add(caught.value.message.replace(typed, ""))
        assert len(said) == 1
        with pytest.raises(InvalidReference) as caught:
            parse_reference("./secret")
        assert str(Path.cwd()) not in f"{caught.value.message} {caught.value.hint}"
        error = cannot_write(Path.home() / ".cache" / "x", OSError(28, "No space left on device"))
        assert str(Path.home()) not in error.message


class TestHubAccess:
    """MODELDIFF_HUB."""

    @pytest.mark.parametrize(
        ("text", "open_", "closed"),
        [
            ("all", ["a/b"], []),
            ("off", [], ["a/b"]),
            ("Qwen, meta-llama/Llama-3", ["qwen/x", "Meta-Llama/llama-3"], ["meta-llama/x", "a/b"]),
            ("qwen", ["qwen/x.y"], ["qwen-evil/x", "qwen/../a/b", "qwen/..", "qwen/x/../../a/b"]),
        ],
    )
    def test_owners_and_repositories(
        self, monkeypatch: pytest.MonkeyPatch, text: str, open_: list[str], closed: list[str]
    ) -> None:
        monkeypatch.setenv("MODELDIFF_HUB", text)
        assert all(map(HUB.value().allows, open_))
        assert not any(map(HUB.value().allows, closed))

    def test_what_may_not_be_opened_is_not_offered(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("models--a--b", "models--c--d"):
            (tmp_path / name).mkdir()
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setenv("MODELDIFF_HUB", "c")
        assert cached_repositories() == ("c/d",)
