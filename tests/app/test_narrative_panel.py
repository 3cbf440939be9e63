"""The narrative on the pages: facts and likeness apart, and names from files as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modeldiff.comparison import Comparison
from modeldiff.findings.narrative import narrate
from modeldiff.results import run_diff
from modeldiff.ui.widgets.markdown import plain
from tests.app.conftest import OpenPage, words
from tests.support.small_models import write_llama

Measure = Callable[[str, str], None]


@pytest.mark.parametrize("page", ["compare", "heatmap"])
def test_pages_say_what_the_narrative_says(
    page: str, open_page: OpenPage, measure: Measure
) -> None:
    measure("demo:base", "demo:lora")
    app = open_page(page, base="demo:base", target="demo:lora")
    result = run_diff(Comparison.open("demo:base", "demo:lora"), device="cpu")
    narrative = narrate(result.changes)
    shown = [str(element.value).replace("\N{NO-BREAK SPACE}", " ") for element in app.markdown]
    (headline,) = (text for text in shown if plain(narrative.headline) in text)
    # The heatmap's room is for the picture: it says the gist, and the rest opens.
    assert (plain(narrative.likeness[0]) in headline) == (page == "heatmap")
    facts = next(text for text in shown if text.startswith("- "))
    assert facts.splitlines() == [f"- {plain(fact)}" for fact in narrative.facts]
    for sentence in narrative.likeness:
        assert plain(sentence) in shown and plain(sentence) not in facts
    assert "**Inferred**" in words(app)


def test_there_is_no_narrative_before_a_result(open_page: OpenPage) -> None:
    app = open_page("heatmap", base="demo:base", target="demo:lora")
    assert "**Inferred**" not in words(app)


def test_names_in_the_reading_are_text(
    open_page: OpenPage, measure: Measure, tmp_path: Path
) -> None:
    name = "model.layers.1.<img src=x>[a](http://b)*x*.weight"
    base = str(write_llama(tmp_path / "base"))
    target = str(write_llama(tmp_path / "target", extra={name: (4, 4)}))
    measure(base, target)
    app = open_page("heatmap", base=base, target=target)
    facts = next(str(e.value) for e in app.markdown if "only in target" in str(e.value))
    assert "\\<img src\\=x\\>\\[a\\]\\(" in facts
