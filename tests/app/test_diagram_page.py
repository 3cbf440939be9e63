"""The diagram's page: the layers played through, its switches in the URL, and its panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from modeldiff.architectures import Place
from modeldiff.changes import Change, ChangeTable, Pair
from modeldiff.findings.selection import component_of, rows_of_component
from modeldiff.ui.session import layer_playback as layer_player
from tests.app.conftest import OpenPage, words
from tests.support.small_models import write_llama

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


def test_the_towers_of_a_model_keep_apart() -> None:
    changes = ChangeTable(
        Change(
            Pair(Place(layer, "self_attn.q_proj", parameter, tower=tower), "compared", None, None)
        )
        for tower in ("encoder", "decoder")
        for layer in (0, 1)
        for parameter in ("weight", "bias")
    )
    for name in ("decoder.self_attn.q_proj", "decoder.self_attn.q_proj.bias"):
        assert component_of(changes, name) == "decoder.self_attn.q_proj"
    assert component_of(changes, "self_attn.q_proj") == "encoder.self_attn.q_proj"
    assert component_of(changes, "nothing") == "nothing"
    places = rows_of_component(changes, "decoder.self_attn.q_proj", 1)
    assert [place.column for place in places] == [
        "decoder.self_attn.q_proj",
        "decoder.self_attn.q_proj.bias",
    ]
    assert all(row.pair.place.tower == "decoder" for place in places for row in place.rows)
    assert [layer for layer, _ in places[0].over_layers()] == [0, 1]


def test_the_chart_over_all_layers_marks_this_one_and_knows_the_metric(
    open_page: OpenPage, pair: dict[str, str]
) -> None:
    link = {"layer": "3", "component": "mlp.down_proj"}
    for page in ("diagram", "heatmap"):
        app = open_page(page, **pair, **link, metric="rel_frobenius_pct")
        alts = [chart.proto.alt for chart in app.get("vega_lite_chart")]
        wanted = f"Relative Frobenius norm over {LAYERS} layers: largest in"
        assert sum(alt.startswith(wanted) for alt in alts) == 1
        assert "Relative Frobenius norm over all layers" in words(app)
    charts = open_page("diagram", **pair, component="embed_tokens").get("vega_lite_chart")
    assert len(charts) == 0, "there is one embedding"


def test_there_is_a_metric_to_choose_where_there_are_numbers(
    open_page: OpenPage, pair: dict[str, str]
) -> None:
    def choosers(app: AppTest) -> list[str]:
        return [box.label for box in app.selectbox if box.label == "Metric"]

    assert choosers(open_page("diagram", **pair)) == ["Metric"]
    configs = {"base": "catalog:llama-3-8b", "target": "catalog:llama-3.1-8b"}
    assert choosers(open_page("diagram", **configs)) == []
