"""What lies behind a chosen place: how its change is spread, and closer looks at the tensor."""

from __future__ import annotations

import re

import streamlit as st

from modeldiff.changes import (
    Change,
    ChangeImage,
    Pair,
    RowChanges,
    SingularValues,
    Status,
    UnitChanges,
    expert_changes,
    spectrum_plan,
    units_between,
)
from modeldiff.drawings import format_bytes
from modeldiff.drawings.charts.change_histogram import spread_alt, spread_chart
from modeldiff.drawings.charts.vega_spec import chart_spec
from modeldiff.findings.selection import PlaceRows
from modeldiff.results import DrillDown, DrillDownKind, DrillDownResult, possible_drill_downs
from modeldiff.ui.controls.drilldown_progress import follow_drill_down
from modeldiff.ui.drilldown.image import show_image
from modeldiff.ui.drilldown.rows import show_rows
from modeldiff.ui.drilldown.spectrum import show_spectrum
from modeldiff.ui.drilldown.units import show_experts, show_units
from modeldiff.ui.session.opened_pair import Comparison
from modeldiff.ui.session.url_state import change_view
from modeldiff.ui.widgets.markdown import code

LOOK = "look"
"""The name of the chosen look in the URL."""
READ_BY_ITSELF_BELOW = 600_000_000
"""A tensor of fewer bytes on both sides, here on this machine, is read without asking: in a second
or two."""

_CHOOSER = "look_chooser"
_NO_FILE_NAME = re.compile(r"[^\w.-]")
_UNITS = {"query head": "Heads", "KV head": "KV heads", "neuron block": "Neurons"}
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
    """Draw the spread of the change at a place, and the closer looks at its tensor or experts."""
    if place.statistics is not None:
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
    sides = comparison.base.architecture, comparison.target.architecture
    looks = possible_drill_downs(pair, *sides)
    if not looks:
        st.caption(_why_none(pair))
        return
    _head("A closer look")
    if change not in place.rows:
        st.caption(f"At {code(pair.place.column)}, where the tensor is stored.")
    kind = _choose(comparison, pair, looks)
    follow_drill_down(
        comparison,
        DrillDown(pair.place, kind),
        by_itself=_starts_by_itself(comparison, pair, kind),
        cost=_cost(comparison, pair, kind),
        show=lambda found: _show(comparison, pair, found),
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
    row = place.rows[0]
    if row.pair.status != "tied" or row.pair.base is None:
        return row
    name = row.pair.base.label
    stored = (
        other
        for other in place.table
        if other.pair.status == "compared" and other.pair.base and other.pair.base.label == name
    )
    return next(stored, row)


def _why_none(pair: Pair) -> str:
    """Why a measured tensor has no closer looks."""
    if pair.base is not None and len(pair.base.shape) < 2:
        return "A vector has no heads, image or singular values. Choose a matrix to look closer."
    return (
        "Heads, image and singular values are those of a matrix of floats. Choose one to look "
        "closer."
    )


def _choose(comparison: Comparison, pair: Pair, looks: tuple[DrillDownKind, ...]) -> DrillDownKind:
    """The look that the URL names, where there is such a one here, else the first."""
    said = st.query_params.get(LOOK)
    chosen = next((kind for kind in looks if kind == said), looks[0])
    units = units_between(pair, comparison.base.architecture, comparison.target.architecture)
    names: dict[DrillDownKind, str] = {
        "units": _UNITS.get(units.kind, "Parts") if units is not None else "Parts",
        "rows": "Tokens" if _are_tokens(pair) else "Rows",
        "image": "Image",
        "spectrum": "Singular values",
    }
    st.session_state[_CHOOSER] = chosen
    st.segmented_control(
        "Look at",
        looks,
        key=_CHOOSER,
        required=True,
        format_func=lambda kind: names[kind],
        label_visibility="collapsed",
        on_change=lambda: change_view(look=st.session_state[_CHOOSER]),
    )
    return chosen


def _are_tokens(pair: Pair) -> bool:
    return pair.place.component.rpartition(".")[2] in ("embed_tokens", "lm_head")


def _starts_by_itself(comparison: Comparison, pair: Pair, kind: DrillDownKind) -> bool:
    if _bytes_away(comparison, pair) or pair.nbytes >= READ_BY_ITSELF_BELOW:
        return False
    return kind != "spectrum" or spectrum_plan(pair).small


def _cost(comparison: Comparison, pair: Pair, kind: DrillDownKind) -> str:
    times, computing = "", ""
    if kind == "spectrum":
        plan = spectrum_plan(pair)
        times = f", {plan.passes} times" if plan.passes > 1 else ""
        if not plan.small:
            lasts = "up to 30 seconds" if plan.exact else "half a minute or more"
            computing = f" Computing the singular values takes {lasts} on two cores."
    away = _bytes_away(comparison, pair)
    first = f", after a download of {format_bytes(away)}" if away else ""
    text = f"This reads {format_bytes(pair.nbytes)} again{times}{first}."
    return f"{text}{computing} It is done once, and kept."


def _bytes_away(comparison: Comparison, pair: Pair) -> int:
    """Bytes to download before this pair can be read."""
    sides = ((comparison.base, pair.base), (comparison.target, pair.target))
    return sum(
        side.checkpoint.files[tensor.file]
        for side, tensor in sides
        if tensor is not None and not side.checkpoint.storage.is_local(tensor.file)
    )


def _show(comparison: Comparison, pair: Pair, found: DrillDownResult) -> None:
    column = pair.place.column
    if isinstance(found, UnitChanges):
        show_units(found)
    elif isinstance(found, RowChanges):
        show_rows(comparison, found, tokens=_are_tokens(pair), column=column)
    elif isinstance(found, ChangeImage):
        layer = "" if pair.place.layer is None else f"-layer-{pair.place.layer}"
        show_image(found, f"modeldiff-change{layer}-{_NO_FILE_NAME.sub('_', column)}")
    else:
        assert isinstance(found, SingularValues)
        show_spectrum(found)
