"""From a click on a cell down to heads, tokens, pixels and singular values."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import expect_query, open_measured

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

_FIRST_PIXELS = """canvas => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
  return [canvas.width, canvas.height, ...pixels.slice(0, 40)]
}"""


def test_a_click_on_a_cell_shows_its_heads_and_then_what_else_there_is(
    server: Server, tab: Page
) -> None:
    open_measured(tab, f"{server.url}/heatmap?target=demo:lora")
    panel = tab.locator(".st-key-place_panel")
    tab.get_by_label(re.compile(r"^layer 3 · self_attn\.q_proj:")).first.click()
    expect(panel.get_by_label(re.compile("^How the relative change is spread"))).to_be_visible()
    expect(
        panel.get_by_label(re.compile(r"^Median relative change of 8 units: largest in query"))
    ).to_be_visible()
    expect(panel.get_by_text("Changed most:")).to_contain_text(re.compile(r"query head \d, "))

    panel.get_by_role("radio", name="Singular values").click()
    expect(panel.get_by_text("Fits a rank-4 update.")).to_be_visible()
    expect_query(tab, {"look": "spectrum"}, others=True)

    panel.get_by_role("radio", name="Image").click()
    canvas = panel.get_by_role("img", name=re.compile("^The change as an image of 128 × 128"))
    expect(canvas).to_have_attribute("data-drawn", re.compile("."))
    canvas.focus()
    tab.keyboard.press("ArrowRight")
    expect(panel.get_by_text(re.compile(r"^rows 0, columns 1: .*%$"))).to_be_visible()

    # The choice stays while the cell changes; an embedding has no heads, but rows, its tokens.
    tab.get_by_label(re.compile(r"^layer 4 · self_attn\.v_proj:")).first.click()
    expect(
        panel.get_by_role("img", name=re.compile("^The change as an image of 32 × 128"))
    ).to_be_visible()
    tab.get_by_label(re.compile(r"^embed_tokens:")).first.click()
    panel.get_by_role("radio", name="Tokens").click()
    panel.get_by_label("Search a token").fill("turtle")
    panel.get_by_label("Search a token").press("Enter")
    expect(panel.get_by_text(re.compile(r"^\d+ rows? found"))).to_be_visible()


def test_the_image_has_the_colours_of_the_theme_also_when_that_changes(
    server: Server, tab: Page
) -> None:
    tab.emulate_media(color_scheme="light")
    open_measured(tab, f"{server.url}/heatmap?layer=3&component=self_attn.k_proj&look=image")
    canvas = tab.get_by_role("img", name=re.compile("^The change as an image"))
    expect(canvas).to_have_attribute("data-drawn", re.compile("."))
    light = canvas.evaluate(_FIRST_PIXELS)
    assert light[:2] == [128, 32]
    tab.emulate_media(color_scheme="dark")
    element = canvas.element_handle()
    tab.wait_for_function(
        f"([canvas, before]) => String(({_FIRST_PIXELS})(canvas)) !== String(before)",
        arg=[element, light],
    )


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("layer=3&component=self_attn.q_proj", "Changed most:"),
        ("component=embed_tokens", "Moved least"),
        ("layer=3&component=mlp.up_proj&look=image", "Point at a block"),
        ("layer=3&component=mlp.up_proj&look=spectrum", "Effective rank"),
    ],
)
def test_none_is_wider_than_a_phone(server: Server, tab: Page, cell: str, shown: str) -> None:
    tab.set_viewport_size({"width": 430, "height": 900})
    tab.goto(f"{server.url}/heatmap?{cell}")
    expect(tab.locator(".st-key-place_panel").get_by_text(shown)).to_be_visible(timeout=120_000)
    settle(tab)
    main = tab.get_by_test_id("stMain")
    assert main.evaluate("e => e.scrollWidth <= e.clientWidth")
