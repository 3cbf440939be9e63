"""The Architecture page in a browser: blocks, layer, search and a line of models, all by hand."""

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
    assert said["steps"][0].endswith(",catalog:llama-3.2-1b,catalog:no-such-model")

    tab.reload()
    expect(broken).to_contain_text("This step cannot be opened.")
    expect(table).to_contain_text("model.layers.7.mlp.up_proj.weight")
    expect(tab.locator(".st-key-evolution_5")).to_contain_text("Tied head")


def test_the_two_blocks_explain_themselves_and_a_line_is_compared(
    server: Server, tab: Page
) -> None:
    tab.set_default_timeout(120_000)
    tab.goto(f"{server.url}/architecture?base=catalog:gpt2-124m&target=catalog:llama-3-8b")
    blocks = tab.locator(".st-key-blocks")
    expect(blocks.locator("svg")).to_be_visible(timeout=120_000)
    expect(blocks).to_contain_text("no RoPE")
    expect(tab.locator(".st-key-stacks svg")).to_be_visible(timeout=120_000)
    settle(tab)
    outlines = blocks.locator("rect.built").all()
    assert outlines and all(
        outline.evaluate("e => getComputedStyle(e).strokeWidth") == "3px" for outline in outlines
    )

    blocks.locator("[data-node='mlp.gate_proj']").press("Enter")
    told = tab.get_by_role("dialog")
    expect(told).to_contain_text("Nothing stands at this place.")
    expect(told).to_contain_text("W_gate")
    told.get_by_role("link", name="See it on the diagram").click()
    expect(tab.get_by_role("heading", name="Diagram", exact=True)).to_be_visible()
    settle(tab)
    said = parse_qs(urlsplit(tab.url).query)
    assert said["component"] == ["mlp.gate_proj"] and said["side"] == ["target"]

    tab.get_by_role("link", name="Architecture").click()
    step = tab.locator(".st-key-evolution_4")
    step.get_by_role("button", name="Compare it with the one before").click()
    expect(tab.get_by_text("Every parameter has the same place and the same shape")).to_be_visible()
    expect(tab.get_by_role("heading", name="Architecture", exact=True)).to_be_in_viewport()
    settle(tab)
    assert parse_qs(urlsplit(tab.url).query)["target"][-1] == "catalog:llama-3.1-8b"


def test_a_phone_reaches_the_other_model(server: Server, tab: Page) -> None:
    tab.set_default_timeout(120_000)
    tab.set_viewport_size({"width": 430, "height": 900})
    tab.goto(f"{server.url}/architecture?base=catalog:llama-3-8b&target=catalog:qwen2-7b")
    expect(tab.locator(".st-key-stacks svg")).to_be_visible(timeout=120_000)
    settle(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 430
    frame = tab.locator(".st-key-blocks .frame")
    assert frame.evaluate("e => e.scrollWidth > e.clientWidth")
    frame.evaluate("e => e.scrollTo(e.scrollWidth, 0)")
    there = tab.locator(".st-key-blocks [data-node='lm_head']").last
    box = there.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 430
    last = tab.locator(".st-key-layer_table").get_by_role("columnheader", name="Difference")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()
