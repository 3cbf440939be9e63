"""What lies behind a chosen place: how its change is spread, and drill-downs into the tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from modeldiff.changes import Change, Pair, Status, expert_changes
from modeldiff.comparison import Comparison
from modeldiff.drawings.charts.change_histogram import spread_alt, spread_chart
from modeldiff.drawings.charts.vega_spec import chart_spec
from modeldiff.findings.selection import PlaceRows
from modeldiff.results import DrillDown, DrillDownKind, possible_drill_downs
from modeldiff.results.drilldowns.kind import Cost
from modeldiff.text.formatting import format_bytes
from modeldiff.ui.controls.drilldown_progress import follow_drill_down
from modeldiff.ui.drilldown.units import show_experts
from modeldiff.ui.drilldown.views import VIEWS
from modeldiff.ui.session.url_state import change_view
from modeldiff.ui.widgets.markdown import code

URL_NAME = "look"
"""The name of the chosen drill-down in the URL."""

_CHOOSER = "drill_down_chooser"
_NOTHING: dict[Status, str] = {
    "different_shape": "Two shapes have no elements in common, so there is nothing to look closer "
    "at. Compare with a checkpoint whose tensor has the same shape.",
    "only_in_base": "With one side alone there is no change to look closer at.",
    "only_in_target": "With one side alone there is no change to look closer at.",
    "buffer": "It is not trained, so there is no change to look closer at.",
    "quantised": "Codes are no weights, so there is no change to look closer at. Compare with a "
    "checkpoint that stores plain values.",
    "unreadable": "What cannot be read cannot be looked at. Check the file, then measure again.",
}


def drilldown_view(comparison: Comparison, place: PlaceRows) -> None:
    """Draw the spread of the change at a place, and the drill-downs into its tensor or experts."""
    if place.statistics is not None and not place.is_equal:
        _spread(place)
    experts = expert_changes(place.rows, place.rows[0].pair.place)
    change = _single(place)
    if change is None:
        if len(experts) > 1 and len({row.pair.place.layer for row in place.rows}) == 1:
            _head("Experts")
            show_experts(experts, place.column)
            st.caption("Heads, image and singular values are those of one expert: choose one.")
        else:
            st.caption("To look closer, choose one tensor: a cell of one layer and one expert.")
        return
    pair = change.pair
    if change.statistics is None:
        st.caption(_NOTHING.get(pair.status, "Once it is measured, there is more to see here."))
        return
    kinds = [each for each in possible_drill_downs(pair, comparison) if each.name in VIEWS]
    if not kinds:
        st.caption(_why_none(pair))
        return
    _head("A closer look")
    if change not in place.rows:
        st.caption(f"At {code(pair.place.column)}, where the tensor is stored.")
    kind = _choose(comparison, pair, kinds)
    download = _bytes_away(comparison, pair)
    follow_drill_down(
        comparison,
        DrillDown(pair.place, kind.name),
        by_itself=not download and kind.starts_by_itself(pair),
        cost=cost_text(kind.cost(pair), download),
        show=lambda result: VIEWS[kind.name].show(comparison, pair, result),
    )


def _head(text: str) -> None:
    st.markdown(f"**{text}**")


def _spread(place: PlaceRows) -> None:
    assert place.statistics is not None
    chart = spread_chart(place.statistics)
    if chart is None:
        return
    st.caption(
        "How far the elements moved: share of elements by relative change",
        help="On a log axis. Unchanged elements stand at 0. The triangles are where 5, 25, 75, 95 "
        "and 99 % of the elements lie to the left.",
    )
    st.vega_lite_chart(spec=chart_spec(chart), key="spread_chart", alt=spread_alt(place.statistics))


def _single(place: PlaceRows) -> Change | None:
    """The one row there is; of a tied one, the row where the tensor is stored."""
    if len(place.rows) != 1:
        return None
    return place.table.stored(place.rows[0])


def _why_none(pair: Pair) -> str:
    """Why a measured tensor has no drill-downs."""
    if pair.base is not None and len(pair.base.shape) < 2:
        return "A vector has no heads, image or singular values. Choose a matrix to look closer."
    return (
        "Heads, image and singular values are those of a matrix of floats. Choose one to look "
        "closer."
    )


def _choose(
    comparison: Comparison, pair: Pair, kinds: Sequence[DrillDownKind[Any]]
) -> DrillDownKind[Any]:
    """The drill-down that the URL names, where there is such a one here, else the first."""
    offered = {kind.name: kind for kind in kinds}
    name = st.query_params.get(URL_NAME, "")
    chosen = offered.get(name, kinds[0])
    st.session_state[_CHOOSER] = chosen.name
    st.segmented_control(
        "Look at",
        list(offered),
        key=_CHOOSER,
        required=True,
        format_func=lambda name: VIEWS[name].label(comparison, pair),
        label_visibility="collapsed",
        on_change=lambda: change_view(**{URL_NAME: st.session_state[_CHOOSER]}),
    )
    return chosen


def cost_text(cost: Cost, download: int) -> str:
    """What a drill-down takes, in sentences; ``download`` are bytes to be fetched first."""
    times = f", {cost.passes} times" if cost.passes > 1 else ""
    first = f", after a download of {format_bytes(download)}" if download else ""
    reading = f"This reads {format_bytes(cost.nbytes)} again{times}{first}."
    return " ".join(filter(None, (reading, cost.computing, "Done once; the result is kept.")))


def _bytes_away(comparison: Comparison, pair: Pair) -> int:
    """Bytes to download before this pair can be read."""
    sides = ((comparison.base, pair.base), (comparison.target, pair.target))
    return sum(
        side.checkpoint.source.bytes_to_download(file)
        for side, tensor in sides
        for file in (tensor.files if tensor is not None else ())
    )
