"""What people bring and take along: a saved result, a config, a link, a view for another page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import expect_page, open_measured, query

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


def drop(tab: Page, file: Path) -> None:
    """Drop a file where the pair is chosen."""
    tab.get_by_role("button", name="Pair", exact=True).click()
    tab.locator(".st-key-pair_chooser input[type=file]").set_input_files(file)


def test_a_saved_result_and_a_config_open_again(server: Server, tab: Page, tmp_path: Path) -> None:
    open_measured(tab, f"{server.url}/?target=demo:lora")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Parquet", exact=True).click()
    saved = tmp_path / "result.parquet"
    download.value.save_as(saved)
    names = tab.get_by_role("heading", level=1)
    tab.get_by_role("button", name="Swap").click()
    expect(names).to_have_text("Demo LoRA → Demo base")
    settle(tab)
    drop(tab, saved)  # and it opens, without another click
    expect(names).to_have_text("Demo base → Demo LoRA")
    expect(tab.locator(".st-key-measured")).to_contain_text("All 75 tensors compared")
    settle(tab)
    assert set(query(tab)) == {"result"}
    tab.go_back()  # where the file lies no more, or it would open again
    expect(names).to_have_text("Demo LoRA → Demo base")
    settle(tab)
    expect_page(tab, "Compare")
    tab.go_back()
    expect(names).to_have_text("Demo base → Demo LoRA")
    expect_page(tab, "Compare")
    tab.go_forward()
    tab.go_forward()
    tab.wait_for_url("**/result?**")
    expect(tab).to_have_title("Result · modeldiff")  # until then Compare's picture is there
    # Cells tell their numbers without the weights.
    settle(tab)
    tab.get_by_label(re.compile("^layer 1 · self_attn.q_proj: median")).first.click()
    panel = tab.locator(".st-key-place_panel")
    expect(panel).to_contain_text("model.layers.1.self_attn.q_proj.weight")
    settle(tab)
    assert set(query(tab)) == {"result", "layer", "component"}
    tab.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()
    settle(tab)
    for name in ("Report", "SVG"):
        with tab.expect_download() as download:
            tab.get_by_role("button", name=name, exact=True).click()
        assert download.value.suggested_filename.startswith("demo-base-to-demo-lora-")
    tab.reload()
    expect(tab.locator(".st-key-measured")).to_contain_text("All 75 tensors compared")

    tab.goto(f"{server.url}/?target=demo:lora")
    config = Path(__file__).parents[2] / "demo" / "base" / "config.json"
    drop(tab, config)
    tab.get_by_role("button", name="Config alone").click()
    # The first config that is ever built imports transformers.
    expect(tab.get_by_text("8 layers × 128")).to_be_visible(timeout=120_000)
    tab.get_by_role("link", name="Diagram", exact=True).click()
    expect_page(tab, "Diagram")
    expect(tab.locator("[data-node='self_attn.q_proj']")).to_be_visible()


def test_an_embedded_view_has_neither_bar_nor_buttons(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/?embed=true")
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    assert tab.get_by_role("navigation").count() == 0
    assert tab.get_by_role("button", name="Pair", exact=True).count() == 0


def test_help_opens_by_its_key_and_closes(server: Server, tab: Page) -> None:
    open_measured(tab, server.url)
    tab.keyboard.press("?")
    help_ = tab.get_by_role("dialog", name="Help")
    expect(help_).to_contain_text("Relative Frobenius")
    tab.keyboard.press("Escape")
    expect(help_).to_be_hidden()
