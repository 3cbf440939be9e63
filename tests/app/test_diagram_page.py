"""The diagram's page: the layers played through, its switches in the URL, and its panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from modeldiff.ui import layer_player
from tests.app.conftest import OpenPage, words
from tests.app.small_models import write_llama

Measure = Callable[[str, str], None]
LAYERS = 5


@pytest.fixture
def pair(tmp_path: Path, measure: Measure) -> dict[str, str]:
    """Two measured models of five layers; the target differs by about 5 %."""
    base = str(write_llama(tmp_path / "base", layers=LAYERS))
    target = str(write_llama(tmp_path / "target", layers=LAYERS, noise=0.05))
    measure(base, target)
    return {"base": base, "target": target}


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The player's clock, which stands until a test moves it on."""
    now = [100.0]
    monkeypatch.setattr(layer_player, "monotonic", lambda: now[0])
    return now


def drawn(app: AppTest) -> object:
    return app.select_slider(key="layer_chooser").value


def test_the_layers_play_to_the_last_and_only_the_end_goes_to_the_url(
    open_page: OpenPage, pair: dict[str, str], second: list[float]
) -> None:
    app = open_page("diagram", **pair, layer="2", component="self_attn.k_proj")
    app.button(key="play_layers").click().run()
    assert (drawn(app), app.button(key="play_layers").label) == (2, "Pause")
    assert "Layer 2 · `self_attn.k_proj`" in words(app)
    app.run()
    assert drawn(app) == 2, "a look before its time moves nothing on"
    second[0] += 1
    app.run()
    assert (drawn(app), app.query_params["layer"]) == (3, "2")
    assert "Layer 3 · `self_attn.k_proj`" in words(app)
    second[0] += 1
    app.run()
    assert (drawn(app), app.query_params["layer"]) == (4, "4")
    second[0] += 1
    app.run()
    assert (drawn(app), app.button(key="play_layers").label) == (4, "Play")
    app.button(key="play_layers").click().run()
    assert drawn(app) == 0, "from the last layer it begins anew"


def test_a_play_is_paused_and_gives_way_to_a_choice(
    open_page: OpenPage, pair: dict[str, str], second: list[float]
) -> None:
    app = open_page("diagram", **pair)
    assert app.button(key="all_layers").disabled
    app.button(key="play_layers").click().run()
    second[0] += 1
    app.run()
    app.button(key="play_layers").click().run()
    assert (drawn(app), app.query_params["layer"]) == (1, "1")
    app.button(key="play_layers").click().run()
    app.button(key="all_layers").click().run()
    assert (drawn(app), app.button(key="play_layers").label) == (None, "Play")
    assert "layer" not in app.query_params
