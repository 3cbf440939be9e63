"""The fleet in use: from the bar to a pair."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from modeldiff.model import Model
from modeldiff.results.fleet.measuring import run_fleet
from scripts.serving import Server, settle
from tests.browser.conftest import expect_page, expect_query
from tests.support.results import cache_at

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


def test_a_row_leads_to_its_pair(fresh_server: Server, tab: Page) -> None:
    with cache_at(fresh_server.cache):
        run_fleet(Model.open("demo:base"), ["demo:tuned", "demo:lora"], device="cpu")
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(f"{fresh_server.url}/fleet?sort=name")
    expect_page(tab, "Fleet")
    rows = tab.locator("[class*=st-key-pair_]")
    expect(rows).to_have_count(2)
    expect(rows.first.locator("svg.heatmap [data-cell]").first).to_be_visible()
    links = tab.locator("nav .links a").all()
    assert len({round(box["y"]) for link in links if (box := link.bounding_box())}) == 1
    settle(tab)
    rows.first.get_by_role("link", name="Open the pair").click()
    expect_page(tab, "Compare")
    expect(tab.locator(".st-key-measured")).to_be_visible(timeout=120_000)
    expect_query(tab, {"target": "demo:lora"}, others=True)
