"""What a newcomer does first: nothing moves under the mouse, fields take what is typed, and Back
leads where one came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, serve, settle
from tests.browser.conftest import expect_page, expect_query, open_measured, query

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

_PARTS = ("small_heatmap", "same", "status")


def _tops(tab: Page) -> dict[str, int]:
    """Where the parts of the first screen begin, in pixels."""
    boxes = {part: tab.locator(f".st-key-{part}").bounding_box() for part in _PARTS}
    return {part: round(box["y"]) for part, box in boxes.items() if box}


def test_the_first_screen_keeps_its_places(server: Server, tab: Page, tmp_path: Path) -> None:
    """Before a diff, and after it with one line or two, and with a long sentence below them."""
    tab.set_viewport_size({"width": 1280, "height": 720})
    ends = []
    for target in ("continued", "lora"):
        open_measured(tab, f"{server.url}/?base=demo:base&target=demo:{target}")
        ends.append(_tops(tab))
        measured = tab.locator(".st-key-measured").bounding_box()
        assert measured and measured["y"] + measured["height"] <= 720
        read = tab.get_by_role("button", name="How to read this").bounding_box()
        assert read and read["x"] > 1000
    # Here a diff waits for a process that does not run.
    with serve(tmp_path, environment={"MODELDIFF_WORKER": "yes"}) as waiting:
        tab.goto(f"{waiting.url}/?base=demo:base&target=demo:lora")
        expect(tab.locator(".st-key-job_diff")).to_be_visible()
        settle(tab)
        before = _tops(tab)
        tab.goto("about:blank")
    assert before.keys() == set(_PARTS)
    for end in ends:
        assert all(abs(end[part] - before[part]) <= 1 for part in _PARTS), (before, end)


def test_an_address_without_a_page_leads_to_compare(server: Server, tab: Page) -> None:
    tab.goto(server.url)
    expect_page(tab, "Compare")
    for name in ("compare", "no such page"):
        tab.goto(f"{server.url}/{name}?target=demo:lora&layer=2")
        expect(tab.get_by_role("heading", level=1)).to_have_text("Demo base → Demo LoRA")
        expect_page(tab, "Compare")
        assert tab.get_by_role("dialog").count() == 0
        expect_query(tab, {"target": "demo:lora", "layer": "2"})


def test_a_link_is_one_entry_of_the_history(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/?target=demo:lora")
    names = tab.get_by_role("heading", level=1)
    tab.get_by_role("button", name="Swap").click()
    expect(names).to_have_text("Demo LoRA → Demo base")
    settle(tab)
    before = query(tab)
    entries = tab.evaluate("history.length")
    links = (
        (tab.locator(".st-key-small_heatmap [data-cell]").nth(20), "Heatmap"),
        (tab.locator(".st-key-what_differs a").first, "Heatmap"),
        (tab.locator(".st-key-same a"), "Architecture"),
    )
    for link, page in links:
        link.click()
        expect_page(tab, page)
        assert tab.evaluate("history.length") == entries + 1
        tab.go_back()
        expect_page(tab, "Compare")
        expect_query(tab, before)
    tab.go_back()
    expect(names).to_have_text("Demo base → Demo LoRA")


def test_fields_of_the_pair_are_next_to_each_other_and_take_what_is_typed(
    server: Server, tab: Page
) -> None:
    open_measured(tab, server.url)
    tab.get_by_role("button", name="Pair", exact=True).click()
    tab.get_by_role("textbox", name="Base", exact=True).click()
    tab.keyboard.type("demo:lora")
    tab.keyboard.press("Tab")
    tab.keyboard.type("demo:base")
    expect(tab.get_by_role("textbox", name="Target", exact=True)).to_have_value("demo:base")
    expect(tab.get_by_text("Press Enter")).to_be_hidden()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Demo LoRA → Demo base")


def test_the_pairs_button_is_in_sight_on_a_laptop(server: Server, tab: Page) -> None:
    """Below its fields and above the end of what scrolls them."""
    tab.set_viewport_size({"width": 1280, "height": 720})
    open_measured(tab, server.url)
    tab.get_by_role("button", name="Pair", exact=True).click()
    form = tab.get_by_test_id("stPopoverBody")
    expect(form).to_be_in_viewport(ratio=1)
    expect(form.get_by_role("button", name="Compare", exact=True)).to_be_in_viewport(ratio=1)


def test_what_a_difference_means_has_room_on_a_phone(server: Server, tab: Page) -> None:
    tab.set_viewport_size({"width": 430, "height": 900})
    tab.goto(f"{server.url}/?base=catalog:llama-3-8b&target=catalog:qwen2-7b")
    meaning = tab.locator(".st-key-config_differences").get_by_text("rotations are slower")
    box = meaning.bounding_box()
    assert box and box["width"] > 300


def test_the_help_says_what_each_page_is_for(server: Server, tab: Page) -> None:
    open_measured(tab, server.url)
    pages = tab.get_by_role("navigation", name="Pages").get_by_role("link").all_inner_texts()
    tab.get_by_role("button", name="Help", exact=True).click()
    told = tab.get_by_role("dialog").locator("dl").first.locator("dt")
    assert "Fleet" in pages and told.all_inner_texts() == pages


def test_saving_is_in_sight_on_the_heatmaps_page(server: Server, tab: Page) -> None:
    tab.set_viewport_size({"width": 1280, "height": 720})
    open_measured(tab, f"{server.url}/heatmap?target=demo:lora")
    button = tab.get_by_role("button", name="Save", exact=True)
    box = button.bounding_box()
    assert box and box["y"] + box["height"] < 720
    button.click()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="SVG", exact=True).click()
    assert download.value.suggested_filename == "demo-base-to-demo-lora-heatmap.svg"
    drawing = Path(download.value.path()).read_text("utf-8")
    drawn = drawing.partition("</desc>")[2]
    assert "demo:lora, local:" in drawing and "local:" not in drawn and "demo:" not in drawn
