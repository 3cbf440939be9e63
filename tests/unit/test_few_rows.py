"""Every picture and table of a comparison of no, one and two tensors, in every status: it is drawn,
and says no number that was not measured."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import get_args
from xml.etree import ElementTree

import pytest

from modeldiff.architectures import Architecture
from modeldiff.changes import Change, ChangeTable, Pair, Statistics
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_reports import report_diff
from modeldiff.comparison import Comparison
from modeldiff.drawings import (
    LIGHT,
    METRICS,
    HeatmapOptions,
    heatmap_svg,
)
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.drawings.charts.change_histogram import spread_alt, spread_chart
from modeldiff.drawings.charts.layer_profile import over_layers_alt, over_layers_spec
from modeldiff.drawings.charts.parameter_shares import parts_alt, parts_chart, read_parts
from modeldiff.drawings.charts.units import expert_chart
from modeldiff.drawings.comparison.side_by_side import side_by_side
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.heatmap.options import GLANCE, PAGE, PHONE, TALL, Sharing
from modeldiff.drawings.report import report_html
from modeldiff.findings.narrative import narrate
from modeldiff.findings.selection import chosen_cell, rows_of_cell, rows_of_component
from modeldiff.model import Model
from modeldiff.results import result_document
from modeldiff.ui.widgets.change_tables import change_frame
from tests.support.changes import made_statistics
from tests.support.heatmaps import heatmap_of
from tests.support.named_shapes import checkpoint
from tests.support.reports import Parsed
from tests.support.results import a_result

Shapes = dict[str, tuple[int, ...]]

TENSORS: dict[str, list[str]] = {
    "in layers": ["model.layers.0.mlp.up_proj.weight", "model.layers.3.mlp.up_proj.weight"],
    "in one layer": [
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.input_layernorm.weight",
    ],
    "outside": ["model.embed_tokens.weight", "model.norm.weight"],
    "experts": [f"model.layers.0.mlp.experts.{expert}.up_proj.weight" for expert in (0, 1)],
    "unknown names": ["w", "blocks.7.strange"],
}
NUMBERS = {
    "changed": made_statistics(12.5),
    "unchanged": made_statistics(0.0, unchanged=1.0),
    "infinite": made_statistics(float("inf")),
    "without a finite element": Statistics(),
}
STATUSES = (
    "compared",
    "waiting",
    "different_shape",
    "only_in_base",
    "only_in_target",
    "tied",
    "buffer",
    "unreadable",
)
COMPARED = [
    (where, "compared", count, numbers)
    for count in (0, 1, 2)
    for where, numbers in zip(itertools.cycle(TENSORS), NUMBERS)
]
OTHERS = [
    (where, status, count, "changed")
    for count in (1, 2)
    for where, status in zip(itertools.cycle(TENSORS), STATUSES[1:])
]
ALONE = [(where, "compared", 1, "changed") for where in TENSORS]
SITUATIONS = list(dict.fromkeys([*COMPARED, *OTHERS, *ALONE]))


def situation(where: str, status: str, count: int, numbers: str) -> tuple[Comparison, ChangeTable]:
    """The comparison and its change table, which holds ``count`` rows of a status."""
    names = TENSORS[where][:count]
    if status == "buffer":
        names = [f"{name.rpartition('.')[0]}.rotary_emb.inv_freq" for name in names]
    shapes: Shapes = {name: (8,) if "norm" in name else (8, 8) for name in names}
    wider = {name: (*shape[:-1], 16) for name, shape in shapes.items()}
    base: Shapes = {} if status == "only_in_target" else shapes
    target = {"only_in_base": {}, "different_shape": wider}.get(status, shapes)
    config = {"model_type": "llama", "tie_word_embeddings": status == "tied"}
    comparison = Comparison(*(Model.of(checkpoint(held, config)) for held in (base, target)))
    rows = (change for one in comparison.pairs for change in change_of(one, status, numbers))
    return comparison, ChangeTable(rows)


def change_of(one: Pair, status: str, numbers: str) -> list[Change]:
    if status == "waiting":
        return []
    if status == "unreadable":
        return [Change(replace(one, status="unreadable", reason="the disk failed"))]
    return [Change(one, NUMBERS[numbers] if one.status == "compared" else None)]


SIZES = (PAGE, GLANCE, TALL, PHONE)
OPTIONS = [
    HeatmapOptions(scale=scale, log=log, by_change=log)
    for scale in get_args(Sharing)
    for log in (False, True)
]


def sides_of(comparison: Comparison) -> tuple[Architecture, Architecture]:
    return comparison.base.architecture, comparison.target.architecture


@pytest.mark.parametrize(("where", "status", "count", "numbers"), SITUATIONS)
class TestFewRows:
    def test_heatmap(self, where: str, status: str, count: int, numbers: str) -> None:
        comparison, table = situation(where, status, count, numbers)
        column = "mlp.experts.up_proj" if where == "experts" else ""
        for metric, experts in itertools.product(METRICS, {"", column}):
            for options in OPTIONS:
                chosen = replace(options, experts=experts)
                heatmap = heatmap_of(table, *sides_of(comparison), metric, chosen)
                assert heatmap.alt and heatmap.guide
            for size in SIZES:
                ElementTree.fromstring(heatmap_svg(heatmap, size))

    def test_files(self, where: str, status: str, count: int, numbers: str) -> None:
        comparison, table = situation(where, status, count, numbers)
        heatmap = heatmap_of(table, *sides_of(comparison), METRICS[0])
        ElementTree.fromstring(heatmap_svg(heatmap, palette=LIGHT, selected=0))
        result = a_result(*table)
        assert Parsed(report_html(result, comparison)).named("body")
        assert json.dumps(result_document(result), allow_nan=False)
        assert len(table.to_pandas()) == len(table)

    def test_diagrams(self, where: str, status: str, count: int, numbers: str) -> None:
        comparison, table = situation(where, status, count, numbers)
        for side, layer in itertools.product(sides_of(comparison), (None, 0)):
            for metric in METRICS[:2]:
                diagram = Drawing(side, "a model", metric, layer, table)
                ElementTree.fromstring(diagram.svg(1232, LIGHT))
        drawing = side_by_side(*sides_of(comparison), comparison.facts)
        ElementTree.fromstring(side_by_side_svg(drawing, ("base", "target"), palette=LIGHT))
        parts = read_parts(*sides_of(comparison))
        assert parts_alt(parts) and parts_chart(parts).to_dict()

    def test_words_and_tables(
        self, where: str, status: str, count: int, numbers: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, table = situation(where, status, count, numbers)
        assert len(change_frame(table.ordered())) == len(table)
        assert narrate(table).headline
        report_diff(a_result(*table), Terminal())
        assert "nan" not in capsys.readouterr().out

    def test_a_place(self, where: str, status: str, count: int, numbers: str) -> None:
        _, table = situation(where, status, count, numbers)
        metric = METRICS[0]
        for change in table:
            at = change.pair.place
            cell = chosen_cell(table, at.layer, at.column, at.expert)
            assert cell is not None
            place = rows_of_cell(table, cell)
            assert place.rows and rows_of_component(table, at.component, at.layer)
            if layers := place.over_layers():
                assert over_layers_alt(layers, metric)
                assert over_layers_spec(layers, metric, selected=at.layer)
            if place.statistics is not None:
                assert spread_alt(place.statistics)
                spread_chart(place.statistics)
            experts = {c.pair.place.expert or 0: c.statistics for c in place.rows if c.statistics}
            if experts:
                assert expert_chart(experts, metric).to_dict()
