"""Numbers as people read them, and the scale that bars and colours share."""

from __future__ import annotations

import ast
import doctest
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.drawings import METRICS, metric_named
from modeldiff.drawings.style.value_scale import ValueScale, choose_value_scale
from modeldiff.text import formatting as wording
from modeldiff.text.formatting import (
    format_bytes,
    format_count,
    format_duration,
    format_layers,
    format_pct,
    format_rate,
    format_shape,
    format_share,
)
from tests.support.changes import made_statistics

MEDIAN, UNCHANGED = METRICS[0], METRICS[1]


def test_examples_in_the_docstrings() -> None:
    assert doctest.testmod(wording).failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (0.0, "0.00 %"),
        (1e-9, "<0.01 %"),
        (0.0051, "0.01 %"),
        (0.390625, "0.39 %"),
        (9.996, "10.0 %"),
        (12.34, "12.3 %"),
        (99.96, "99.96 %"),
        (99.99999, "99.99 %"),
        (100.0, "100 %"),
        (141.42, "141 %"),
        (12_345.6, "12,346 %"),
    ],
)
def test_percentages(value: float | None, text: str) -> None:
    assert format_pct(value) == text


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (0.0, 3, "0 %"),
        (1e-12, 3, "<0.01 %"),
        (0.0001, 3, "0.01 %"),
        (0.00052, 3, "0.052 %"),
        (0.1234, 2, "12 %"),
        (0.994, 2, "99 %"),
        (0.996, 2, ">99 %"),
        (0.99999, 3, ">99.9 %"),
        (1.0, 2, "100 %"),
        (1.0, 3, "100 %"),
    ],
)
def test_shares(share: float, digits: int, text: str) -> None:
    assert format_share(share, digits=digits) == text
    assert format_share(share * 8, 8, digits=digits) == text


def test_bytes_are_written_in_one_place() -> None:
    root = Path(wording.__file__).parents[1]
    others = [path for path in root.rglob("*.py") if path != Path(wording.__file__)]
    written = {
        f"{path.relative_to(root)}: {piece.value}"
        for path in others
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for piece in text.values
        if isinstance(piece, ast.Constant)
        and isinstance(piece.value, str)
        and re.match(r" ?[kKMGT]i?B\b", piece.value)
    }
    assert written == set()


@given(st.floats(min_value=0, max_value=1e9, exclude_min=True))
def test_a_change_never_reads_as_none_and_a_share_never_as_all(value: float) -> None:
    text = format_pct(value)
    assert text != "0.00 %"
    assert value >= 100 or not text.startswith("100 %")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (format_count(1024), "1,024"),
        (format_count(999_999), "999,999"),
        (format_count(1_000_000), "1.00 M"),
        (format_count(999_600_000), "1.00 B"),
        (format_count(8_030_261_248), "8.03 B"),
        (format_count(405_853_388_800), "406 B"),
        (format_count(None), "–"),
        (format_bytes(999), "999 B"),
        (format_bytes(16_060_522_496), "16.1 GB"),
        (format_bytes(0), "0 B"),
        (format_rate(1.5e9), "1.50 GB/s"),
        (format_rate(math.inf), "–"),
        (format_shape((4096, 1024)), "4096 × 1024"),
        (format_shape(()), "scalar"),
        (format_duration(0.04), "less than 0.1 s"),
        (format_duration(9.96), "10 s"),
        (format_duration(59.7), "1 min"),
        (format_duration(200), "3 min 20 s"),
        (format_duration(7499), "2 h 5 min"),
        (format_layers([4]), "layer 4"),
        (format_layers([7, 0, 1, 2, 5]), "layers 0–2, 5 and 7"),
        (format_layers(range(0, 40, 2)), "layers 0, 2, …, 38"),
    ],
)
def test_other_numbers(text: str, expected: str) -> None:
    assert text == expected


def test_each_metric_reads_its_own_statistic() -> None:
    statistics = made_statistics(10.0, unchanged=0.25)
    values = {metric.key: metric.value(statistics) for metric in METRICS}
    assert values["median_pct"] == statistics.median_pct
    assert values["unchanged_pct"] == statistics.unchanged_pct
    assert values["cosine_distance"] == pytest.approx(1 - (statistics.cosine or 0))
    assert all(metric.value(None) is None for metric in METRICS)


def test_the_cosine_distance_of_near_tensors_is_no_rounding() -> None:
    metric = metric_named("cosine_distance")
    assert metric is not None
    near = made_statistics(0.001)
    assert metric.value(near) == pytest.approx(0.5e-10, rel=1e-6)
    assert metric.value(made_statistics(0.0)) == 0.0


def test_unrelated_matrices_stand_at_the_ceiling() -> None:
    import numpy as np

    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 2_000_000))
    r = 100 * np.abs(b - a) / np.abs(a)
    ceiling = {metric.key: metric.ceiling for metric in METRICS}
    assert ceiling["median_pct"] == pytest.approx(np.median(r), rel=0.01)
    assert ceiling["p95_pct"] == pytest.approx(np.quantile(r, 0.95), rel=0.01)
    assert ceiling["sign_flip_pct"] == pytest.approx(100 * np.mean(a * b < 0), rel=0.01)
    norm = np.linalg.norm
    assert ceiling["rel_frobenius_pct"] == pytest.approx(100 * norm(b - a) / norm(a), rel=0.01)
    assert ceiling["cosine_distance"] == pytest.approx(1 - a @ b / norm(a) / norm(b), rel=0.01)


def test_an_outlier_does_not_flatten_the_scale_and_is_said() -> None:
    scale = choose_value_scale([20.0] * 200 + [5000.0], MEDIAN)
    assert scale.top == 20 and scale.clipped
    assert scale.position(5000) == 1
    assert scale.ticks()[-1].text == "≥ 20"
    assert not choose_value_scale([20.0] * 200 + [30.0], MEDIAN).clipped
    assert choose_value_scale([10.0] * 30 + [142.0], MEDIAN).top == 10, "one of few"
    # Beside others that hardly moved there is no room to keep: the one that moved is shown whole.
    assert choose_value_scale([0.1] * 200 + [20.0], MEDIAN, [0.390625]).top == 20


def test_rounding_alone_does_not_fill_the_scale_with_heat() -> None:
    scale = choose_value_scale([0.0, 0.390625], MEDIAN, [0.390625])
    assert scale.position(0.390625) < 0.2
    assert scale.floor == 0.390625


def test_the_ceiling_is_the_top_where_models_are_unrelated() -> None:
    scale = choose_value_scale([139.0, 143.0, 8.0], MEDIAN, [0.390625])
    assert scale.top == MEDIAN.ceiling and not scale.clipped
    assert scale.ticks()[-1].text == "141"


def test_shares_are_drawn_from_0_to_100() -> None:
    assert choose_value_scale([99.0, 99.5], UNCHANGED).top == 100


@given(
    st.lists(st.floats(0, 1e12) | st.just(math.inf), max_size=30),
    st.sampled_from(METRICS),
    st.sampled_from([(), (0.390625,), (12.5,)]),
)
def test_any_values_have_a_scale_with_ticks_apart(
    values: list[float], metric: object, floors: tuple[float, ...]
) -> None:
    assert isinstance(metric, type(MEDIAN))
    scale: ValueScale = choose_value_scale(values, metric, floors)
    places = [tick.position for tick in scale.ticks()]
    assert places[0] == 0 and places[-1] == 1 and places == sorted(places)
    assert len(places) == len(set(places))
    assert all(0 <= scale.position(value) <= 1 for value in values)
