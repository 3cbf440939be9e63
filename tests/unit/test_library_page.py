"""docs/library.md and the notebook: every example runs, and prints what is written below it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import Example, examples_of, printed, run_notebook
from tests.support.results import cache_at

ROOT = Path(__file__).parents[2]
EXAMPLES = examples_of(ROOT / "docs" / "library.md")
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[None]:
    """Nothing is at hand: each example measures what it shows."""
    with cache_at(tmp_path / "cache"):
        yield


def test_there_are_eleven() -> None:
    assert [each.title.partition(".")[0] for each in EXAMPLES] == [str(n) for n in range(1, 12)]


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.title for each in EXAMPLES])
def test_an_example_prints_what_the_page_says(example: Example) -> None:
    assert printed(example.code) == example.output


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_and_shows_something(path: Path) -> None:
    for code, value, output in run_notebook(path):
        assert value is not None or output, code
        if hasattr(value, "_repr_html_"):
            assert "<" in value._repr_html_()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    """They would go out of date, and make a review unreadable."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
