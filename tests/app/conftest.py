"""The app run without a browser, on a cache of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
from modeldiff.ui.controls import diff_progress as diffing
from modeldiff.ui.session.entry_guard import WANTED

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("compare", "architecture", "heatmap", "diagram")
"""The pages of a pair."""

OpenPage = Callable[..., AppTest]


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No result is stored, none is kept in memory, and nothing is measured without being asked."""
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(diffing, "STARTS_BY_ITSELF_BELOW", 0)
    st.cache_resource.clear()


@pytest.fixture
def open_page(fresh: None) -> OpenPage:
    """Opens a page as a link with this query does, and checks that nothing was raised."""

    def open_page(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=300)
        # AppTest's own switch_page would run the page without the entrypoint.
        app.session_state[WANTED] = (page, query)
        app.run()
        assert not app.exception, [error.value for error in app.exception]
        return app

    return open_page


@pytest.fixture
def measure(fresh: None) -> Callable[[str, str], None]:
    """Measures a pair, so that its result is there when a page is opened."""

    def measure(base: str, target: str) -> None:
        run_diff(Comparison.open(base, target), device="cpu")

    return measure


def linked(app: AppTest, key: str) -> str:
    """The text of a list or table whose lines are links, without its marks."""
    for element in app.get("bidi_component"):
        if element.proto.id.endswith(f"-{key}"):
            data = json.loads(element.proto.json)
            return unescape(re.sub("<[^>]+>", " ", data["html"]))
    raise KeyError(key)


def chosen_text(app: AppTest, label: str) -> str:
    """What stands in an input of the pair's chooser."""
    return str(next(box.value for box in app.text_input if box.label == label))


def words(app: AppTest) -> str:
    """All text of the page, for looking whether it says something."""
    elements = [
        *app.markdown,
        *app.caption,
        *app.title,
        *app.header,
        *app.subheader,
        *app.error,
        *app.info,
    ]
    return "\n".join(str(element.value) for element in elements)
