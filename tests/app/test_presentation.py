"""What is presented, and how one comes in and out, without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import OpenPage, words

Measure = Callable[[str, str], None]
DEMO = {"base": "demo:base", "target": "demo:continued"}


def presented(app: AppTest) -> dict[str, Any]:
    """What the stage holds."""
    (element,) = (
        one for one in app.get("bidi_component") if one.proto.component_name.endswith("stage")
    )
    return dict(json.loads(element.proto.json))


def names(app: AppTest) -> list[str]:
    return [slide["name"] for slide in presented(app)["slides"]]


@pytest.mark.parametrize(
    ("page", "view"),
    [
        ("compare", "answer"),
        ("architecture", "facts"),
        ("heatmap", "heatmap"),
        ("diagram", "diagram"),
        ("beyond", "facts"),
        ("evolution", "evolution"),
    ],
)
def test_every_page_presents_beginning_with_what_it_shows(
    page: str, view: str, open_page: OpenPage, measure: Measure
) -> None:
    measure("demo:base", "demo:continued")
    app = open_page(page, **DEMO)
    app.button(key="present").click().run()
    assert not app.exception
    assert app.query_params["present"] == view
    # AppTest runs a page alone from here on: the entrypoint, which presents, is asked anew.
    app = open_page(page, **DEMO, present=view)
    assert presented(app)["first"] == view
    assert view in names(app)
    assert not app.button and not app.selectbox, "nothing to choose is left"


def test_a_measured_pair_has_its_answer_heatmap_diagram_and_facts(
    open_page: OpenPage, measure: Measure
) -> None:
    measure("demo:base", "demo:continued")
    stage = presented(open_page("heatmap", **DEMO, present="heatmap", layer="3"))
    slides = {slide["name"]: slide for slide in stage["slides"]}
    assert [*slides] == ["answer", "heatmap", "diagram", "facts"]
    assert "The median relative change is 19.7 %" in slides["answer"]["html"]
    assert "layer 3" in slides["diagram"]["title"]
    assert stage["words"][stage["at"]].startswith("layer 3 as a whole")


def test_configs_have_no_heatmap_and_are_seen_in_a_row(open_page: OpenPage) -> None:
    pair = {"base": "catalog:gpt2-124m", "target": "catalog:llama-3-8b"}
    assert names(open_page("compare", **pair, present="answer")) == [
        "answer",
        "diagram",
        "evolution",
        "facts",
    ]


def test_a_pair_not_measured_says_so(open_page: OpenPage) -> None:
    stage = presented(open_page("compare", **DEMO, present="answer"))
    assert "to read." in stage["slides"][0]["html"]
    assert all("not measured yet" in each for each in stage["words"])


def test_one_model_alone_is_presented(open_page: OpenPage) -> None:
    app = open_page("compare", base="demo:base", alone="1", present="answer")
    assert names(app) == ["diagram", "facts"]


def test_what_cannot_be_opened_is_said(open_page: OpenPage) -> None:
    app = open_page("compare", base="demo:<b>none", target="demo:base", present="heatmap")
    (slide,) = presented(app)["slides"]
    assert "&lt;b&gt;none" in slide["html"]
    assert "<b>none" not in slide["html"]


def test_a_result_that_is_not_there_is_said(open_page: OpenPage) -> None:
    app = open_page("result", result="none", present="heatmap")
    (slide,) = presented(app)["slides"]
    assert "no such result" in slide["html"]


def test_a_view_that_does_not_exist_is_the_first(open_page: OpenPage) -> None:
    app = open_page("compare", **DEMO, present="<script>")
    assert presented(app)["first"] == "answer"
    assert not words(app)
