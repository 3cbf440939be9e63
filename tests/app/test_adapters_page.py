"""An adapter in the app: alone, and on its base in a link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import OpenPage, words
from tests.support.adapters import write_adapter, write_base


def plain_words(app: AppTest) -> str:
    """The text of the page without Markdown's escapes."""
    return words(app).replace("\\", "").replace("\xa0", " ")


@pytest.fixture
def sides(tmp_path: Path) -> tuple[str, str]:
    """A base and an adapter on it."""
    base = write_base("llama", tmp_path / "base")
    return str(base), str(write_adapter(base, tmp_path / "own", target_modules=["q_proj"]))


def test_base_against_base_and_adapter(
    open_page: OpenPage, measure: Callable[[str, str], None], sides: tuple[str, str]
) -> None:
    base, adapter = sides
    both = f"{base} + {adapter}"
    measure(base, both)
    app = open_page("compare", base=base, target=both)
    assert "All that moved is the adapter on target" in plain_words(app)
    assert "base → base + own" in plain_words(app)
    query = {"layer": "1", "component": "self_attn.q_proj", "look": "spectrum"}
    app = open_page("heatmap", base=base, target=adapter, **query)
    assert "The adapter's update, rank 8." in plain_words(app)
    assert "From the adapter's factors" in plain_words(app)


def test_an_adapter_whose_base_is_gone(open_page: OpenPage, sides: tuple[str, str]) -> None:
    base, adapter = sides
    Path(base).rename(f"{base}-moved")
    app = open_page("compare", base=adapter, target=f"{base}-moved")
    assert "in place of BASE" in plain_words(app)
