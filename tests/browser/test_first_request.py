"""A deep link as the very first request of a server, and one question asked by many at once."""

from __future__ import annotations

import re
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import expect_page, query

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

# Streamlit's own list of a folder of pages, before the entrypoint has said what to show.
_WATCH_FOR_A_SIDEBAR = """new MutationObserver(() => {
  if (document.querySelector("[data-testid=stSidebar]")) window.sidebarSeen = true
}).observe(document, { childList: true, subtree: true })"""


@pytest.mark.parametrize("page", ["architecture", "heatmap"])
def test_a_deep_link_on_a_fresh_server(page: str, fresh_server: Server, tab: Page) -> None:
    link = {"target": "demo:lora", "layer": "2", "component": "mlp.up_proj"}
    tab.goto(f"{fresh_server.url}/{page}?{urlencode(link)}")
    expect_page(tab, page.capitalize())
    expect(tab.get_by_role("heading", level=1)).to_have_text("Demo base → Demo LoRA")
    if page == "heatmap":
        expect(tab.locator(".st-key-place_panel")).to_contain_text("Layer 2 · mlp.up_proj")
    expect(tab.locator(".st-key-measured")).to_be_visible(timeout=120_000)
    settle(tab)
    assert query(tab) == link


def test_three_tabs_and_one_diff_and_no_sidebar(
    fresh_server: Server, profile: BrowserContext
) -> None:
    with ExitStack() as stack:
        tabs = [stack.enter_context(profile.new_page()) for _ in range(3)]
        for tab in tabs:
            tab.add_init_script(_WATCH_FOR_A_SIDEBAR)
        links = {
            "Compare": "",
            "Heatmap": "heatmap",
            "Diagram": "diagram?layer=2&component=mlp.up_proj",
        }
        for tab, link in zip(tabs, links.values(), strict=True):
            tab.goto(f"{fresh_server.url}/{link}", wait_until="commit")
        said = set()
        for tab, page in zip(tabs, links, strict=True):
            expect_page(tab, page)
            measured = tab.locator(".st-key-measured").get_by_text("Measured on")
            expect(measured).to_be_visible(timeout=120_000)
            said.update(re.findall(r" in ([\w. ]+s)\b", measured.inner_text()))
            assert not tab.evaluate("() => window.sidebarSeen")
        assert len(said) == 1, "one time that it took"
        expect(tabs[2].locator(".st-key-place_panel")).to_contain_text("Layer 2 · mlp.up_proj")
        results = list(fresh_server.cache.rglob("*.parquet"))
        assert len(results) == 1
