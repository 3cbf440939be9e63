"""Heads, neuron blocks and experts, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from modeldiff.changes import Pair, Statistics, UnitChanges, units_between
from modeldiff.comparison import Comparison
from modeldiff.drawings import METRICS, Metric, metric_named
from modeldiff.drawings.charts.units import expert_chart, unit_chart, unit_names, units_alt
from modeldiff.drawings.charts.vega_spec import chart_spec
from modeldiff.ui.controls.diff_progress import redraw_around
from modeldiff.ui.drilldown.view import DrillDownView
from modeldiff.ui.session.url_state import change_view, chosen_metric
from modeldiff.ui.widgets.chart_selection import chart_key, clicked

_LABELS = {"query head": "Heads", "KV head": "KV heads", "neuron block": "Neurons"}
_KINDS = {
    "query head": "One bar per query head. Heads that share a KV head stand on one band.",
    "KV head": "One bar per KV head, each shared by a group of query heads.",
    "neuron block": "One bar per block of adjacent neurons.",
}


def _label(comparison: Comparison, pair: Pair) -> str:
    units = units_between(pair, comparison.base.architecture, comparison.target.architecture)
    return "Parts" if units is None else _LABELS.get(units.kind, "Parts")


def _show(comparison: Comparison, pair: Pair, changes: UnitChanges) -> None:
    """A bar a unit, and in words which moved most and least."""
    del comparison, pair
    names = unit_names(changes.units)
    metric = _telling(changes.statistics)
    st.caption(f"{metric.label}. {_KINDS.get(changes.units.kind, '')}")
    alt = units_alt(names, changes.statistics, metric)
    st.vega_lite_chart(spec=chart_spec(unit_chart(changes, metric)), key="units_chart", alt=alt)
    _extremes(names, changes.statistics, metric)


def show_experts(experts: Mapping[int, Statistics], column: str) -> None:
    """A cell an expert; a click chooses that expert on the heatmap."""
    metric = _telling(tuple(experts.values()))
    names = tuple(f"expert {number}" for number in experts)
    st.caption(f"{metric.label}. One cell per expert, in order; click one to see it alone.")
    key = chart_key("experts_chart", "expert", None)
    st.vega_lite_chart(
        spec=chart_spec(expert_chart(experts, metric)),
        key=key,
        on_select=lambda: _choose(key, column),
        selection_mode="expert",
        alt=units_alt(names, tuple(experts.values()), metric),
    )
    _extremes(names, tuple(experts.values()), metric)


def _choose(key: str, column: str) -> None:
    datum = clicked(key, "expert")
    if datum is not None:
        change_view(experts=column, expert=int(datum["expert"]))
        redraw_around()


def _telling(statistics: Sequence[Statistics]) -> Metric:
    """The chosen metric; where it is 0 everywhere, one that still tells the units apart."""
    metric = chosen_metric()
    if any(metric.value(each) for each in statistics):
        return metric
    return metric_named("rel_frobenius_pct") or METRICS[0]


def _extremes(names: Sequence[str], statistics: Sequence[Statistics], metric: Metric) -> None:
    known = [
        (value, name)
        for name, each in zip(names, statistics, strict=True)
        if (value := metric.value(each)) is not None
    ]
    if not known:
        st.markdown("No unit has a value.")
        return
    known.sort(reverse=metric.rises)
    (most, most_name), (least, least_name) = known[0], known[-1]
    text = (
        f"Changed most: **{most_name}**, {metric.format(most)}. Least: **{least_name}**, "
        f"{metric.format(least)}."
    )
    if len(known) > 2:
        text += f" The middle one: {metric.format(known[len(known) // 2][0])}."
    st.markdown(text)


UNITS_VIEW = DrillDownView(_label, _show)
