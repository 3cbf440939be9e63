"""The documentation: examples run, the reference is that of the code, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import modeldiff
from modeldiff.cli.arguments import parse
from modeldiff.ui.drilldown.drilldown_view import URL_NAME
from modeldiff.ui.session.selected_pair import PairChoice
from scripts.page_examples import PAGES, ROOT, run_page, shows
from scripts.reference_pages import PAGE, commands_page
from tests.support.results import cache_at

TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "demo" / "README.md"])
SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[None]:
    with cache_at(tmp_path / "cache"):
        yield


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_shows_what_comes_out(page: Path, tmp_path: Path) -> None:
    """Where it does not: `python -m scripts.page_examples --write`."""
    folder = tmp_path / "reader"
    folder.mkdir()
    examples = list(run_page(page.read_text(encoding="utf-8"), folder))
    assert len(examples) > 2
    for block, printed in examples:
        if block.span is not None:
            assert shows(block.output, printed), f"{block.code}\nprints\n{printed}"


def test_the_page_of_commands_is_of_this_parser() -> None:
    """Where it is not: `python -m scripts.reference_pages`."""
    assert PAGE.read_text(encoding="utf-8") == commands_page()


@pytest.mark.parametrize("page", TEXTS, ids=[str(page.relative_to(ROOT)) for page in TEXTS])
def test_every_command_on_a_page_is_understood(page: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        if line.startswith("modeldiff "):
            words = shlex.split(line.split(" > ")[0] if "completion" in line else line, True)
            words = words[: words.index(">")] if ">" in words else words
            assert parse(words[1:]).command == words[1]


@pytest.mark.parametrize("page", TEXTS, ids=[str(page.relative_to(ROOT)) for page in TEXTS])
def test_links_within_the_repository_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "library.md").read_text(encoding="utf-8")
    directives = {line.rpartition(".")[2] for line in page.splitlines() if line.startswith(":::")}
    assert directives == set(modeldiff.__all__) - {"__version__"}


def test_every_parameter_of_the_url_is_in_the_reference() -> None:
    table = SETTINGS.partition("## Environment variables")[0]
    code = "\n".join(p.read_text("utf-8") for p in (ROOT / "modeldiff" / "ui").rglob("*.py"))
    read = set(re.findall(r'(?:query_params|parameters)\.get\("([a-z_]+)"', code))
    assert {"metric", "layer", "scale", "across"} < read
    pair = {field.name for field in fields(PairChoice)}
    for name in pair | read | {URL_NAME}:
        assert f"`{name}`" in table, name


def test_every_variable_of_the_environment_is_in_the_reference() -> None:
    table = SETTINGS.partition("## Environment variables")[2]
    code = "\n".join(p.read_text("utf-8") for p in (ROOT / "modeldiff").rglob("*.py"))
    read = set(re.findall(r'environ(?:ment)?\.get\("([A-Z_]+)"', code))
    assert {"NO_COLOR", "COLORTERM"} < read
    for name in read:
        assert f"`{name}`" in table
