"""Every page of the app, light and dark, wide and narrow: `python -m scripts.screenshots`.

Writes into screenshots/, which git ignores; with ``--docs`` only the few that the README and the
documentation show, into docs/images/.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.serving import ROOT, launch_chromium, serve, settle

Theme = Literal["light", "dark"]

_WIDTHS = {"wide": 1440, "narrow": 430}
_LEAST_HEIGHT, _MOST_HEIGHT = 900, 5000
_DEFAULT_PAIR = {"base": "demo:base", "target": "demo:continued"}


@dataclass(frozen=True)
class View:
    """A page with what is chosen on it."""

    name: str
    page: str
    query: dict[str, str]


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
    View("beyond", "beyond", {}),
    View("evolution", "evolution", {}),
)
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
    """A view as it is to be drawn, no higher than ``most_height``, and the file it goes to."""

    view: View
    theme: Theme
    width: int
    path: Path
    most_height: int = _MOST_HEIGHT


def shoot(browser: Browser, url: str, shot: Shot) -> None:
    """One page, after its diff is there and its drawing stands still."""
    with _opened(browser, url, shot.view, shot.theme, shot.width) as page:
        main = page.get_by_test_id("stMain")
        height = int(main.evaluate("element => element.scrollHeight"))
        height = min(max(height, _LEAST_HEIGHT), shot.most_height)
        page.set_viewport_size({"width": shot.width, "height": height})
        settle(page)
        page.wait_for_function("() => document.fonts.status === 'loaded'")
        shot.path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=shot.path, animations="disabled")


_WITHOUT_DIFF = ("Evolution", "Beyond the weights", "Gallery")
"""Pages that show nothing of what was measured."""


@contextmanager
def _opened(browser: Browser, url: str, view: View, theme: Theme, width: int) -> Iterator[Page]:
    query = {**_DEFAULT_PAIR, **view.query, "embed_options": f"{theme}_theme"}
    with browser.new_context(viewport={"width": width, "height": _LEAST_HEIGHT}) as context:
        page = context.new_page()
        page.goto(f"{url}/{view.page}?{urlencode(query)}")
        _wait_for_diff(page)
        yield page


def _wait_for_diff(page: Page) -> None:
    if page.get_by_role("heading", level=1).inner_text() not in _WITHOUT_DIFF:
        expect(page.locator(".st-key-measured")).to_be_attached(timeout=180_000)
    settle(page)


def _wanted(docs: bool) -> Iterator[Shot]:
    themes: tuple[Theme, ...] = ("light", "dark")
    for view, theme in itertools.product(VIEWS, themes):
        if not docs:
            for name, width in _WIDTHS.items():
                path = ROOT / "screenshots" / f"{view.name}-{theme}-{name}.png"
                yield Shot(view, theme, width, path)
        elif (view.name, theme) in _DOCS_SHOTS:
            file, most_height = _DOCS_SHOTS[view.name, theme]
            yield Shot(view, theme, _WIDTHS["wide"], _DOCS / file, most_height)


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
        browser = launch_chromium(playwright)
        for shot in _wanted(docs):
            shoot(browser, server.url, shot)
            print(shot.path.relative_to(ROOT))
        browser.close()


if __name__ == "__main__":
    main()
