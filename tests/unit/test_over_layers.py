"""The chart of one place over all layers: true bars, one mark, floor and ceiling said."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from xml.etree import ElementTree

import altair as alt
import pytest
import vl_convert

from modeldiff.drawings import LIGHT, METRICS
from modeldiff.drawings.charts.layer_profile import (
    OverLayers,
    over_layers_alt,
    over_layers_spec,
)
from modeldiff.drawings.charts.vega_spec import DATA
from tests.support.changes import made_statistics

MEDIAN, UNCHANGED = METRICS[0], METRICS[1]
LAYERS: OverLayers = (
    (0, made_statistics(40.0)),
    (1, made_statistics(20.0)),
    (2, None),
    (3, made_statistics(math.inf)),
    (5, made_statistics(10.0)),
)


def drawn(layers: OverLayers, selected: int | None) -> ElementTree.Element:
    """The chart as the page shows it, in a theme of our colours."""
    spec = over_layers_spec(layers, MEDIAN, selected=selected)
    rows = json.loads(spec["datasets"][DATA].to_json(orient="records"))
    theme = {"range": {"category": [LIGHT.accent, LIGHT.bar]}}
    spec |= {"width": 400, "datasets": {DATA: rows}, "config": {**spec["config"], **theme}}
    return ElementTree.fromstring(vl_convert.vegalite_to_svg(spec))


def texts(svg: ElementTree.Element) -> list[str]:
    return [" ".join(e.itertext()) for e in svg.iter() if e.tag.endswith("}text")]


def bars(svg: ElementTree.Element) -> list[tuple[float, float, float]]:
    """(left, height, opacity) of each bar, from the left."""
    shapes = []
    for path in svg.iter():
        if path.get("fill") == LIGHT.bar:
            left, _, _, height = map(float, re.findall(r"-?[\d.]+", path.get("d") or "")[:4])
            shapes.append((left, height, float(path.get("opacity") or 1)))
    return sorted(shapes)


def test_bars_are_as_high_as_their_values_and_one_is_marked() -> None:
    svg = drawn(LAYERS, 1)
    shapes = bars(svg)
    assert [opacity for *_, opacity in shapes] == [0.5, 1, 0.5]
    first, second, last = (abs(height) for _, height, _ in shapes)
    assert first == pytest.approx(2 * second, rel=0.02) == pytest.approx(4 * last, rel=0.02)
    assert shapes[2][0] - shapes[1][0] == pytest.approx(4 * (shapes[1][0] - shapes[0][0]), rel=0.02)
    words = texts(svg)
    assert "layer 1: 20.0 %" in words
    assert words.count("∞") == 1
    assert {opacity for *_, opacity in bars(drawn(LAYERS, None))} == {1}


def test_every_layer_can_be_pointed_at_and_is_read_out() -> None:
    spoken = [e.get("aria-label") for e in drawn(LAYERS, 2).iter() if e.get("aria-label")]
    assert [text for text in spoken if text and text.startswith("layer ")] == [
        "layer 0: median relative change 40.0 %",
        "layer 1: median relative change 20.0 %",
        "layer 2: median relative change no value",
        "layer 3: median relative change ∞",
        "layer 5: median relative change 10.0 %",
    ]


@pytest.mark.parametrize(
    ("median", "marks"),
    [(0.5, ["floor 0.39 %", "↑ unrelated 141 %"]), (130.0, ["floor 0.39 %", "unrelated 141 %"])],
)
def test_floor_and_ceiling_are_named(median: float, marks: list[str]) -> None:
    layers = [(n, made_statistics(median)) for n in range(3)]
    assert [text for text in texts(drawn(layers, 0)) if "floor" in text or "unrel" in text] == marks


def test_what_unrelated_matrices_show_is_no_mark_among_norms() -> None:
    layers = [(n, made_statistics(0.5)) for n in range(3)]
    spec = over_layers_spec(layers, MEDIAN.of_vectors, selected=0)
    assert "unrelated" not in json.dumps(spec, default=str) and "floor" in json.dumps(
        spec, default=str
    )


def test_only_the_data_say_which_layer_is_marked() -> None:
    def without_data(selected: int | None) -> dict[str, Any]:
        spec = over_layers_spec(LAYERS, MEDIAN, selected=selected)
        return {name: part for name, part in spec.items() if name != "datasets"}

    assert without_data(0) == without_data(5) == without_data(None)


def test_in_words() -> None:
    assert over_layers_alt(LAYERS, MEDIAN) == (
        "Median relative change over 5 layers: largest in layer 3 (∞), "
        "smallest in layer 5 (10.0 %)."
    )
    assert "no layer has a value" in over_layers_alt([(0, None), (1, None)], UNCHANGED)


def test_the_page_gets_a_valid_chart_and_the_data_apart() -> None:
    empty = []
    for selected in (0, 5):
        spec = over_layers_spec(LAYERS, MEDIAN, selected=selected)
        frame = spec["datasets"].pop(DATA)
        assert list(frame.loc[frame["selected"], "layer"]) == [selected]
        assert spec["config"] == {"view": {"strokeWidth": 0}}
        empty.append(spec)
    assert empty[0] == empty[1]
    alt.LayerChart.from_dict(empty[0], validate=True)
    other = over_layers_spec(LAYERS[:2], MEDIAN, selected=0)
    assert list(other["datasets"][DATA]["layer"]) == [0, 1]
    assert other["layer"] != empty[0]["layer"], "its axis ends at layer 1"
