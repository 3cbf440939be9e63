"""The wheel, installed where nothing of the repository can be imported, and the app out of it.

The environment is fresh but for the libraries: those are the tests' own, found through a path file,
so that nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from modeldiff import __version__
from scripts.serving import ROOT, Server, serve, settle

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


class Installation:
    """An environment with the wheel in it, and an empty folder to be in."""

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "environment" / "bin"
        self.directory = folder / "elsewhere"
        self.directory.mkdir()
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        offline = ["--no-index", "--no-deps"]
        wheel = ["wheel", *offline, "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT)]
        subprocess.run([*pip, *wheel], check=True, cwd=folder)
        venv.create(self._bin.parent)
        (packages,) = self._bin.parent.glob("lib/python*/site-packages")
        (packages / "of_the_tests.pth").write_text("\n".join(site.getsitepackages()))
        (wheel_file,) = folder.glob("*.whl")
        into = f"--python={self._bin / 'python'}"
        subprocess.run([*pip, into, "install", *offline, str(wheel_file)], check=True, cwd=folder)

    def command(self, *arguments: str) -> list[str]:
        return [str(self._bin / "modeldiff"), *arguments]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=environment,
            timeout=300,
        )

    def python(self, code: str) -> str:
        return self.run(str(self._bin / "python"), "-c", code).stdout.strip()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installed"))


def test_the_code_is_the_wheels(installation: Installation) -> None:
    place = installation.python("import modeldiff; print(modeldiff.__file__)")
    assert not Path(place).is_relative_to(ROOT)
    assert Path(place).parts[-3:-1] == ("site-packages", "modeldiff")


def test_the_script_has_the_packages_name_and_version(installation: Installation) -> None:
    version = installation.run(*installation.command("--version")).stdout
    assert version == f"modeldiff {__version__}\n"
    usage = installation.run(*installation.command("--help")).stdout
    assert usage.startswith("usage: modeldiff [-h]")


def test_the_demo_comes_along(installation: Installation) -> None:
    shown = json.loads(installation.run(*installation.command("demo", "--json")).stdout)
    assert shown["target"]["reference"] == "demo:continued"
    assert {row["status"] for row in shown["tensors"]} == {"compared"}
    forms = installation.python(
        "from modeldiff.checkpoints import demo_names; print(*demo_names())"
    )
    assert forms.split() == sorted(path.parent.name for path in ROOT.glob("demo/*/config.json"))


def test_the_gallery_comes_along(installation: Installation) -> None:
    listed = json.loads(
        installation.run(*installation.command("list", "gallery", "--json")).stdout
    )["gallery"]
    assert len(listed) == len(list(ROOT.glob("gallery/*.json")))
    shown = installation.run(*installation.command("open", listed[0]["result"])).stdout
    assert "75 tensors" in shown


def test_the_catalog_comes_along(installation: Installation) -> None:
    shown = installation.run(*installation.command("inspect", "catalog:llama-3-8b")).stdout
    assert "8.03 B parameters, 16.1 GB by its config, 291 tensors" in shown


def test_a_report_finds_its_style_and_script(installation: Installation) -> None:
    installation.run(*installation.command("demo", "--quiet", "--output", "report.html"))
    report = (installation.directory / "report.html").read_text(encoding="utf-8")
    for name in ("report.css", "report.js"):
        line = (ROOT / "modeldiff" / "drawings" / "report" / name).read_text().splitlines()[-2]
        assert line in report


@pytest.fixture
def app(installation: Installation, tmp_path: Path) -> Iterator[Server]:
    """The app as the script opens it. To be named before ``tab``, which then goes first."""
    with serve(tmp_path, installation.command("app"), installation.directory) as server:
        yield server


def test_the_app_comes_along(app: Server, tab: Page) -> None:
    """Its pages, its settings (the address, the colour of paper) and its clickable diagram."""
    tab.goto(f"{app.url}/diagram?target=demo:lora&layer=2&component=mlp.up_proj")
    expect(tab).to_have_title("Diagram · modeldiff")
    expect(tab.locator(".st-key-place_panel")).to_contain_text("Layer 2 · mlp.up_proj")
    expect(tab.locator(".st-key-measured")).to_be_visible(timeout=120_000)
    settle(tab)
    expect(tab.locator("svg [role=button]").first).to_be_visible()
    expect(tab.get_by_test_id("stApp")).to_have_css("background-color", "rgb(251, 250, 247)")
    assert "http://127.0.0.1:" in app.log.read_text()
