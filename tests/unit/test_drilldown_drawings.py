"""Pictures of drill-downs: what they say is what was measured."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.changes import (
    ChangeImage,
    Measurement,
    RoundingNoise,
    SingularValues,
    Statistics,
    UnitChanges,
    Units,
)
from modeldiff.drawings import DARK, LIGHT, METRICS, metric_named
from modeldiff.drawings.charts.change_histogram import spread_alt, spread_chart
from modeldiff.drawings.charts.change_image import (
    LEAST,
    MOST,
    NOTHING,
    image_alt,
    image_levels,
    image_png,
    image_scale,
)
from modeldiff.drawings.charts.spectrum import spectrum_alt, spectrum_chart
from modeldiff.drawings.charts.units import expert_chart, unit_chart, unit_names, units_alt


def moved(share: float, *, seed: int = 0, n: int = 4000) -> Statistics:
    base = np.random.default_rng(seed).standard_normal(n).astype(np.float32)
    noise = np.random.default_rng(seed + 1).standard_normal(n).astype(np.float32)
    return Measurement.of(base, base * (1 + np.float32(share) * noise)).finish()


def layers(chart: Any) -> list[list[dict[str, Any]]]:
    """The rows of each layer, as the browser gets them."""
    document = chart.to_dict()
    sets = document.get("datasets", {})
    every = (layer.get("data") or document["data"] for layer in document["layer"])
    return [data.get("values") or sets[data["name"]] for data in every]


class TestSpread:
    @settings(max_examples=30)  # each builds a chart, which takes longer than what is tested
    @given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60), st.randoms())
    def test_bars_hold_nearly_all_elements_whatever_they_are(
        self, values: list[float], random: Any
    ) -> None:
        base = np.array(values, np.float32)
        target = np.array([random.choice([v, 0.0, 2 * v, v + 1e-6]) for v in values], np.float32)
        chart = spread_chart(Measurement.of(base, target).finish())
        assert chart is not None
        bars = layers(chart)[0]
        assert sum(bar["share"] for bar in bars) == pytest.approx(100, abs=0.1)
        ends = [end for bar in bars for end in (bar["x"], bar["x2"])]
        assert ends == sorted(ends)
        assert all(map(math.isfinite, ends))

    def test_marks_stand_where_they_belong(self) -> None:
        statistics = moved(0.1)
        chart = spread_chart(statistics)
        assert chart is not None and statistics.median_pct is not None
        marks = {row["name"]: row["x"] for rows in layers(chart)[1:] for row in rows}
        assert marks["median"] == pytest.approx(math.log10(statistics.median_pct))
        assert len(marks) >= 6
        assert "the median is 6." in spread_alt(statistics)

    def test_an_identical_tensor_is_one_bar(self) -> None:
        chart = spread_chart(moved(0))
        assert chart is not None
        (bar,) = layers(chart)[0]
        assert (bar["share"], bar["label"]) == (100, "['0', '100 %']")

    def test_nothing_counted(self) -> None:
        assert spread_chart(Statistics()) is None
        empty = np.zeros(0, np.float32)
        assert spread_chart(Measurement.of(empty, empty).finish()) is None


class TestUnits:
    FOUND = UnitChanges(
        Units("query head", 0, (0, 8, 16, 24, 32), (0, 0, 1, 1)),
        (moved(0.01), moved(0.02), moved(0.4), moved(0)),
    )

    def test_each_head_has_its_value_and_says_whose_it_is(self) -> None:
        bands, names, bars, *_ = layers(unit_chart(self.FOUND, METRICS[0]))
        assert bands == names and [band["group"] for band in bands] == ["KV 0", "KV 1"]
        assert [band["from"] for band in bands] == [-0.5, 1.5]
        values = [each.median_pct for each in self.FOUND.statistics]
        assert [bar["value"] for bar in bars] == values
        assert bars[2]["description"].startswith(
            "query head 2, reads KV head 1: median relative change"
        )
        alt = units_alt(unit_names(self.FOUND.units), self.FOUND.statistics, METRICS[0])
        assert "largest in query head 2" in alt and "smallest in query head 3" in alt

    def test_an_infinite_one_is_drawn_to_the_top(self) -> None:
        zeros, ones = np.zeros(8, np.float32), np.ones(8, np.float32)
        infinite = Measurement.of(zeros, ones).finish()
        changes = UnitChanges(Units("KV head", 0, (0, 1, 2)), (infinite, moved(0.1)))
        bars = layers(unit_chart(changes, METRICS[0]))[0]
        assert [bar["infinite"] for bar in bars] == [True, False]
        assert all(math.isfinite(bar["value"]) for bar in bars)

    def test_neurons_are_named_by_their_rows(self) -> None:
        assert unit_names(Units("neuron block", 1, (0, 224, 448))) == (
            "neurons 0–223",
            "neurons 224–447",
        )
        assert unit_names(Units("neuron block", 1, (0, 1, 2))) == ("neuron 0", "neuron 1")

    def test_small_changes_fill_the_axis_where_there_is_no_floor(self) -> None:
        frobenius = metric_named("rel_frobenius_pct")
        assert frobenius is not None
        changes = UnitChanges(Units("KV head", 0, (0, 1, 2)), (moved(1e-4), moved(2e-4)))
        (layer, *_) = unit_chart(changes, frobenius).to_dict()["layer"]
        assert layer["encoding"]["y"]["scale"]["domain"][1] < 0.05

    def test_experts_stand_in_order(self) -> None:
        experts = {number: moved(0.01 * number) for number in range(20)}
        (cells,) = layers(expert_chart(experts, METRICS[0], selected=9))
        assert [(c["row"], c["column"]) for c in cells[7:10]] == [(0, 7), (1, 0), (1, 1)]
        assert [cell["expert"] for cell in cells if cell["chosen"]] == [9]


class TestImage:
    def test_levels_keep_the_order_of_the_values(self) -> None:
        pct = np.array([[0, 1, 2, 50], [np.nan, np.inf, 99, 3]], np.float32)
        image = ChangeImage(pct, 20, 40)
        levels = image_levels(image, image_scale(image))
        assert levels[1, 0] == NOTHING
        assert levels[0, 0] == LEAST and levels[1, 1] == MOST
        ordered = levels.reshape(-1)[[0, 1, 2, 7, 3, 6, 5]].astype(int)
        assert (np.diff(ordered) >= 0).all()
        assert "rows 10–19 and columns 20–29" in image_alt(image)

    @pytest.mark.parametrize(
        "pct", [np.zeros((2, 3)), np.full((1, 1), np.nan), np.full((2, 2), np.inf)]
    )
    def test_images_without_a_scale_of_their_own(self, pct: np.ndarray) -> None:
        image = ChangeImage(pct.astype(np.float32), *pct.shape)
        scale = image_scale(image)
        assert scale.low < scale.high
        assert image_levels(image, scale).shape == pct.shape
        assert image_alt(image)

    @pytest.mark.parametrize("palette", [LIGHT, DARK])
    def test_the_png_is_read_by_others(self, palette: Any) -> None:
        from PIL import Image

        levels = np.array([[NOTHING, LEAST, 128], [MOST, LEAST, MOST]], np.uint8)
        picture = Image.open(io.BytesIO(image_png(levels, palette))).convert("RGBA")
        assert picture.size == (3, 2)
        ends = [
            (*(int(colour[i : i + 2], 16) for i in (1, 3, 5)), 255)
            for colour in (palette.ramp[0], palette.ramp[-1])
        ]
        assert [picture.getpixel(at) for at in ((1, 0), (0, 1))] == ends
        transparent = picture.getpixel((0, 0))
        assert isinstance(transparent, tuple) and transparent[3] == 0


def spectrum(values: Any, *, exact: bool = True) -> SingularValues:
    values = np.asarray(values, np.float64)
    return SingularValues(
        values=values,
        rows=64,
        columns=32,
        energy=float(np.square(values).sum()),
        base_energy=1.0,
        noise=RoundingNoise(1e-6, 1e-3),
        exact=exact,
        error=1e-9,
        method="lapack",
        trials=((3, 1e-3),),
    )


class TestSpectrum:
    def test_a_low_rank_is_marked(self) -> None:
        values = spectrum([5, 4, 3, *[1e-4] * 29])
        chart = spectrum_chart(values)
        assert chart is not None
        assert any(row.get("text") == "rank 3" for rows in layers(chart) for row in rows)
        assert "fits a rank-3 update" in spectrum_alt(values)

    def test_nothing_changed(self) -> None:
        assert spectrum_chart(spectrum(np.zeros(32))) is None
        assert "nothing changed" in spectrum_alt(spectrum(np.zeros(32)))
