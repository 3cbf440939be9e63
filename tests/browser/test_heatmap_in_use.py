"""The heatmap in a browser: its picture is chosen, clicked and walked with the keyboard."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from modeldiff.drawings import DARK, LIGHT
from modeldiff.drawings.heatmap.faces import STEPS
from modeldiff.drawings.style.ink import colour_at
from scripts.serving import Server, settle
from tests.browser.conftest import expect_query, focused, open_measured
from tests.support.planted import add_noise, llama_values, write_values

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


def open_heatmap(tab: Page, url: str) -> Locator:
    """Open it, wait until its diff is there, and return the panel."""
    open_measured(tab, url)
    return tab.locator(".st-key-place_panel")


def choose(tab: Page, chooser: str, option: str) -> None:
    tab.locator(f".st-key-{chooser}").get_by_role("combobox").click()
    tab.get_by_role("option", name=option, exact=True).click()
    settle(tab)


def test_a_cell_is_clicked_where_each_component_has_a_scale(server: Server, tab: Page) -> None:
    panel = open_heatmap(tab, f"{server.url}/heatmap")
    choose(tab, "scale_chooser", "One a component")
    chart = tab.locator(".st-key-heatmap")
    expect(chart).to_contain_text("each one's own end")
    tab.get_by_label(re.compile(r"^layer 2 · input_layernorm:")).click()
    expect(panel).to_contain_text("Layer 2 · input_layernorm")
    expect_query(tab, {"scale": "component", "layer": "2", "component": "input_layernorm"})

    tab.get_by_label("Cell", exact=True).fill("layer 5 up_proj")
    tab.get_by_label("Cell", exact=True).press("Enter")
    expect(panel).to_contain_text("Layer 5 · mlp.up_proj")
    tab.go_back()
    expect(panel).to_contain_text("Layer 2 · input_layernorm")
    tab.reload()
    expect(panel).to_contain_text("Layer 2 · input_layernorm")
    expect(chart).to_contain_text("each one's own end")
    chosen = tab.locator(".st-key-heatmap [aria-selected=true]")
    expect(chosen).to_have_attribute("aria-label", re.compile("^layer 2 · input_layernorm"))
    # Once more, and nothing is chosen.
    chosen.click()
    expect(panel).to_have_count(0)
    expect_query(tab, {"scale": "component"})


def test_a_margin_stands_for_a_whole_layer_or_component(server: Server, tab: Page) -> None:
    tab.set_viewport_size({"width": 1600, "height": 900})
    panel = open_heatmap(tab, f"{server.url}/heatmap")
    tab.get_by_label(re.compile(r"^layer 5 as a whole:")).click()
    expect(panel).to_contain_text("Layer 5 as a whole")
    expect_query(tab, {"layer": "5"})
    tab.go_back()
    tab.get_by_label(re.compile(r"^mlp\.up_proj over all layers:")).click()
    expect(panel).to_contain_text("All layers · mlp.up_proj")


def test_the_picture_is_turned_and_sorted_by_keyboard(server: Server, tab: Page) -> None:
    panel = open_heatmap(tab, f"{server.url}/heatmap")
    tab.locator(".st-key-picture").get_by_role("button").first.focus()
    tab.keyboard.press("Enter")
    down = tab.get_by_role("radio", name="Down")
    expect(down).to_be_visible()
    down.focus()
    tab.keyboard.press("Enter")
    expect_query(tab, {"across": "0"})
    settle(tab)
    tab.keyboard.press("Escape")

    def top_of(layer: int) -> float:
        cell = tab.get_by_label(re.compile(rf"^layer {layer} · self_attn\.k_proj:"))
        box = cell.bounding_box()
        assert box is not None
        return box["y"]

    assert top_of(2) < top_of(3) < top_of(6)
    cell = tab.get_by_label("Cell", exact=True)
    cell.focus()
    cell.fill("layer 6 k_proj")
    tab.keyboard.press("Enter")
    expect(panel).to_contain_text("Layer 6 · self_attn.k_proj")
    outlined = tab.locator(".st-key-heatmap [aria-selected=true]")
    expect(outlined).to_have_attribute("aria-label", re.compile(r"^layer 6 · self_attn\.k_proj:"))
    expect_query(tab, {"across": "0", "layer": "6", "component": "self_attn.k_proj"})


def test_the_cells_are_walked_with_the_keyboard(server: Server, tab: Page) -> None:
    # High enough for the whole picture: what is focused is not scrolled to.
    tab.set_viewport_size({"width": 1440, "height": 1200})
    panel = open_heatmap(tab, f"{server.url}/heatmap")
    chart = tab.locator(".st-key-heatmap")
    settle(tab)
    before = chart.bounding_box()
    tab.get_by_role("button", name="Full screen").focus()
    tab.keyboard.press("Tab")
    assert focused(tab).startswith("embed_tokens: ")
    line = chart.locator(".line")
    expect(line).to_contain_text("embed_tokens: median relative change")
    expect(line).to_contain_text("Enter opens · Esc leaves")
    tab.keyboard.press("ArrowRight")
    first = focused(tab)
    assert first.startswith("layer 0 · ")
    tab.keyboard.press("End")
    assert focused(tab).startswith("layer 7 · ") and focused(tab)[10:30] == first[10:30]
    tab.keyboard.press("ArrowLeft")
    assert focused(tab).startswith("layer 6 · ")
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    place = focused(tab).partition(":")[0]
    assert place.startswith("layer 1 · ")
    after = chart.bounding_box()
    assert before is not None and after is not None and before == after, "nothing moves"
    tab.keyboard.press("Enter")
    expect(panel).to_contain_text(place.replace("layer", "Layer", 1))
    assert focused(tab).startswith(place), "the focus stays"
    expect(line).to_contain_text(place)
    expect(line).not_to_contain_text("Enter opens")  # the panel is open
    assert line.evaluate("line => line.scrollWidth <= line.clientWidth"), "nothing is cut"
    tab.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    settle(tab)
    tab.keyboard.press("Escape")
    assert focused(tab) == ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_whole_picture_is_on_one_screen_in_both_themes(
    server: Server, tab: Page, theme: str
) -> None:
    tab.set_viewport_size({"width": 1280, "height": 720})
    open_measured(tab, f"{server.url}/heatmap?embed_options={theme}_theme")
    svg = tab.locator(".st-key-heatmap svg.heatmap").last
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box is not None and box["height"] < 660
    cell = tab.get_by_label(re.compile(r"^layer 0 · self_attn\.q_proj:"))
    fill = cell.locator("rect").first.evaluate("e => getComputedStyle(e).fill")
    css = (cell.get_attribute("class") or "").split()[1]
    ramp = (LIGHT if theme == "light" else DARK).ramp
    colour = colour_at(ramp, int(css[1:]) / STEPS)
    assert "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", fill)) == colour


def test_headings_stay_in_view_on_a_phone(server: Server, tab: Page, tmp_path: Path) -> None:
    base = llama_values(layers=40)
    pair = {
        "base": str(write_values(tmp_path / "base", base)),
        "target": str(write_values(tmp_path / "target", add_noise(base, 0.1, ".layers."))),
    }
    tab.set_viewport_size({"width": 430, "height": 800})
    tab.goto(f"{server.url}/heatmap?{urlencode(pair)}")
    expect(tab.locator(".st-key-measured")).to_be_attached(timeout=120_000)
    settle(tab)
    stuck = tab.locator(".st-key-heatmap .stuck svg")
    expect(stuck).to_be_hidden()
    tab.get_by_label(re.compile(r"^layer 30 · mlp\.up_proj:")).scroll_into_view_if_needed()
    expect(stuck).to_be_visible()
    expect(stuck).to_contain_text("gate")
    box = stuck.bounding_box()
    assert box is not None and 0 <= box["y"] < 100 and box["height"] < 150
    assert tab.evaluate("document.documentElement.scrollWidth") <= 430


def test_the_panel_beside_many_layers_stays_in_view(
    server: Server, tab: Page, tmp_path: Path
) -> None:
    base = llama_values(layers=60)
    query = {
        "base": str(write_values(tmp_path / "base", base)),
        "target": str(write_values(tmp_path / "target", add_noise(base, 0.1, ".layers."))),
        "across": "0",
        "layer": "2",
        "component": "self_attn.q_proj",
    }
    panel = open_heatmap(tab, f"{server.url}/heatmap?{urlencode(query)}")
    tab.get_by_label(re.compile(r"^layer 40 · mlp\.up_proj:")).scroll_into_view_if_needed()
    box = panel.bounding_box()
    assert box is not None and box["y"] >= 60 and box["y"] + box["height"] <= 900


def test_keys_change_numbers_and_the_ceiling_on_the_page(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/heatmap")
    cell = tab.get_by_label(re.compile(r"^layer 2 · input_layernorm:"))
    number = cell.locator("text")
    cell.focus()
    tab.keyboard.press("n")
    expect(number).to_be_hidden()
    tab.keyboard.press("n")
    expect(number).to_be_visible()
    # It is the scale of the cell that ends higher: that of the norms.
    tab.keyboard.press("+")
    tab.wait_for_url(re.compile("top=%2C5|top=,5"))
    assert focused(tab).startswith("layer 2 · input_layernorm")


def test_an_expert_among_thousands_is_clicked(server: Server, tab: Page, tmp_path: Path) -> None:
    base = llama_values(layers=16, experts=130)
    small = {name: value[:8, :8] if ".experts." in name else value for name, value in base.items()}
    target = add_noise(small, 0.3, "layers.9.mlp.experts.65.")
    pair = {
        "base": str(write_values(tmp_path / "base", small)),
        "target": str(write_values(tmp_path / "target", target)),
        "experts": "mlp.experts.up_proj",
    }
    panel = open_heatmap(tab, f"{server.url}/heatmap?{urlencode(pair)}")
    tab.get_by_label(re.compile(r"^layer 9 · mlp\.experts\.up_proj, expert 65:")).click()
    expect(panel).to_contain_text("Layer 9, expert 65")
    chosen = {"component": "mlp.experts.up_proj", "layer": "9", "expert": "65"}
    expect_query(tab, chosen, others=True)
    assert "experts.65.up_proj" in panel.inner_text()
