"""The diagram as a reader plays, points at, and takes it along."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import expect_page, expect_query, open_measured

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


def test_the_layers_play_by_keyboard_and_leave_one_place_in_the_history(
    server: Server, tab: Page
) -> None:
    open_measured(tab, f"{server.url}/diagram?layer=5")
    places = tab.evaluate("history.length")
    diagram = tab.locator(".st-key-diagram")
    tab.get_by_role("button", name="Play").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Pause")).to_be_focused()
    expect(diagram).to_contain_text("layer 7")
    expect(tab.get_by_role("button", name="Play")).to_be_focused()
    expect(tab).to_have_url(re.compile("layer=7"))
    assert tab.evaluate("history.length") == places + 1


def test_a_box_tells_its_tensor_to_the_mouse_and_to_the_keyboard(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/diagram?layer=2")
    told = tab.locator(".st-key-diagram .tip")
    expect(told).to_be_hidden()
    box = tab.get_by_role("button", name=re.compile("^number 9, down_proj, "))
    box.hover()
    expect(told).to_contain_text("model.layers.2.mlp.down_proj.weight")
    expect(told).to_contain_text(re.compile(r"median relative change \d"))
    tab.mouse.move(0, 0)
    expect(told).to_be_hidden()
    tab.get_by_role("button", name="Full screen").focus()
    tab.keyboard.press("Tab")
    expect(told).to_contain_text("model.embed_tokens.weight")
    focused = tab.locator("[data-node='embed_tokens']")
    expect(focused).to_have_attribute("aria-description", re.compile("model.embed_tokens.weight"))
    expect(focused.locator(".box").first).to_have_css("stroke-width", "3px")
    tab.keyboard.press("Escape")
    expect(told).to_be_hidden()


def test_a_bar_over_all_layers_leads_to_its_layer_on_both_pages(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/diagram?layer=3&component=mlp.up_proj")
    panel = tab.locator(".st-key-place_panel")
    bar = panel.get_by_label(re.compile("^layer 6: median relative change"))
    bar.click()
    expect(panel).to_contain_text("Layer 6 · mlp.up_proj")
    tab.get_by_role("button", name="Previous").click()
    expect(panel).to_contain_text("Layer 5 · mlp.up_proj")
    settle(tab)
    # For the chart alone this click is no change.
    bar.click()
    expect(panel).to_contain_text("Layer 6 · mlp.up_proj")
    settle(tab)  # the link, too, is of the layer that was gone to
    panel.get_by_role("link", name="See it in the heatmap").click()
    expect_page(tab, "Heatmap")
    panel.get_by_label(re.compile("^layer 1: median relative change")).click()
    expect(panel).to_contain_text("Layer 1 · mlp.up_proj")
    settle(tab)
    panel.get_by_role("link", name="See it in the diagram").click()
    expect_page(tab, "Diagram")
    expect(panel).to_contain_text("Layer 1 · mlp.up_proj")
    expect(tab.locator("[data-node='mlp.up_proj']")).to_have_attribute("aria-pressed", "true")


def test_the_list_goes_along_into_files_of_a_chosen_size(
    server: Server, tab: Page, tmp_path: Path
) -> None:
    open_measured(tab, f"{server.url}/diagram?layer=1")
    tab.get_by_role("button", name="Figure", exact=True).click()
    tab.get_by_role("radio", name="One column: 85 mm").click()
    expect(tab.get_by_text("The figure: 85 ×")).to_be_visible()
    settle(tab)
    tab.keyboard.press("Escape")
    files = {}
    for name in ("SVG", "PDF"):
        with tab.expect_download() as download:
            tab.get_by_role("button", name=name, exact=True).click()
        assert download.value.suggested_filename == (
            f"demo-base-to-demo-continued-diagram-layer-1.{name.lower()}"
        )
        files[name] = Path(download.value.path()).read_bytes()
    root = ElementTree.fromstring(files["SVG"])
    assert root.get("width") == "85mm"
    words = " ".join("".join(root.itertext()).split())
    assert "The nine parameters of a layer" in words and "demo:continued, local:" in words
    assert files["PDF"].startswith(b"%PDF") and b"/Type3" not in files["PDF"]
    # Opened from disk, the drawing is in the app's font although that is not installed.
    (tmp_path / "drawing.svg").write_bytes(files["SVG"])
    tab.goto((tmp_path / "drawing.svg").as_uri())
    faces = tab.evaluate("document.fonts.ready.then(fonts => [...fonts].map(face => face.status))")
    assert faces == ["loaded", "loaded"]


def test_boxes_are_one_stop_and_gone_through_by_arrows_and_digits(
    server: Server, tab: Page
) -> None:
    open_measured(tab, f"{server.url}/diagram?layer=1")
    tab.get_by_role("button", name="Full screen").focus()
    tab.keyboard.press("Tab")
    expect(tab.locator("[data-node='embed_tokens']")).to_be_focused()
    for key, node in (
        ("ArrowRight", "input_layernorm"),
        ("ArrowRight", "self_attn.q_proj"),
        ("ArrowLeft", "input_layernorm"),
        ("9", "mlp.down_proj"),
        ("End", "lm_head"),
        ("3", "self_attn.k_proj"),
    ):
        tab.keyboard.press(key)
        expect(tab.locator(f"[data-node='{node}']")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator(".st-key-place_panel")).to_contain_text("Layer 1 · self_attn.k_proj")
    expect(tab.locator(".st-key-diagram [tabindex='0']")).to_have_count(1)


def test_a_full_screen_is_steered_by_keys(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/diagram?layer=3")
    diagram = tab.locator(".st-key-diagram")
    expect(diagram.get_by_text("Demo base → Demo continued, layer 3")).to_be_hidden()
    tab.get_by_role("button", name="Full screen").click()
    expect(diagram.get_by_text("Demo base → Demo continued, layer 3")).to_be_visible()
    # On a screen wider than high, the sublayers stand side by side.
    svg = diagram.locator("svg")
    expect(svg).to_have_attribute("width", re.compile(r"^1\d{3}$"))
    box, screen = svg.bounding_box(), tab.viewport_size
    assert box and screen and box["height"] < screen["height"] and box["width"] < screen["width"]
    for key, layer in (("ArrowRight", 4), ("ArrowRight", 5), ("ArrowLeft", 4)):
        tab.keyboard.press(key)
        expect(diagram).to_contain_text(f"layer {layer}")
        expect_query(tab, {"layer": str(layer)}, others=True)
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.locator("[aria-pressed=true]")).to_have_count(1)
