"""What a reader does in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import expect_page, expect_query, open_measured, query

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


def test_a_diff_runs_by_itself_and_shows_its_progress(server: Server, tab: Page) -> None:
    # No other test measures this pair.
    tab.goto(f"{server.url}/?base=demo:lora&target=demo:unrelated")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Demo LoRA → Demo unrelated")
    expect(tab.get_by_role("heading", name="Numbers", exact=True)).to_be_visible(timeout=120_000)
    expect(tab.get_by_test_id("stMetric")).to_have_count(5)
    expect(tab.locator(".st-key-measured")).to_contain_text("All 75 tensors compared")


def test_a_click_on_a_cell_goes_to_the_url_and_stays(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/heatmap")
    panel = tab.locator(".st-key-place_panel")
    expect(tab.get_by_label("Cell", exact=True)).to_be_visible()
    tab.get_by_label(re.compile(r"^layer 3 · self_attn\.v_proj:")).click()
    expect(panel).to_contain_text("Layer 3 · self_attn.v_proj")
    expect(panel.get_by_test_id("stMetric")).to_have_count(4)
    expect_query(tab, {"layer": "3", "component": "self_attn.v_proj"})

    tab.get_by_label(re.compile(r"^layer 5 · mlp\.up_proj:")).click()
    expect(panel).to_contain_text("Layer 5 · mlp.up_proj")
    tab.reload()
    expect(panel).to_contain_text("Layer 5 · mlp.up_proj")
    tab.go_back()
    expect(panel).to_contain_text("Layer 3 · self_attn.v_proj")
    # Chosen before Back, and so for the chart alone no change.
    tab.get_by_label(re.compile(r"^layer 5 · mlp\.up_proj:")).click()
    expect(panel).to_contain_text("Layer 5 · mlp.up_proj")
    tab.get_by_label("Cell", exact=True).fill("layer 3 v_proj")
    tab.get_by_label("Cell", exact=True).press("Enter")
    expect(panel).to_contain_text("Layer 3 · self_attn.v_proj")

    # The panel fills from its head down: its link is the last to follow.
    to_diagram = panel.get_by_role("link", name="See it in the diagram")
    expect(to_diagram).to_have_attribute("href", re.compile("layer=3"))
    to_diagram.click()
    expect_page(tab, "Diagram")
    expect(panel).to_contain_text("Layer 3 · self_attn.v_proj")
    expect(tab.locator("[data-node='self_attn.v_proj']")).to_have_attribute("aria-pressed", "true")
    panel.get_by_role("link", name="See it in the heatmap").click()
    expect_page(tab, "Heatmap")
    expect(panel).to_contain_text("Layer 3 · self_attn.v_proj")


def test_the_metric_comes_along_to_the_next_page(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/heatmap?layer=2&component=mlp.down_proj")
    tab.locator(".st-key-metric_chooser").get_by_role("combobox").click()
    tab.get_by_role("option", name="Cosine distance").click()
    grid = tab.locator(".st-key-heatmap").get_by_role("grid")
    expect(grid).to_have_attribute("aria-label", re.compile("^Cosine distance of"))
    settle(tab)
    tab.get_by_role("link", name="Diagram", exact=True).click()
    expect_page(tab, "Diagram")
    expect_query(tab, {"metric": "cosine_distance"}, others=True)
    expect(tab.locator(".st-key-place_panel")).to_contain_text("Layer 2 · mlp.down_proj")


def test_the_diagram_by_mouse_and_by_keyboard(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/diagram?layer=4")
    panel = tab.locator(".st-key-place_panel")
    query_box = tab.locator("[data-node='self_attn.q_proj']")
    query_box.click()
    expect(panel).to_contain_text("Layer 4 · self_attn.q_proj")
    expect(query_box).to_have_attribute("aria-pressed", "true")
    expect_query(tab, {"layer": "4", "component": "self_attn.q_proj"})

    tab.keyboard.press("ArrowRight")
    focused = tab.evaluate(
        "() => { const host = document.querySelector('.st-key-diagram *:has(> .host)') "
        "?? [...document.querySelectorAll('*')].find((e) => e.shadowRoot?.activeElement);"
        " return (host.shadowRoot ?? document).activeElement.dataset.node }"
    )
    assert focused not in (None, "self_attn.q_proj")
    tab.keyboard.press("Enter")
    expect(panel).to_contain_text(f"· {focused}")
    expect(query_box).to_have_attribute("aria-pressed", "false")
    tab.keyboard.press(" ")
    expect(panel).to_contain_text("Choose a box")
    assert "component" not in query(tab)

    tab.get_by_role("button", name="Next").click()
    expect(tab.locator(".st-key-diagram")).to_contain_text("layer 5")
    expect_query(tab, {"layer": "5"}, others=True)


def test_a_pair_is_chosen_in_one_step_and_is_one_entry_of_history(
    server: Server, tab: Page
) -> None:
    open_measured(tab, f"{server.url}/?embed_options=light_theme")
    names = tab.get_by_role("heading", level=1)
    entries = "() => history.length"
    before = tab.evaluate(entries)
    tab.get_by_role("button", name="Pair", exact=True).click()
    tab.locator(".st-key-preset").get_by_role("combobox").click()
    tab.get_by_role("option", name="Configs: Llama 3 → 3.1, 8B").click()
    expect(names).to_have_text("Llama 3 8B → Llama 3.1 8B")
    assert tab.evaluate(entries) == before + 1
    tab.get_by_role("button", name="Swap").click()
    expect(names).to_have_text("Llama 3.1 8B → Llama 3 8B")
    settle(tab)
    pair = {"base": "catalog:llama-3.1-8b", "target": "catalog:llama-3-8b"}
    expect_query(tab, pair | {"embed_options": "light_theme"})
    assert tab.evaluate(entries) == before + 2
    tab.get_by_role("link", name="Heatmap", exact=True).click()
    expect_page(tab, "Heatmap")
    expect(tab.get_by_text("without weights")).to_be_visible()
    assert tab.evaluate(entries) == before + 3
    tab.go_back()
    tab.go_back()
    expect(names).to_have_text("Llama 3 8B → Llama 3.1 8B")
    expect_page(tab, "Compare")
    tab.go_back()
    expect(names).to_have_text("Demo base → Demo continued")
    tab.go_forward()
    expect(names).to_have_text("Llama 3 8B → Llama 3.1 8B")


def test_a_pair_of_ones_own_has_labels_and_hides_a_token(server: Server, tab: Page) -> None:
    open_measured(tab, server.url)
    names = tab.get_by_role("heading", level=1)
    tab.get_by_role("button", name="Pair", exact=True).click()
    tab.get_by_label("Target", exact=True).fill("/no/such/folder")
    tab.get_by_role("textbox", name="Base is called").fill("Ours, before")
    tab.get_by_role("button", name="Compare", exact=True).click()
    expect(names).to_have_text("Ours, before → /no/such/folder")
    expect(tab.get_by_text("Target cannot be opened.")).to_be_visible()
    tab.reload()
    expect(names).to_have_text("Ours, before → /no/such/folder")
    tab.get_by_role("button", name="Pair", exact=True).click()
    tab.get_by_label("Target", exact=True).fill("https://user:hf_secret@example.org/a/b")
    tab.get_by_role("button", name="Compare", exact=True).click()
    expect(names).to_contain_text("example.org")
    assert "hf_secret" not in tab.url
    tab.goto(f"{server.url}/?target=https%3A%2F%2Fuser%3Ahf_secret%40example.org%2Fa%2Fb")
    expect(names).to_contain_text("example.org")
    settle(tab)
    assert "hf_secret" not in tab.url


def test_a_hostile_reference_is_shown_as_it_is(server: Server, tab: Page) -> None:
    text = (
        "./<img src=x onerror=alert(1)> **bold** [a](http://evil.example) ![b](x.png) $x^2$ "
        ":tada: :red[c] :material/star: https://evil.example www.evil.example me@evil.example"
    )
    tab.goto(f"{server.url}/?{urlencode({'base': text})}")
    message = tab.get_by_test_id("stAlert")
    expect(message).to_contain_text("Base cannot be opened.")
    shown = message.inner_text().replace("\N{WORD JOINER}", "")
    # As a path it is shown in its shortest spelling.
    assert text.removeprefix("./").replace("//", "/") in shown
    strong = message.locator("strong")
    assert strong.all_inner_texts() == ["Base cannot be opened."]
    assert message.locator("img, a, .katex").count() == 0


def test_the_most_changed_tensor_is_a_link_to_its_cell(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/?target=demo:lora")
    tab.locator(".st-key-most_changed_matrices").get_by_role("link", name="v_proj").first.click()
    expect_page(tab, "Heatmap")
    expect(tab.locator(".st-key-place_panel")).to_contain_text("self_attn.v_proj")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Demo base → Demo LoRA")
    settle(tab)
    assert set(query(tab)) == {"target", "layer", "component"}


def test_the_downloads(server: Server, tab: Page, tmp_path: Path) -> None:
    open_measured(tab, server.url)
    starts = {"CSV": b"name,", "JSON": b"{", "Parquet": b"PAR1", "Report": b"<!DOCTYPE html>"}
    for name, start in starts.items():
        with tab.expect_download() as download:
            tab.get_by_role("button", name=name, exact=True).click()
        assert Path(download.value.path()).read_bytes().startswith(start)
    for page in ("diagram", "heatmap"):
        open_measured(tab, f"{server.url}/{page}?layer=1")
        if page == "heatmap":
            tab.get_by_role("button", name="Save", exact=True).click()
        for name, start in {"SVG": b"<svg", "PNG": b"\x89PNG"}.items():
            with tab.expect_download() as download:
                tab.get_by_role("button", name=name, exact=True).click()
            assert Path(download.value.path()).read_bytes().startswith(start)
    tab.keyboard.press("Escape")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Report", exact=True).click()
    assert download.value.suggested_filename == "demo-base-to-demo-continued-report.html"
    assert b"layer 1 \xc2\xb7 self_attn.q_proj" in Path(download.value.path()).read_bytes()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_reach_the_drawings(server: Server, tab: Page, theme: str) -> None:
    tab.emulate_media(color_scheme="light" if theme == "dark" else "dark")
    open_measured(tab, f"{server.url}/diagram?layer=1&embed_options={theme}_theme")
    background = tab.get_by_test_id("stApp").evaluate("e => getComputedStyle(e).backgroundColor")
    assert background == {"light": "rgb(251, 250, 247)", "dark": "rgb(16, 20, 23)"}[theme]
    text = tab.locator("[data-node='self_attn.q_proj'] text.label").first
    shade = re.findall(r"\d+", text.evaluate("e => getComputedStyle(e).fill"))
    assert (sum(map(int, shade[:3])) > 382) == (theme == "dark"), "text stands out from the ground"
