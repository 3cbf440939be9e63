"""The Architecture page in a browser: layer, search and a line of models, all by hand."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, settle

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_layer_search_and_line(server: Server, tab: Page) -> None:
    tab.set_default_timeout(120_000)  # the first config that is ever built imports transformers
    tab.goto(f"{server.url}/architecture?base=catalog:llama-3-8b&target=catalog:llama-3.2-1b")
    table = tab.locator(".st-key-layer_table")
    expect(table).to_contain_text("model.layers.31.mlp.up_proj.weight", timeout=120_000)
    expect(tab.locator(".st-key-evolution_5")).to_contain_text("Tied head", timeout=120_000)
    settle(tab)

    chooser = tab.locator(".st-key-layer_rows").get_by_role("combobox")
    chooser.click()
    chooser.fill("layer 7")
    tab.get_by_role("option", name="layer 7", exact=True).click()
    expect(table).to_contain_text("model.layers.7.mlp.up_proj.weight")
    search = tab.locator(".st-key-layer_search").get_by_role("searchbox")
    search.fill("k_proj")
    search.press("Enter")
    expect(table).not_to_contain_text("up_proj")
    expect(table).to_contain_text("model.layers.7.self_attn.k_proj.weight")

    line = tab.locator(".st-key-evolution_steps").get_by_role("combobox")
    line.fill("catalog:no-such-model")
    line.press("Enter")
    broken = tab.locator(".st-key-evolution_6")
    expect(broken).to_contain_text("This step cannot be opened.")
    settle(tab)
    said = parse_qs(urlsplit(tab.url).query)
    assert said["layer"] == ["7"]
    assert said["steps"][0].endswith(",catalog:llama-3.2-3b,catalog:no-such-model")

    tab.reload()
    expect(broken).to_contain_text("This step cannot be opened.")
    expect(table).to_contain_text("model.layers.7.mlp.up_proj.weight")
    expect(tab.locator(".st-key-evolution_5")).to_contain_text("Tied head")
