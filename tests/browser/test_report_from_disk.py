"""The report as a mail's reader opens it: from disk, without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from modeldiff.text.formatting import format_pct
from tests.support.architectures import llama_like
from tests.support.reports import made, report_of
from tests.support.results import a_result

pytestmark = pytest.mark.browser

LLAMA = llama_like()
RESULT = made(LLAMA)


@pytest.fixture
def offline(browser: Browser) -> Iterator[Page]:
    """A tab without a network; fails the test in which it asks for anything or says a word."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url) if asks(request.url) else None)
    yield page
    context.close()
    assert said == []


def asks(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


def read(page: Page, folder: Path, document: str) -> None:
    path = folder / "report.html"
    path.write_text(document, encoding="utf-8")
    page.goto(path.as_uri())


def median(layer: int, component: str) -> str:
    (value,) = (
        change.statistics.median_pct
        for change in RESULT.changes
        if change.statistics is not None
        and (change.pair.place.layer, change.pair.place.column) == (layer, component)
    )
    return format_pct(value)


def test_pointing_and_choosing(offline: Page, tmp_path: Path) -> None:
    read(offline, tmp_path, report_of(RESULT, LLAMA, LLAMA))
    cell = offline.get_by_label("layer 2 · self_attn.v_proj: median relative change")
    cell.hover()
    expect(offline.get_by_role("tooltip")).to_contain_text(median(2, "self_attn.v_proj"))
    cell.click()
    panel = offline.locator("#panel")
    expect(panel.get_by_role("heading")).to_have_text("layer 2 · self_attn.v_proj")
    expect(panel).to_contain_text("model.layers.2.self_attn.v_proj.weight")
    expect(panel).to_contain_text(median(2, "self_attn.v_proj"))
    assert panel.locator("svg rect").count() > 10  # the distribution
    # The keyboard goes on from there.
    offline.keyboard.press("ArrowRight")
    offline.keyboard.press("Enter")
    expect(panel.get_by_role("heading")).to_have_text("layer 3 · self_attn.v_proj")


def test_another_metric_colours_and_names_the_cells(offline: Page, tmp_path: Path) -> None:
    read(offline, tmp_path, report_of(RESULT, LLAMA, LLAMA))
    place = "layer 2 · self_attn.v_proj: "
    before = offline.get_by_label(f"{place}median").get_attribute("class")
    offline.get_by_label("Metric").select_option("cosine_distance")
    cell = offline.get_by_label(f"{place}cosine distance")
    expect(cell).to_be_visible()
    assert cell.get_attribute("class") != before
    expect(offline.get_by_role("grid")).to_have_attribute("aria-label", re.compile("^Cosine"))
    expect(offline.locator("#says")).to_contain_text("cosine")


def test_the_table_sorts_and_sifts(offline: Page, tmp_path: Path) -> None:
    read(offline, tmp_path, report_of(RESULT, LLAMA, LLAMA))
    rows = offline.locator("#rows tbody tr:visible")
    offline.get_by_label("Contains").fill("layers.2.self_attn.V_proj")
    expect(rows).to_have_count(1)
    offline.get_by_label("Contains").fill("")
    offline.get_by_role("button", name="Median relative change", exact=True).click()
    values = [float(row.split(",")[0]) for row in attributes(rows, "data-v")]
    assert values == sorted(values, reverse=True) and len(set(values)) > 5
    # A box of the diagram leads to its rows.
    offline.locator("[data-node='self_attn.q_proj']").click()
    expect(rows).to_have_count(LLAMA.layer_count + 1)


def attributes(rows: Locator, name: str) -> list[str]:
    found: list[str] = rows.evaluate_all(f"rows => rows.map(row => row.getAttribute('{name}'))")
    return [value for value in found if not value.startswith(",")]


@pytest.mark.parametrize(("width", "scheme"), [(430, "dark"), (1920, "light")])
def test_any_screen(offline: Page, tmp_path: Path, width: int, scheme: str) -> None:
    offline.set_viewport_size({"width": width, "height": 900})
    offline.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    read(offline, tmp_path, report_of(RESULT, LLAMA, LLAMA))
    assert offline.evaluate("document.documentElement.scrollWidth") <= width
    ground = offline.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == ("rgb(16, 20, 23)" if scheme == "dark" else "rgb(255, 255, 255)")


def test_without_scripts_a_cell_leads_to_its_row(browser: Browser, tmp_path: Path) -> None:
    """As where a mail's preview runs none."""
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    read(page, tmp_path, report_of(RESULT, LLAMA, LLAMA))
    page.locator("a.cell[aria-label^='layer 2 · self_attn.v_proj: ']").click()
    row = page.locator("tr:target")
    expect(row).to_be_in_viewport()
    expect(row).to_contain_text("model.layers.2.self_attn.v_proj.weight")
    expect(row).to_contain_text(median(2, "self_attn.v_proj"))
    context.close()


def test_a_diff_of_nothing_is_a_report_too(offline: Page, tmp_path: Path) -> None:
    read(offline, tmp_path, report_of(a_result(), LLAMA, LLAMA))
    expect(offline.locator("#words")).to_contain_text("No tensor could be compared.")


def test_hostile_names_run_nothing(offline: Page, tmp_path: Path) -> None:
    result = a_result(base="<script>alert(1)</script><img src=x onerror=alert(2)>")
    read(offline, tmp_path, report_of(result, LLAMA, LLAMA))
    expect(offline.locator("dd").first).to_contain_text("<script>alert(1)</script>")
