"""A checkpoint whose budget is spent while a page runs is refused on that page, in words."""

from __future__ import annotations

import re
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from modeldiff.model import Model
from tests.app.conftest import PAGES, ROOT, OpenPage
from tests.support.results import write_model


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, str]:
    sides = {"base": 1, "target": 2}
    return {side: str(write_model(tmp_path / side, seed=seed)) for side, seed in sides.items()}


@pytest.fixture
def spent_once_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left until a page asks for it takes a thousand seconds a step."""
    slow, opened, plain = count(0, 1000), [0], Model.open

    def open_(*sides: Any, **options: Any) -> Model:
        model = plain(*sides, **options)
        opened[0] += 1
        return model

    monkeypatch.setattr(Model, "open", open_)
    monkeypatch.setattr(time, "thread_time", lambda: next(slow) if opened[0] >= 2 else 0)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_says_which_limit_it_was(
    page: str, spent_once_opened: None, open_page: OpenPage, pair: dict[str, str]
) -> None:
    app = open_page(page, **pair)  # which checks that Streamlit had nothing to show of its own
    (error,) = app.error
    assert "120 seconds of a processor to understand its names" in error.value
    assert "MODELDIFF_MAX_OPENING_SECONDS" in error.value.replace("\\", "")


def test_parts_of_a_page_are_guarded_wherever_they_are_made() -> None:
    """Streamlit shows itself what a part raises, as a traceback, within a page that is guarded."""
    pattern = re.compile(r"\bst\.(fragment|dialog)\b")
    sources = [*(ROOT / "modeldiff").rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    found = {path.name for path in sources if pattern.search(path.read_text(encoding="utf-8"))}
    assert found == {
        "entry_guard.py",
        "pulse.py",  # nothing of a checkpoint is in it
        "side_by_side_view.py",  # a dialog, guarded there
    }
