"""Every page can be read: contrast and size of all text, no sideways scrolling, axe's rules."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import measure

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

_TEXTS = Path(__file__).with_name("reading.js").read_text(encoding="utf-8")
_AXE = (Path(__file__).parents[1] / "data" / "axe" / "axe.min.js").read_text(encoding="utf-8")
_PAGES = (
    ("Compare", "?target=demo:lora"),
    ("Architecture", "architecture?target=demo:lora"),
    ("Heatmap", "heatmap?target=demo:lora&layer=3&component=self_attn.q_proj"),
    ("Diagram", "diagram?target=demo:lora&layer=3&component=mlp.up_proj"),
    ("Beyond the weights", "beyond?target=demo:continued"),
    ("Evolution", "evolution?"),
    ("saved result", "result?result={kept}"),
    ("gallery", "gallery?"),
    ("fleet", "fleet?"),
    ("pair of configs' blocks", "architecture?base=catalog:llama-3-8b&target=catalog:qwen2-7b"),
    ("configs", "?base=catalog:llama-3-8b&target=catalog:llama-3.1-8b"),
    ("one model", "?base=demo:base&alone=1"),
    ("its diagram", "diagram?base=demo:base&alone=1"),
    ("answer presented", "?target=demo:lora&present=answer"),
    ("cell presented", "?target=demo:lora&layer=3&component=self_attn.q_proj&present=heatmap"),
    ("diagram presented", "?target=demo:lora&layer=3&present=diagram"),
    ("evolution presented", "evolution?present=evolution"),
    ("facts presented", "?target=demo:lora&present=facts"),
)
_LEAST_SIZE, _LEAST_DRAWN, _LEAST_CONTRAST, _LEAST_OF_LARGE = 13, 13, 4.5, 3.0
_ROUNDING = 0.05
_THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_GROUNDS = {"light": "rgb(251, 250, 247)", "dark": "rgb(16, 20, 23)"}


@dataclass(frozen=True)
class _Text:
    """A text on the page: what it says, its size in CSS pixels, whether it is part of a
    drawing, and contrast."""

    text: str
    size: float
    drawn: bool
    large: bool
    contrast: float


def _luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(ink: tuple[float, ...], paper: tuple[float, ...]) -> float:
    dark, light = sorted((_luminance(ink), _luminance(paper)))
    return (light + 0.05) / (dark + 0.05)


def _texts(tab: Page) -> list[_Text]:
    """Every visible text, measured against what is really painted behind it."""
    texts: list[dict[str, Any]] = tab.evaluate(_TEXTS)
    picture = Image.open(BytesIO(tab.screenshot(animations="disabled"))).convert("RGB")
    return [_measured(text, picture) for text in texts]


def _measured(text: dict[str, Any], picture: Image.Image) -> _Text:
    box = tuple(round(text[side]) for side in ("left", "top", "right", "bottom"))
    part = picture.crop(box)
    # Letters cover less than what is behind them.
    _, paper = max(part.getcolors(part.width * part.height) or ())
    assert isinstance(paper, tuple)
    alpha = text["alpha"]
    ink = tuple(alpha * c + (1 - alpha) * p for c, p in zip(text["colour"], paper, strict=True))
    large = text["size"] >= 24 or (text["size"] >= 18.66 and text["weight"] >= 700)
    return _Text(text["text"], text["size"], text["drawn"], large, _contrast(ink, paper))


@pytest.fixture(scope="module")
def kept(server: Server) -> str:
    """The key of a saved result, one of a fleet of two or more."""
    measure(server, "demo:base", "demo:tuned")
    return measure(server, "demo:base", "demo:lora")


@pytest.mark.parametrize("pages", [_PAGES[::2], _PAGES[1::2]], ids=["odd", "even"])
def test_every_page_can_be_read(
    server: Server, tab: Page, kept: str, pages: tuple[tuple[str, str], ...]
) -> None:
    """Each is loaded once, on a phone, and turned dark, as a phone does in the evening; then
    widened to a desktop's window, and turned light again."""
    complaints: list[str] = []
    tab.emulate_media(color_scheme="light")
    for name, address in pages:
        tab.set_viewport_size({"width": 430, "height": 720})
        tab.goto(f"{server.url}/{address.format(kept=kept)}")
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        if "demo:lora" in address and "present=" not in address:
            expect(tab.locator(".st-key-measured").first).to_be_attached()
        for width, themes in ((430, _THEMES), (1280, _THEMES[::-1])):
            where = f"{name}, {width} px wide"
            _widen(tab, width)
            if not tab.get_by_test_id("stMain").evaluate("e => e.scrollWidth <= e.clientWidth"):
                complaints.append(f"{where}: scrolls sideways")
            complaints += [f"{where}: {complaint}" for complaint in _against_rules(tab)]
            for theme in themes:
                _turn(tab, theme)
                complaints += [f"{where}, {theme}: {complaint}" for complaint in _illegible(tab)]
    assert complaints == []


def _widen(tab: Page, width: int) -> None:
    """Make the window so wide, and as high as all of the page."""
    tab.set_viewport_size({"width": width, "height": 720})
    settle(tab)
    height = int(tab.get_by_test_id("stMain").evaluate("e => e.scrollHeight"))
    if height > 720:
        tab.set_viewport_size({"width": width, "height": min(height, 9000)})
        settle(tab)


def _turn(tab: Page, theme: Literal["light", "dark"]) -> None:
    tab.emulate_media(color_scheme=theme)
    expect(tab.get_by_test_id("stApp")).to_have_css("background-color", _GROUNDS[theme])
    settle(tab)


def _illegible(tab: Page) -> list[str]:
    complaints = []
    texts = _texts(tab)
    if not texts:
        complaints.append("no text is in sight")
    for text in texts:
        if text.size < (_LEAST_DRAWN if text.drawn else _LEAST_SIZE) - _ROUNDING:
            complaints.append(f"{text.size:.1f} px: {text.text}")
        least = _LEAST_OF_LARGE if text.large else _LEAST_CONTRAST
        if text.contrast < least - _ROUNDING:
            complaints.append(f"{text.contrast:.2f} : 1: {text.text}")
    return complaints


def _against_rules(tab: Page) -> list[str]:
    """What axe finds. Contrast is measured by ourselves, also where axe cannot, and is what takes
    axe longest."""
    tab.evaluate(_AXE)
    violations = tab.evaluate(
        """async () => (await axe.run({
          rules: { "color-contrast": { enabled: false } }, resultTypes: ["violations"],
        })).violations"""
    )
    return [
        f"axe {rule['id']}: {rule['help']}: {[node['html'][:160] for node in rule['nodes'][:3]]}"
        for rule in violations
        if rule["impact"] in ("serious", "critical")
    ]
