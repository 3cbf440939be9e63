"""Colours that do not mislead: who shares a scale, how it runs, and what is said of it."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any, get_args
from xml.etree import ElementTree

import pandas as pd
import pytest
import vl_convert
from hypothesis import example, given
from hypothesis import strategies as st

from modeldiff.changes import Pair, merge_statistics
from modeldiff.drawings import LIGHT, METRICS, HeatmapOptions, heatmap_chart, heatmap_guide
from modeldiff.drawings.heatmap.colour_scales import ColourScales, choose_colour_scales
from modeldiff.drawings.heatmap.frame import in_picture
from modeldiff.drawings.heatmap.options import Sharing
from modeldiff.drawings.style.text_metrics import text_width
from modeldiff.drawings.style.value_scale import choose_value_scale
from tests.support.architectures import llama_like
from tests.support.changes import made_changes
from tests.support.heatmaps import heatmap_frame

MEDIAN, UNCHANGED = METRICS[0], METRICS[1]
MODEL = llama_like(3, qkv_bias=True)


def frame_of(
    matrices: float, norms: float, vectors: float, layer_step: float = 0.0
) -> pd.DataFrame:
    def median(pair: Pair) -> float:
        place = pair.place
        kind = norms if "norm" in place.component else matrices
        value = vectors if place.parameter == "bias" else kind
        return value * (1 + layer_step * (place.layer or 0))

    return heatmap_frame(made_changes(MODEL, MODEL, median), MODEL, MODEL, MEDIAN)


def automatic(frame: pd.DataFrame) -> ColourScales:
    return choose_colour_scales(frame, MEDIAN, HeatmapOptions())


def test_norms_that_move_little_get_a_scale_of_their_own_and_it_is_said() -> None:
    frame = frame_of(30.0, 2.0, 25.0)
    assert automatic(frame).sharing == "kind"
    says = heatmap_guide(frame, MEDIAN)
    assert "norms (to 4 %)" in says and "compare colours within one of them only" in says


def test_alike_kinds_share_one_scale_and_so_does_what_did_not_move() -> None:
    assert automatic(frame_of(30.0, 12.0, 25.0)).sharing == "one"
    assert automatic(frame_of(30.0, 0.0, 25.0)).sharing == "one"
    assert "All cells share one scale" in heatmap_guide(frame_of(30.0, 12.0, 25.0), MEDIAN)
    assert automatic(frame_of(0.0, 0.0, 0.0)).sharing == "one"


@example(matrices=21.0, norms=21.0, vectors=81.0)
@given(*[st.floats(4, 140)] * 3)
def test_no_kind_that_moved_looks_unchanged(matrices: float, norms: float, vectors: float) -> None:
    frame = frame_of(matrices, norms, vectors)
    frame["heat"] = automatic(frame).heat(frame)
    # A kind that reaches a quarter as far as another may share its scale; tops are round numbers.
    assert frame.loc[in_picture(frame), "heat"].min() > 1 / 6


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=20),
    st.sampled_from([metric for metric in METRICS if metric.unit]),
    st.booleans(),
)
@example([5e-324], MEDIAN, False)
def test_more_change_is_never_less_heat(values: list[float], metric: object, log: bool) -> None:
    assert isinstance(metric, type(MEDIAN))
    values = [min(value, metric.limit or math.inf) for value in values]
    scale = choose_value_scale(values, metric, [0.390625], log=log)
    heats = [scale.heat(value) for value in sorted(values, reverse=not metric.rises)]
    assert all(0 <= heat <= 1 for heat in heats)
    assert heats == sorted(heats)
    places = [tick.position for tick in scale.ticks()]
    assert places[0] == 0 and places[-1] == 1 and places == sorted(places)


def test_a_logarithmic_scale_shows_ratios() -> None:
    scale = choose_value_scale([0.02, 0.2, 2.0, 20.0], MEDIAN, log=True)
    steps = [scale.heat(value) for value in (0.02, 0.2, 2.0, 20.0)]
    differences = [b - a for a, b in pairwise(steps)]
    assert differences == pytest.approx([differences[0]] * 3)
    assert scale.heat(0.0) == 0.0 and scale.heat(20.0) == 1.0
    falling = choose_value_scale([99.9, 99.0, 90.0, 0.0], UNCHANGED, log=True)
    shares = [falling.heat(value) for value in (99.9, 99.0, 90.0, 0.0)]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert shares[2] - shares[1] == pytest.approx(shares[1] - shares[0])


def test_nothing_changed_in_float32_has_plain_ticks() -> None:
    ticks = choose_value_scale([0.0] * 9, MEDIAN, [100 * 2.0**-24]).ticks()
    assert [tick.text for tick in ticks] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


def test_a_light_change_fills_the_scale_of_a_metric_without_floor() -> None:
    frobenius = METRICS[2]
    assert choose_value_scale([0.04, 0.09, 0.17], frobenius, [0.390625]).top == 0.2
    # Of one with a floor, it must not: what lies below may be rounding.
    assert choose_value_scale([0.04, 0.09, 0.17], MEDIAN, [0.390625]).top == 4


def test_a_few_beyond_the_ceiling_do_not_move_the_top() -> None:
    scale = choose_value_scale([*[120.0] * 50, 168.0, 152.0], MEDIAN)
    assert scale.top == MEDIAN.ceiling and scale.clipped
    assert scale.ticks()[-1].text == "≥ 141\nunrelated"
    assert choose_value_scale([900.0] * 50, MEDIAN).top == 1000


def test_each_sharing_has_its_scales() -> None:
    frame = frame_of(30.0, 2.0, 10.0, layer_step=0.5)
    for sharing in get_args(Sharing):
        options = HeatmapOptions(scale=sharing)
        scales = choose_colour_scales(frame, MEDIAN, options)
        frame["heat"] = scales.heat(frame)
        inside = frame[in_picture(frame)]
        assert inside["heat"].notna().all()
        assert frame.loc[~in_picture(frame), "heat"].isna().all()
        if sharing == "component":
            # The most changed layer of each component has the most heat.
            top = inside[inside["layer"] == 2].set_index("column")["heat"]
            assert (top > 0.6).all()
        if sharing == "group":
            assert {"attention", "MLP", "norms", "biases"} < set(scales.scales)
        drawn = heatmap_chart(frame.drop(columns="heat"), MEDIAN, options=options).to_dict()
        texts = str(drawn["datasets"])
        assert ("to 60" in texts) == (sharing == "component")


def test_the_margins_are_merged_and_not_averaged() -> None:
    changes = made_changes(MODEL, MODEL, lambda p: 1.0 if "mlp" in p.place.component else 100.0)
    frame = heatmap_frame(changes, MODEL, MODEL, MEDIAN)
    for region, key in (("layer", "layer"), ("column", "column")):
        margin = frame[frame["region"] == region]
        for name, value in zip(margin[key], margin["value"], strict=True):
            members = [
                change.statistics
                for change in changes
                if change.statistics
                and change.pair.place.layer is not None
                and getattr(change.pair.place, key) == name
            ]
            assert value == merge_statistics(members).median_pct
    assert (frame["region"] == "layer").sum() == 3


def test_below_the_floor_other_numbers_are_pointed_to() -> None:
    assert "tell more here" in heatmap_guide(frame_of(0.0001, 0.0001, 0.0001), MEDIAN)
    assert "tell more here" not in heatmap_guide(frame_of(3.0, 3.0, 3.0), MEDIAN)


def legend_texts(frame: pd.DataFrame, **options: Any) -> list[tuple[float, float, float, str]]:
    """(left, right, baseline, words) of each text over the cells, in a picture for a phone."""
    chart = heatmap_chart(frame, MEDIAN, options=HeatmapOptions(**options), palette=LIGHT)
    svg = ElementTree.fromstring(vl_convert.vegalite_to_svg(chart.properties(width=390).to_dict()))
    found = []

    def walk(element: ElementTree.Element, x: float, y: float) -> None:
        moved = re.search(r"translate\(([-\d.]+),([-\d.]+)\)", element.get("transform") or "")
        x, y = (x + float(moved[1]), y + float(moved[2])) if moved else (x, y)
        if element.tag.endswith("}text") and element.get("font-size", "0px") != "0px":
            for number, line in enumerate(list(element) or [element]):
                words = line.text or ""
                wide = text_width(words, 11)
                anchor = {"middle": 0.5, "end": 1.0}.get(element.get("text-anchor", ""), 0.0)
                found.append((x - anchor * wide, x + (1 - anchor) * wide, y + 13 * number, words))
        for child in element:
            walk(child, x, y)

    walk(svg, 0, 0)
    return found


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("matrices", "norms"), [(30.0, 20.0), (30.0, 0.5), (3.0, 30.0)])
def test_a_ceiling_beyond_the_scale_is_named_where_nothing_else_stands(
    matrices: float, norms: float, log: bool
) -> None:
    texts = legend_texts(frame_of(matrices, norms, norms), log=log)
    (mark,) = (text for text in texts if "unrelated" in text[3])
    assert mark[3] == "↑ unrelated 141 %"
    near = [text for text in texts if text is not mark and abs(text[2] - mark[2]) < 10]
    assert not [text for text in near if text[0] < mark[1] and mark[0] < text[1]]


def test_a_ceiling_on_the_scale_is_named_there_alone() -> None:
    texts = [text[3] for text in legend_texts(frame_of(130.0, 0.5, 0.5))]
    assert [text for text in texts if "unrelated" in text] == ["unrelated"]
