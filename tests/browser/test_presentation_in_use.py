"""The presentation in a browser: its keys, its way out, and how large its text is."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.serving import Server, settle
from tests.browser.conftest import expect_query, focused, measure, open_measured
from tests.support.planted import add_noise, llama_values, write_values

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

# The sizes of all text that is seen, with the text; and what of it lies beyond the window.
TEXTS = """() => {
  const texts = [], beyond = []
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) walk(element.shadowRoot)
      if (element.tagName === "STYLE") continue
      const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
      if (!own.some((node) => node.textContent.trim())) continue
      const box = element.getBoundingClientRect()
      if (!element.checkVisibility() || !box.width) continue
      const matrix = element.ownerSVGElement && element.getScreenCTM()
      const scale = matrix ? Math.hypot(matrix.a, matrix.b) : 1
      texts.push([parseFloat(getComputedStyle(element).fontSize) * scale, element.textContent])
      if (box.right > innerWidth + 1 || box.bottom > innerHeight + 1) {
        beyond.push(element.textContent)
      }
    }
  }
  walk(document.querySelector(".st-key-presentation"))
  return [texts.sort(([a], [b]) => a - b), beyond]
}"""


def place(tab: Page) -> Locator:
    return tab.locator(".st-key-presentation .place")


def open_presented(tab: Page, url: str) -> None:
    tab.goto(url)
    expect(place(tab)).to_be_visible()
    settle(tab)


def test_the_button_presents_and_keys_go_through_the_views(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/heatmap?layer=2&component=self_attn.q_proj")
    tab.get_by_role("button", name="Present").click()
    expect(place(tab)).to_have_text("Heatmap · 2 / 4")
    expect_query(tab, {"present": "heatmap"}, others=True)
    expect(tab.get_by_role("navigation", name="Pages")).to_have_count(0)
    expect(tab.get_by_role("combobox")).to_have_count(0)
    # A clicker sends these two.
    tab.keyboard.press("PageDown")
    expect(place(tab)).to_have_text("Diagram · 3 / 4")
    tab.keyboard.press("PageUp")
    tab.keyboard.press("ArrowLeft")
    expect(place(tab)).to_have_text("Compare · 1 / 4")
    expect_query(tab, {"present": "answer"}, others=True)
    tab.reload()
    expect(place(tab)).to_have_text("Compare · 1 / 4")


def test_cells_are_walked_held_and_left_one_step_at_a_time(server: Server, tab: Page) -> None:
    open_presented(tab, f"{server.url}/heatmap?present=heatmap")
    line = tab.locator(".st-key-presentation p.line")
    answer = line.inner_text()
    tab.keyboard.press("Enter")
    assert focused(tab).startswith("embed_tokens: ")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    first = focused(tab)
    assert first.startswith("layer 1 · ")
    expect(line).to_have_text(first)
    tab.keyboard.press("End")
    assert focused(tab).startswith("layer 7 · ")
    last = focused(tab)
    tab.keyboard.press("Enter")
    held = tab.locator(".st-key-presentation [aria-selected=true]")
    expect(held).to_have_attribute("aria-label", re.compile("^layer 7 · "))
    tab.keyboard.press("Escape")
    expect(held).to_have_count(0)
    expect(line).to_have_text(last)
    tab.keyboard.press("Escape")
    expect(line).to_have_text(answer)
    expect(place(tab)).to_have_text("Heatmap · 2 / 4")
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("navigation", name="Pages")).to_be_visible()
    expect(place(tab)).to_have_count(0)
    expect(tab).not_to_have_url(re.compile("present="))


def test_a_mouse_that_rests_points_at_nothing(server: Server, tab: Page) -> None:
    open_measured(tab, f"{server.url}/heatmap")
    tab.get_by_role("button", name="Present", exact=True).click()
    expect(place(tab)).to_have_text("Heatmap · 2 / 4")
    tab.keyboard.press("ArrowRight")
    norm = tab.locator(".st-key-presentation [data-node='norm']").bounding_box()
    assert norm is not None
    tab.keyboard.press("ArrowLeft")
    x, y = norm["x"] + norm["width"] / 2, norm["y"] + norm["height"] / 2
    tab.mouse.move(x, y)
    tab.keyboard.press("ArrowRight")
    about = tab.locator(".st-key-presentation .about")
    settle(tab)
    assert "norm" not in about.inner_text()
    tab.mouse.move(x + 2, y)
    expect(about).to_contain_text("norm")


def test_a_chosen_cell_opens_a_panel_of_its_statistics(server: Server, tab: Page) -> None:
    tab.set_viewport_size({"width": 1280, "height": 720})
    open_presented(tab, f"{server.url}/heatmap?present=answer")
    panel = tab.get_by_role("complementary", name="The chosen cell")
    expect(panel).to_be_hidden()
    # A cell of the small heatmap is seen in the large one.
    tab.keyboard.press("Enter")
    tab.keyboard.press("Enter")
    expect(place(tab)).to_have_text("Heatmap · 2 / 4")
    expect(panel).to_contain_text("Token embedding")
    expect(panel).to_contain_text(re.compile(r"Median change\s*11\.9\s%"))
    assert focused(tab).startswith("embed_tokens: ")
    # What has no room is scrolled.
    texts, _ = tab.evaluate(TEXTS)
    assert texts[0][0] >= 14
    tab.wait_for_url("**component=embed_tokens**")
    expect_query(tab, {"present": "heatmap"}, others=True)
    # The arrows go on; the panel follows what is opened, and a link opens it.
    tab.keyboard.press("ArrowRight")
    expect(panel).to_contain_text("Token embedding")
    tab.keyboard.press("Enter")
    expect(panel).to_contain_text("Layer 0 · ")
    settle(tab)
    tab.reload()
    expect(panel).to_contain_text("Layer 0 · ")
    tab.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(tab).not_to_have_url(re.compile("component="))
    expect(place(tab)).to_have_text("Heatmap · 2 / 4")


def test_numbers_ceiling_theme_and_the_list_of_keys(server: Server, tab: Page) -> None:
    open_presented(tab, f"{server.url}/heatmap?present=heatmap&embed_options=light_theme")
    number = tab.locator(
        ".st-key-presentation [data-cell] text", has_text=re.compile(r"^\d+\.\d+$")
    )
    expect(number.first).to_be_visible()
    tab.keyboard.press("n")
    expect(number.first).to_be_hidden()
    tab.keyboard.press("n")
    # The scale of the matrices ends higher, and the link says where.
    tab.keyboard.press("+")
    tab.wait_for_url("**top=40**")
    expect(tab.locator(".st-key-presentation .drawing")).to_contain_text("40")
    tab.keyboard.press("-")
    tab.wait_for_url("**top=30**")
    stage = tab.locator(".st-key-presentation .stage")
    colour = "element => getComputedStyle(element).backgroundColor"
    light = stage.evaluate(colour)
    tab.keyboard.press("t")
    assert stage.evaluate(colour) != light
    tab.keyboard.press("t")
    assert stage.evaluate(colour) == light
    tab.keyboard.press("?")
    expect(tab.get_by_text("Full screen on or off")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.get_by_text("Full screen on or off")).to_be_hidden()
    expect(place(tab)).to_be_visible()


def test_layers_follow_each_other_at_one_scale(server: Server, tab: Page) -> None:
    open_presented(tab, f"{server.url}/diagram?present=diagram")
    title = tab.locator(".st-key-presentation h1.title")
    drawing = tab.locator(".st-key-presentation .drawing svg")
    tab.keyboard.press("ArrowUp")
    expect(title).to_contain_text("layer 0")
    before = drawing.bounding_box()
    # The stage's own style touches nothing in it.
    bent = drawing.evaluate(
        """svg => [...svg.querySelectorAll("rect")]
          .map((one) => [one, one.width.baseVal.value, getComputedStyle(one).width])
          .filter(([, drawn, shown]) => Math.abs(drawn - parseFloat(shown)) > 0.1)
          .map(([one]) => one.outerHTML)"""
    )
    assert bent == []
    tab.keyboard.press("ArrowUp")
    expect(title).to_contain_text("layer 1")
    after = drawing.bounding_box()
    assert before is not None and after is not None and before["width"] == after["width"]
    expect_query(tab, {"layer": "1"}, others=True)
    tab.keyboard.press("3")
    assert "k_proj" in focused(tab)


@pytest.fixture(scope="module")
def deep_pair(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("deep")
    base = llama_values(layers=80)
    pair = {
        "base": str(write_values(folder / "base", base)),
        "target": str(write_values(folder / "target", add_noise(base, 0.1, ".layers."))),
    }
    measure(server, pair["base"], pair["target"])
    return pair


@pytest.mark.parametrize(
    ("width", "height", "least"), [(1280, 720, 14.0), (1920, 1080, 18.0)], ids=["720", "1080"]
)
@pytest.mark.parametrize("pair", ["demo", "deep", "config"])
def test_all_text_is_large_and_everything_is_on_one_screen(
    server: Server,
    tab: Page,
    deep_pair: dict[str, str],
    pair: str,
    width: int,
    height: int,
    least: float,
) -> None:
    pairs = {
        "demo": {},
        "deep": deep_pair,
        "config": {"base": "catalog:gpt2-124m", "target": "catalog:llama-3-8b"},
    }
    tab.set_viewport_size({"width": width, "height": height})
    open_presented(tab, f"{server.url}/?{urlencode({**pairs[pair], 'present': 'answer'})}")
    views = int(place(tab).inner_text().rpartition("/")[2])
    assert views == 4
    for number in range(views):
        expect(place(tab)).to_contain_text(f"{number + 1} / {views}")
        texts, beyond = tab.evaluate(TEXTS)
        assert len(texts) > 20
        size, text = texts[0]
        assert size > least - 0.05, (place(tab).inner_text(), text)
        assert beyond == []
        tab.keyboard.press("ArrowRight")


def test_a_model_alone_is_presented(server: Server, tab: Page) -> None:
    open_presented(tab, f"{server.url}/diagram?base=demo:base&alone=1&present=diagram")
    expect(place(tab)).to_have_text("Diagram · 1 / 2")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator(".st-key-presentation dl").first).to_contain_text("Hidden size")


def test_a_saved_result_is_presented(server: Server, tab: Page) -> None:
    kept = measure(server, "demo:base", "demo:continued")
    open_presented(tab, f"{server.url}/result?result={kept}&present=heatmap")
    expect(place(tab)).to_have_text("Heatmap · 2 / 3")
    expect(tab.locator(".st-key-presentation [data-cell]").first).to_be_visible()


def test_the_evolution_is_presented(server: Server, tab: Page) -> None:
    open_presented(tab, f"{server.url}/evolution?present=evolution")
    expect(place(tab)).to_have_text("Evolution · 1 / 6")
    expect(tab.locator(".st-key-presentation .drawing")).to_contain_text("GPT-2")
