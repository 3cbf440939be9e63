"""Colours that do not mislead: who shares a scale, how it runs, and what is said of it."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modeldiff.changes import Pair, merge_statistics
from modeldiff.drawings import METRICS, Heatmap, HeatmapOptions, HeatmapSize, heatmap_svg
from modeldiff.drawings.heatmap.options import PAGE, PHONE, TALL, Sharing
from modeldiff.drawings.heatmap.readings import in_picture
from modeldiff.drawings.style.text_metrics import text_width
from modeldiff.drawings.style.value_scale import choose_value_scale
from tests.support.architectures import llama_like
from tests.support.changes import made_changes
from tests.support.heatmaps import heatmap_of

MEDIAN, UNCHANGED = METRICS[0], METRICS[1]
MODEL = llama_like(3, qkv_bias=True)


def picture_of(
    matrices: float, norms: float, vectors: float, layer_step: float = 0.0, **options: Any
) -> Heatmap:
    def median(pair: Pair) -> float:
        place = pair.place
        kind = norms if "norm" in place.component else matrices
        value = vectors if place.parameter == "bias" else kind
        return value * (1 + layer_step * (place.layer or 0))

    changes = made_changes(MODEL, MODEL, median)
    return heatmap_of(changes, MODEL, MODEL, MEDIAN, HeatmapOptions(**options))


def texts_of(heatmap: Heatmap, size: HeatmapSize = PAGE) -> list[str]:
    svg = ElementTree.fromstring(heatmap_svg(heatmap, size))
    return ["".join(e.itertext()) for e in svg.iter() if e.tag.endswith("}text")]


def test_norms_and_biases_have_a_scale_and_a_colour_of_their_own_and_it_is_said() -> None:
    for levels in ((30.0, 2.0, 1.5), (30.0, 12.0, 25.0), (30.0, 0.0, 25.0)):
        heatmap = picture_of(*levels)
        assert list(heatmap.scales.scales) == ["matrices", "norms and biases"]
        assert heatmap.scales.ramp("matrices") != heatmap.scales.ramp("norms and biases")
        for one, face in zip(heatmap.readings, heatmap.faces, strict=True):
            if face is not None and face.css[1:].isdigit():
                assert face.css[0] == ("h" if one.cell.kind == "matrices" else "n")
    assert "norms and biases (to 2 %)" in picture_of(30.0, 2.0, 1.5).guide
    assert "compare colours within one of them only" in heatmap.guide
    plain = llama_like(2)
    changes = made_changes(plain, plain, lambda _: 3.0)
    assert list(heatmap_of(changes, plain, plain, MEDIAN).scales.scales) == ["matrices", "norms"]


def test_a_scale_on_which_all_is_equal_is_words() -> None:
    texts = texts_of(picture_of(30.0, 0.0, 0.0))
    assert "norms and biases: all exactly equal (=)" in texts
    assert "norms" not in picture_of(30.0, 0.0, 0.0).guide
    assert not [text for text in texts if text.startswith("norms and biases,")]


@pytest.mark.parametrize("size", [PAGE, PHONE, TALL])
@pytest.mark.parametrize("sharing", get_args(Sharing))
def test_each_ramp_of_the_legend_explains_one_scale_or_says_that_it_is_relative(
    sharing: Sharing, size: HeatmapSize
) -> None:
    heatmap = picture_of(30.0, 2.0, 1.5, scale=sharing)
    scales, texts = heatmap.scales, texts_of(heatmap, size)
    svg = ElementTree.fromstring(heatmap_svg(heatmap, size))
    fills = ("url(#heatmap-heat)", "url(#heatmap-second)")
    ramps = [e for e in svg.iter() if e.get("fill") in fills]
    places = {(e.attrib["x"], e.attrib["y"]) for e in ramps}
    assert len(places) == len(ramps)
    if sharing == "component":
        assert len(ramps) == 2 and texts.count("each one's own end") == 2
        relative = re.compile("(, relative|on a scale of its own)$")
        assert len([text for text in texts if relative.search(text)]) == 2
        ends = [text for text in texts if re.search(r"to [\d.]+\)?$", text)]
        assert len(ends) == len(scales.scales), "where each ends stands at its name"
    else:
        assert len(ramps) == len(scales.scales)
        for name in filter(None, scales.scales):
            assert len([text for text in texts if text.startswith(f"{name},")]) == 1
        assert not any("own end" in text for text in texts)


@example(matrices=21.0, norms=21.0, vectors=81.0)
@given(*[st.floats(4, 140)] * 3)
def test_no_matrix_that_moved_looks_unchanged(
    matrices: float, norms: float, vectors: float
) -> None:
    heatmap = picture_of(matrices, norms, vectors)
    heats = heatmap.scales.heat(heatmap.readings)
    inside = [
        heat
        for one, heat in zip(heatmap.readings, heats, strict=True)
        if in_picture(one) and one.cell.kind == "matrices"
    ]
    assert min(heat or 0.0 for heat in inside) > 1 / 6


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
    assert choose_value_scale([0.04, 0.09, 0.17], MEDIAN, [0.390625]).top == 2


def test_a_few_beyond_the_ceiling_do_not_move_the_top() -> None:
    scale = choose_value_scale([*[120.0] * 50, 168.0, 152.0], MEDIAN)
    assert scale.top == MEDIAN.ceiling and scale.clipped
    assert scale.ticks()[-1].text == "≥ 141"
    assert choose_value_scale([900.0] * 50, MEDIAN).top == 1000


@given(st.floats(1e-3, 141))
def test_scales_end_at_few_round_values(largest: float) -> None:
    scale = choose_value_scale([largest], MEDIAN, [0.390625])
    assert round(scale.top) in (2, 3, 5, 10, 15, 20, 30, 40, 50, 80, 141)
    assert scale.top >= largest * 0.999


@pytest.mark.parametrize("top", [1, 2, 3, 5, 10, 15, 20, 30, 40, 50, 80])
def test_no_tick_is_lost_to_rounding(top: float) -> None:
    ticks = choose_value_scale([top], MEDIAN, top=float(top)).ticks()
    numbers = [float(tick.text) for tick in ticks]
    assert numbers[0] == 0 and numbers[-1] == top and len(numbers) >= 4
    steps = {round(b - a, 6) for a, b in pairwise(numbers)}
    assert len(steps) == 1
    for number, tick in zip(numbers, ticks, strict=True):
        assert tick.position == pytest.approx(number / top)


def test_a_scale_that_is_fixed_is_the_same_for_every_pair() -> None:
    tops = (50.0, 2.0)
    for levels in ((30.0, 1.5, 1.5), (3.0, 0.5, 0.5), (90.0, 9.0, 9.0)):
        heatmap = picture_of(*levels, tops=tops)
        assert [scale.top for scale in heatmap.scales.scales.values()] == [50.0, 2.0]
    beyond = picture_of(90.0, 1.0, 1.0, tops=tops)
    assert "above the scale" in beyond.marks
    assert [face.css for face in beyond.faces if face and face.above][:1] == ["h64"]
    assert "▲" in "".join(texts_of(beyond))
    one = picture_of(30.0, 2.0, 2.0, tops=(80.0, None), scale="one")
    assert [scale.top for scale in one.scales.scales.values()] == [80.0]


def test_a_strange_embedding_does_not_pale_the_layers() -> None:
    def median(pair: Pair) -> float:
        return 141.0 if pair.place.layer is None and "norm" not in pair.place.component else 5.0

    changes = made_changes(MODEL, MODEL, median)
    heatmap = heatmap_of(changes, MODEL, MODEL, MEDIAN)
    assert heatmap.scales.scales["matrices"].top == 5
    said = " ".join(texts_of(heatmap))
    assert "▲141" in said and "unrelated: 141" in said and "above the scale" in said


def test_each_sharing_has_its_scales() -> None:
    for sharing in get_args(Sharing):
        heatmap = picture_of(30.0, 2.0, 10.0, layer_step=0.5, scale=sharing)
        heats = heatmap.scales.heat(heatmap.readings)
        for one, heat in zip(heatmap.readings, heats, strict=True):
            assert (heat is not None) == in_picture(one)
            # The most changed layer of each component has the most heat.
            if sharing == "component" and one.cell.layer == 2 and heat is not None:
                assert heat > 0.6
        if sharing == "group":
            assert {"attention", "MLP", "norms", "biases"} < set(heatmap.scales.scales)
        texts = " ".join(texts_of(heatmap))
        assert ("to 80" in texts) == (sharing in ("component", "group"))
        assert ("each one's own end" in texts) == (sharing == "component")
        assert "All cells share one scale" in heatmap.guide or sharing != "one"


def test_the_margins_are_merged_and_not_averaged() -> None:
    changes = made_changes(MODEL, MODEL, lambda p: 1.0 if "mlp" in p.place.component else 100.0)
    heatmap = heatmap_of(changes, MODEL, MODEL, MEDIAN)
    margins = [one for one in heatmap.readings if not in_picture(one)]
    for one in margins:
        name = one.cell.layer if one.cell.region == "layer" else one.cell.column
        members = [
            change.statistics
            for change in changes
            if change.statistics
            and change.pair.place.layer is not None
            and getattr(change.pair.place, one.cell.region) == name
        ]
        assert one.value == merge_statistics(members).median_pct
    assert sum(one.cell.region == "layer" for one in margins) == 3


def test_below_the_floor_other_numbers_are_pointed_to() -> None:
    assert "tell more here" in picture_of(0.0001, 0.0001, 0.0001).guide
    assert "tell more here" not in picture_of(3.0, 3.0, 3.0).guide


def placed_texts(heatmap: Heatmap) -> list[tuple[float, float, float, str]]:
    """(left, right, baseline, words) of each text of a picture for a phone."""
    placed = []
    for element in ElementTree.fromstring(heatmap_svg(heatmap, PHONE)).iter():
        if not element.tag.endswith("}text") or element.get("transform"):
            continue
        words = "".join(element.itertext())
        wide = text_width(words, PHONE.font) * 0.92
        anchor = {"middle": 0.5, "end": 1.0}.get(element.get("text-anchor", ""), 0.0)
        x, y = float(element.get("x") or 0), float(element.get("y") or 0)
        placed.append((x - anchor * wide, x + (1 - anchor) * wide, y, words))
    return placed


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("matrices", "norms"), [(30.0, 20.0), (30.0, 0.5), (3.0, 30.0)])
def test_nothing_of_a_legend_is_written_over_another(
    matrices: float, norms: float, log: bool
) -> None:
    texts = placed_texts(picture_of(matrices, norms, norms, log=log))
    legend = [text for text in texts if text[2] < 60]
    assert len(legend) >= 6
    for one in legend:
        near = [other for other in legend if other is not one and abs(other[2] - one[2]) < 8]
        assert not [other for other in near if other[0] < one[1] and one[0] < other[1]], one


def test_unrelated_stands_on_the_scale_of_matrices_alone() -> None:
    texts = texts_of(picture_of(30.0, 20.0, 20.0))
    assert [text for text in texts if "unrelated" in text] == ["floor 0.39 · unrelated: 141"]
    near = texts_of(picture_of(130.0, 0.5, 0.5))
    assert [re.sub(".* · ", "", text) for text in near if "141 = unrelated" in text] == [
        "141 = unrelated"
    ]
    unchanged = made_changes(MODEL, MODEL, lambda _: 3.0)
    falling = heatmap_of(unchanged, MODEL, MODEL, UNCHANGED)
    assert not [text for text in texts_of(falling) if "unrelated" in text]
    assert math.isclose(falling.scales.scales["matrices"].top, 100)
