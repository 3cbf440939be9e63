"""The Architecture page in a browser: blocks, layer and search; and a line of models."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import expect_page, expect_query, query

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


def test_layer_and_search(server: Server, tab: Page) -> None:
    tab.set_default_timeout(120_000)  # the first config that is ever built imports transformers
    tab.goto(f"{server.url}/architecture?base=catalog:llama-3-8b&target=catalog:llama-3.2-1b")
    table = tab.locator(".st-key-layer_table")
    expect(table).to_contain_text("model.layers.31.mlp.up_proj.weight", timeout=120_000)
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

    expect_query(tab, {"layer": "7"}, others=True)
    tab.reload()
    expect(table).to_contain_text("model.layers.7.mlp.up_proj.weight")


def test_a_line_of_models_stands_in_the_address_and_its_steps_are_compared(
    server: Server, tab: Page
) -> None:
    tab.set_default_timeout(120_000)
    tab.goto(f"{server.url}/evolution")
    expect(tab.locator(".st-key-evolution_5")).to_contain_text("Tied head", timeout=120_000)
    line = tab.locator(".st-key-evolution_steps").get_by_role("combobox")
    line.fill("catalog:no-such-model")
    line.press("Enter")
    broken = tab.locator(".st-key-evolution_6")
    expect(broken).to_contain_text("This step cannot be opened.")
    settle(tab)
    assert query(tab)["steps"].endswith(",catalog:llama-3.2-1b,catalog:no-such-model")
    tab.reload()
    expect(broken).to_contain_text("This step cannot be opened.")

    step = tab.locator(".st-key-evolution_4")
    step.get_by_role("link", name="Compare with the previous model").click()
    expect_page(tab, "Compare")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Llama 3 8B → Llama 3.1 8B")
    expect_query(tab, {"target": "catalog:llama-3.1-8b"}, others=True)


def test_the_two_blocks_explain_themselves(server: Server, tab: Page) -> None:
    tab.set_default_timeout(120_000)
    tab.goto(f"{server.url}/architecture?base=catalog:gpt2-124m&target=catalog:llama-3-8b")
    blocks = tab.locator(".st-key-blocks")
    expect(blocks.locator("svg")).to_be_visible(timeout=120_000)
    expect(blocks).to_contain_text("no RoPE")
    settle(tab)
    outlines = blocks.locator("rect.built").all()
    assert outlines and all(
        outline.evaluate("e => getComputedStyle(e).strokeWidth") == "3px" for outline in outlines
    )

    blocks.locator("[data-node='mlp.gate_proj']").press("Enter")
    told = tab.get_by_role("dialog")
    expect(told).to_contain_text("There is nothing at this place.")
    expect(told).to_contain_text("W_gate")
    told.get_by_role("link", name="See it in the diagram").click()
    expect_page(tab, "Diagram")
    expect_query(tab, {"component": "mlp.gate_proj", "side": "target"}, others=True)


def test_a_phone_reaches_the_other_model(server: Server, tab: Page) -> None:
    tab.set_default_timeout(120_000)
    tab.set_viewport_size({"width": 430, "height": 900})
    tab.goto(f"{server.url}/architecture?base=catalog:llama-3-8b&target=catalog:qwen2-7b")
    expect(tab.locator(".st-key-layer_table")).to_be_visible(timeout=120_000)
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


def test_a_phone_stops_at_a_model_of_the_row(server: Server, tab: Page) -> None:
    tab.set_viewport_size({"width": 430, "height": 900})
    tab.goto(f"{server.url}/evolution")
    frame = tab.locator(".st-key-stacks div.frame")
    expect(frame).to_be_visible(timeout=120_000)
    settle(tab)
    frame.evaluate("e => e.scrollBy(150, 0)")
    at, *stops = frame.evaluate(
        "e => [e.scrollLeft, ...[...e.querySelectorAll('.stop')].map(stop => stop.offsetLeft)]"
    )
    assert len(stops) == 5 and stops[0] == 0
    assert abs(at - stops[1]) <= 1
