"""Every page of the app, light and dark, on a phone, a laptop and a large screen: `python -m
scripts.screenshots`.

Writes into screenshots/, which git ignores; with ``--docs`` only the few that the README and the
documentation show, into docs/images/.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlencode

from playwright.sync_api import Browser, expect, sync_playwright

from modeldiff.results.gallery.collection import GALLERY
from modeldiff.ui.session.presenting import PresentedView
from scripts.serving import ROOT, launch_chromium, serve, settle

Theme = Literal["light", "dark"]

_SIZES = {"narrow": (430, 900), "laptop": (1280, 720), "large": (1920, 1080)}
_OF_DOCS = (1440, 900)
_MOST_HEIGHT = 5000
_DEFAULT_PAIR = {"base": "demo:base", "target": "demo:continued"}
_HEAD = "h1"
_CONFIGS = {"base": "catalog:llama-3-8b", "target": "catalog:qwen2-7b"}


@dataclass(frozen=True)
class View:
    """A page with what is chosen on it, and what is there as soon as it is drawn."""

    name: str
    page: str
    query: dict[str, str]
    waits_for: str = ".st-key-measured"


VIEWS = (
    View("compare", "", {}),
    View("architecture", "architecture", {}),
    View("heatmap", "heatmap", {}),
    View("heatmap-cell", "heatmap", {"layer": "3", "component": "self_attn.v_proj"}),
    View("heatmap-tokens", "heatmap", {"component": "embed_tokens"}),
    View(
        "heatmap-image",
        "heatmap",
        {"layer": "3", "component": "mlp.down_proj", "look": "image"},
    ),
    View(
        "heatmap-spectrum",
        "heatmap",
        {"target": "demo:lora", "layer": "3", "component": "self_attn.q_proj", "look": "spectrum"},
    ),
    View("diagram", "diagram", {}),
    View("diagram-layer", "diagram", {"layer": "3", "component": "self_attn.v_proj"}),
    View("beyond", "beyond", {}, _HEAD),
    View("evolution", "evolution", {}, _HEAD),
    View("gallery", "gallery", {}, _HEAD),
    View("fleet", "fleet", {"sort": "name"}, _HEAD),
    View("result", "result", {"result": f"{GALLERY}demo-lora"}),
    View("alone", "", {"alone": "1"}, _HEAD),
    View("alone-diagram", "diagram", {"alone": "1"}, _HEAD),
    View("configs", "", _CONFIGS, _HEAD),
    View("configs-architecture", "architecture", _CONFIGS, _HEAD),
    View("configs-heatmap", "heatmap", _CONFIGS, _HEAD),
    *(
        View(
            f"presented-{view}",
            "evolution" if view == "evolution" else "",
            {"present": view},
            ".st-key-presentation .place",
        )
        for view in get_args(PresentedView)
    ),
)
_FLEET = ("continued", "tuned", "lora", "unrelated")
_DOCS = ROOT / "docs" / "images"
# What README and documentation show: its file, and how high it is, a window or the whole page.
_DOCS_SHOTS: dict[tuple[str, Theme], tuple[str, int]] = {
    ("compare", "light"): ("compare.png", 1000),
    ("heatmap-cell", "light"): ("heatmap-cell.png", 1000),
    ("heatmap-spectrum", "light"): ("spectrum.png", 2200),
    ("diagram-layer", "light"): ("diagram-light.png", _MOST_HEIGHT),
    ("diagram-layer", "dark"): ("diagram-dark.png", _MOST_HEIGHT),
}


@dataclass(frozen=True)
class Shot:
    """A view as it is to be drawn, no higher than ``most_height``, and the file it goes to.
    ``size`` is that of the window: what is longer makes it higher."""

    view: View
    theme: Theme
    size: tuple[int, int]
    path: Path
    most_height: int = _MOST_HEIGHT


def shoot(browser: Browser, url: str, shot: Shot) -> None:
    """One page, after its diff is there and its drawing stands still."""
    width, least = shot.size
    query = {**_DEFAULT_PAIR, **shot.view.query, "embed_options": f"{shot.theme}_theme"}
    with browser.new_context(viewport={"width": width, "height": least}) as context:
        page = context.new_page()
        page.goto(f"{url}/{shot.view.page}?{urlencode(query)}")
        expect(page.locator(shot.view.waits_for).first).to_be_attached(timeout=180_000)
        settle(page)
        main, height, before = page.get_by_test_id("stMain"), least, 0
        while before < height:  # a panel that scrolls by itself grows with the window
            before = height
            whole = int(main.evaluate("element => element.scrollHeight"))
            height = min(max(whole, least), shot.most_height)
            page.set_viewport_size({"width": width, "height": height})
            settle(page)
        page.wait_for_function("() => document.fonts.status === 'loaded'")
        shot.path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=shot.path, animations="disabled")


def _wanted(docs: bool) -> Iterator[Shot]:
    themes: tuple[Theme, ...] = ("light", "dark")
    for view, theme in itertools.product(VIEWS, themes):
        if not docs:
            for name, size in _SIZES.items():
                path = ROOT / "screenshots" / f"{view.name}-{theme}-{name}.png"
                yield Shot(view, theme, size, path)
        elif (view.name, theme) in _DOCS_SHOTS:
            file, most_height = _DOCS_SHOTS[view.name, theme]
            yield Shot(view, theme, _OF_DOCS, _DOCS / file, most_height)


def _measure_fleet(cache: Path) -> None:
    """Put results of one base into the server's ``cache``."""
    command = [sys.executable, "-m", "modeldiff", "fleet", "demo:base"]
    subprocess.run(
        [*command, *(f"demo:{name}" for name in _FLEET)],
        cwd=ROOT,
        env={**os.environ, "MODELDIFF_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def main() -> None:
    """Start a server with an empty cache, shoot, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--docs", action="store_true", help="only what the documentation shows, into docs/images/"
    )
    docs = parser.parse_args().docs
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        if not docs:
            _measure_fleet(server.cache)
        browser = launch_chromium(playwright)
        for shot in _wanted(docs):
            shoot(browser, server.url, shot)
            print(shot.path.relative_to(ROOT))
        browser.close()


if __name__ == "__main__":
    main()
