"""One model by itself: the singular values of its matrices, and its tokenizer."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.app.conftest import OpenPage, words

BASE = {"base": "demo:base", "alone": "1"}


def with_values(app: AppTest) -> str:
    """The page's words once the singular values are there."""
    while "singular values" not in words(app) and app.get("progress"):
        app.run()
    assert not app.exception
    return words(app)


def test_singular_values_of_a_chosen_matrix(open_page: OpenPage) -> None:
    app = open_page("architecture", **BASE)
    assert "Choose a matrix" in words(app)
    shown = with_values(open_page("architecture", **BASE, layer="3", component="mlp.down_proj"))
    assert "of 128 singular values" in shown and "All 128 were computed" in shown
    assert "change" not in shown.partition("Singular values")[2]


def test_a_matrix_is_chosen_on_the_page(open_page: OpenPage) -> None:
    app = open_page("architecture", **BASE)
    app.selectbox(key="matrix_chooser").select_index(0).run()
    assert app.selectbox(key="matrix_chooser").value == 0
    assert "of 128 singular values" in with_values(app)


def test_a_box_of_the_diagram_shows_those_of_its_layer(open_page: OpenPage) -> None:
    place = {"component": "self_attn.q_proj"}
    shown = with_values(open_page("diagram", **BASE, **place, layer="2"))
    assert "of 128 singular values" in shown
    assert "singular values" not in words(open_page("diagram", **BASE, **place))


def test_its_tokenizer_cuts_a_text(open_page: OpenPage) -> None:
    app = open_page("beyond", **BASE)
    assert "A text in tokens" in words(app) and "1\\,024" in app.table[0].value.to_string()
    app.text_area(key="text").set_value("import os").run()
    assert not app.exception and "tokens" in words(app)
    assert "Base" not in words(app) and "both" not in words(app).lower()


def test_a_config_alone_has_neither(open_page: OpenPage) -> None:
    query = {"base": "catalog:llama-3-8b", "alone": "1"}
    assert "Singular values" not in words(open_page("architecture", **query))
    assert "A text in tokens" not in words(open_page("beyond", **query))
