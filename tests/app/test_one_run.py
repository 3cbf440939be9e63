"""One run of a page opens each side once, parses it once and asks for the diff's state once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from modeldiff import model as models
from modeldiff.checkpoints import opening as checkpoint_opening
from modeldiff.ui.controls import diff_progress
from modeldiff.ui.session import opening, selected_pair
from tests.app.conftest import OpenPage
from tests.support.planted import add_noise, llama_values, write_values


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each of these was called, by name and what it was asked for."""
    calls: Counter[str] = Counter()

    def count(module: object, name: str) -> None:
        real: Callable[..., object] = getattr(module, name)

        def counted(*arguments: object, **options: object) -> object:
            reference = arguments[0] if isinstance(arguments[0], str) else ""
            calls[f"{name} {reference}".strip()] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, counted)

    count(selected_pair, "open_side")
    count(models, "open_checkpoint")
    count(diff_progress, "diff_state")
    for module in (opening, models, checkpoint_opening):
        count(module, "parse_reference")
    return calls


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, str]:
    base = llama_values(layers=3)
    target = add_noise(base, 0.2, "layers.1.")
    return {
        "base": str(write_values(tmp_path / "base", base)),
        "target": str(write_values(tmp_path / "target", target)),
    }


def once(pair: dict[str, str], *, opened: int) -> dict[str, int]:
    """What one run may ask for; ``opened`` checkpoints are new to it."""
    calls = {
        f"{name} {side}": 1 for name in ("open_side", "parse_reference") for side in pair.values()
    }
    return calls | {"diff_state": 1} | ({"open_checkpoint": opened} if opened else {})


@pytest.mark.parametrize("page", ["heatmap", "diagram", "compare"])
@pytest.mark.parametrize("stored", [True, False])
def test_each_side_is_opened_once_and_the_state_asked_for_once(
    page: str,
    stored: bool,
    open_page: OpenPage,
    measure: Callable[[str, str], None],
    pair: dict[str, str],
    calls: Counter[str],
) -> None:
    if stored:
        measure(pair["base"], pair["target"])
    calls.clear()
    app = open_page(page, **pair, layer="1", component="mlp.up_proj")
    assert calls == once(pair, opened=2)
    calls.clear()
    app.run()
    assert not app.exception
    assert calls == once(pair, opened=0)


def test_the_first_page_with_its_chooser(
    fresh: None, pair: dict[str, str], calls: Counter[str]
) -> None:
    root = Path(__file__).resolve().parents[2]
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=300)
    app.query_params["base"], app.query_params["target"] = pair["base"], pair["target"]
    app.run()
    assert not app.exception and app.button(key="swap")
    assert calls == once(pair, opened=2)


def test_a_file_that_changed_is_opened_anew(
    open_page: OpenPage, pair: dict[str, str], calls: Counter[str]
) -> None:
    app = open_page("heatmap", **pair)
    calls.clear()
    config = Path(pair["target"]) / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    app.run()
    assert not app.exception
    assert calls == once(pair, opened=1)
