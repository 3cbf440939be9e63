"""The heatmap in a browser: its picture is chosen, clicked and walked with the keyboard."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.serving import Server, settle
from tests.support.planted import add_noise, llama_values, write_values

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def query(tab: Page) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(tab.url).query).items()}


def open_measured(tab: Page, url: str) -> Locator:
    """Open a heatmap, wait until its diff is there, and return the panel."""
    tab.goto(url)
    measured = tab.locator(".st-key-measured")
    expect(measured).to_be_visible(timeout=120_000)
    settle(tab)
    return tab.locator(".st-key-place_panel")


def choose(tab: Page, chooser: str, option: str) -> None:
    tab.locator(f".st-key-{chooser}").get_by_role("combobox").click()
    tab.get_by_role("option", name=option, exact=True).click()
    settle(tab)


def test_a_cell_is_clicked_where_each_component_has_a_scale(server: Server, tab: Page) -> None:
    panel = open_measured(tab, f"{server.url}/heatmap")
    choose(tab, "scale_chooser", "One a component")
    chart = tab.locator(".st-key-heatmap")
    expect(chart).to_contain_text("each component's own top")
    tab.get_by_label(re.compile(r"^layer 2 · input_layernorm:")).click()
    expect(panel).to_contain_text("Layer 2 · input_layernorm")
    assert query(tab) == {"scale": "component", "layer": "2", "component": "input_layernorm"}

    tab.get_by_label(re.compile(r"^layer 5 as a whole:")).click()
    expect(panel).to_contain_text("Layer 5 as a whole")
    assert query(tab) == {"scale": "component", "layer": "5"}
    tab.get_by_label(re.compile(r"^mlp\.up_proj over all layers:")).click()
    expect(panel).to_contain_text("All layers · mlp.up_proj")
    tab.go_back()
    expect(panel).to_contain_text("Layer 5 as a whole")
    tab.reload()
    expect(panel).to_contain_text("Layer 5 as a whole")
    expect(chart).to_contain_text("each component's own top")


def test_the_picture_is_turned_and_sorted_by_keyboard(server: Server, tab: Page) -> None:
    panel = open_measured(tab, f"{server.url}/heatmap")
    tab.locator(".st-key-picture").get_by_role("button").first.focus()
    tab.keyboard.press("Enter")
    across = tab.get_by_role("radio", name="Across")
    expect(across).to_be_visible()
    across.focus()
    tab.keyboard.press("Enter")
    settle(tab)
    expect(tab.locator(".st-key-heatmap")).to_contain_text("whole layer")
    assert query(tab) == {"across": "1"}
    tab.keyboard.press("Escape")

    cell = panel.get_by_label("Cell", exact=True)
    cell.focus()
    cell.fill("layer 6 k_proj")
    tab.keyboard.press("Enter")
    expect(panel).to_contain_text("Layer 6 · self_attn.k_proj")
    outlined = tab.get_by_label(re.compile(r"^layer 6 · self_attn\.k_proj:"))
    expect(outlined).to_be_visible()
    assert query(tab) == {"across": "1", "layer": "6", "component": "self_attn.k_proj"}


def test_an_expert_among_thousands_is_clicked(server: Server, tab: Page, tmp_path: Path) -> None:
    """Beyond two thousand cells the chart is a canvas: what is clicked is found by its place."""
    base = llama_values(layers=16, experts=130)
    small = {name: value[:8, :8] if ".experts." in name else value for name, value in base.items()}
    target = add_noise(small, 0.3, "layers.9.mlp.experts.65.")
    pair = {
        "base": str(write_values(tmp_path / "base", small)),
        "target": str(write_values(tmp_path / "target", target)),
        "experts": "mlp.experts.up_proj",
    }
    panel = open_measured(tab, f"{server.url}/heatmap?{urlencode(pair)}")
    chart = tab.locator(".st-key-heatmap")
    canvas = chart.locator("canvas").first
    expect(canvas).to_be_visible()
    box = canvas.bounding_box()
    assert box is not None
    # The middle of the page's width is about the middle of the experts.
    canvas.click(position={"x": box["width"] * 0.45, "y": box["height"] * 0.5})
    expect(panel).to_contain_text(re.compile(r"Layer \d+, expert \d+"))
    said = query(tab)
    assert said["component"] == "mlp.experts.up_proj"
    assert 0 <= int(said["layer"]) < 16 and 30 < int(said["expert"]) < 100
    assert f"experts.{said['expert']}.up_proj" in panel.inner_text()
