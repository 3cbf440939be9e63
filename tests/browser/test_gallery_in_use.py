"""The gallery in use: from the bar to a picture, to its result, to its models."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import expect_page, expect_query, open_measured

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


def test_from_the_bar_to_a_result_and_its_models(server: Server, tab: Page) -> None:
    open_measured(tab, server.url)
    tab.get_by_role("link", name="Gallery", exact=True).click()
    expect_page(tab, "Gallery")
    card = tab.locator(".st-key-exhibit_demo-unrelated")
    expect(card.locator("svg.heatmap [data-cell]").first).to_be_visible()
    card.get_by_role("link", name="Open the result").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Demo base → Demo unrelated")
    expect(tab.locator(".st-key-measured")).to_contain_text("All 75 tensors compared")
    settle(tab)
    expect_query(tab, {"result": "gallery:demo-unrelated"})
    tab.get_by_role("link", name="Open the models").click()
    expect_page(tab, "Compare")
    expect(tab.locator(".st-key-measured")).to_be_visible(timeout=120_000)
    expect_query(tab, {"target": "demo:unrelated"}, others=True)


def test_all_pictures_fit_a_phone(server: Server, tab: Page) -> None:
    tab.set_viewport_size({"width": 430, "height": 900})
    tab.goto(f"{server.url}/gallery")
    pictures = tab.locator("[class*=st-key-exhibit_] svg.heatmap")
    expect(pictures).to_have_count(4)
    settle(tab)
    for number in range(4):
        box = pictures.nth(number).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 430
