"""An adapter in the app: alone, and on its base in a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import OpenPage, words
from tests.support.adapters import write_adapter, write_base


@pytest.fixture
def sides(tmp_path: Path) -> tuple[str, str]:
    """A base and an adapter on it."""
    base = write_base("llama", tmp_path / "base")
    return str(base), str(write_adapter(base, tmp_path / "own", target_modules=["q_proj"]))


def test_base_against_base_and_adapter(open_page: OpenPage, sides: tuple[str, str]) -> None:
    base, adapter = sides
    both = f"{base} + {adapter}"
    app = open_page("compare", base=base, target=both)
    app.button(key="start_diff").click().run()
    app.run()
    assert app.query_params["target"] in (both, [both])
    assert "All that moved is the adapter on target (rank 8)" in words(app)
    query = {"layer": "1", "component": "self_attn.q_proj", "look": "spectrum"}
    app = open_page("heatmap", base=base, target=adapter, **query)
    assert "The adapter's update, rank 8." in words(app)
    assert "From the adapter's factors" in words(app)


def test_an_adapter_whose_base_is_gone(open_page: OpenPage, sides: tuple[str, str]) -> None:
    base, adapter = sides
    Path(base).rename(f"{base}-moved")
    app = open_page("compare", base=adapter, target=f"{base}-moved")
    assert "BASE + ADAPTER" in words(app)
