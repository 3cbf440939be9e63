"""The tour: each step stands on its page, leads to the next, and is left at any time."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from modeldiff import diff
from modeldiff.comparison import Comparison
from modeldiff.findings.main_differences import stand_out_sentence
from modeldiff.ui.shell.guided_tour import TOUR_STEPS
from tests.app.conftest import OpenPage, words


def tour_links(app: AppTest) -> list[str]:
    return [
        f"{link.proto.page} {link.proto.query_string}"
        for link in app.get("page_link")
        if link.proto.label == "Back" or link.proto.label.startswith("Next: ")
    ]


@pytest.mark.parametrize("number", range(1, len(TOUR_STEPS) + 1))
def test_a_step_leads_to_the_next(number: int, open_page: OpenPage) -> None:
    step = TOUR_STEPS[number - 1]
    app = open_page(step.page, **step.query(number))
    assert f"{number} of {len(TOUR_STEPS)}" in words(app)
    wanted = [n for n in (number - 1, number + 1) if 0 < n <= len(TOUR_STEPS)]
    assert [f"tour={n}" in link for n, link in zip(wanted, tour_links(app), strict=True)] == [
        True for _ in wanted
    ]
    app.button(key="tour_end").click().run()
    assert not app.exception and "tour" not in app.query_params
    assert f"of {len(TOUR_STEPS)}]" not in words(app)


def test_its_places_exist() -> None:
    table = Comparison.open("demo:base", "demo:continued").unmeasured
    for step in TOUR_STEPS:
        if step.component:
            assert table.cell(int(step.layer), step.component)


def test_the_cell_that_is_said_to_stand_out_does() -> None:
    sentence = stand_out_sentence(diff("demo:base", "demo:continued", device="cpu"))
    assert sentence.startswith("v_proj of layer 1 stands out")


def test_what_the_tour_says_is_of_the_demo_pair(open_page: OpenPage) -> None:
    for query in ({"tour": "1", "target": "demo:lora"}, {"tour": "9"}, {"tour": "-1"}):
        assert not tour_links(open_page("compare", **query))


def test_the_first_visit_offers_it(open_page: OpenPage) -> None:
    app = open_page("compare")
    app.button(key="tour_start").click().run()
    assert app.query_params["tour"] == "1"
    assert f"1 of {len(TOUR_STEPS)}" in words(app)


def test_who_chose_another_pair_is_told_of_no_demo(open_page: OpenPage) -> None:
    app = open_page("compare")
    assert "This is a demo pair" in words(app)
    app.query_params["target"] = "demo:lora"
    app.run()
    assert not app.exception and "This is a demo pair" not in words(app)
    del app.query_params["target"]
    app.run()
    assert "This is a demo pair" not in words(app), "not again on the way back"
