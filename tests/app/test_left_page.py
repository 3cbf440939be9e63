"""A callback of a page that the browser has left changes nothing."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from modeldiff.ui.session import shown_page


def _script() -> None:
    import streamlit as st

    from modeldiff.ui.session.shown_page import show_page
    from modeldiff.ui.session.url_state import change_view

    show_page()
    st.button("Choose", on_click=lambda: change_view(layer=3))


def test_a_click_that_meets_another_page_leaves_its_address_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = AppTest.from_function(_script).run()
    app.button[0].click()
    monkeypatch.setattr(shown_page, "page_asked_for", lambda: "another")
    app.run()
    assert "layer" not in app.query_params
    app.button[0].click().run()
    assert app.query_params["layer"] == "3"
