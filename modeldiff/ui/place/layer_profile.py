"""A place over all layers, as a small chart whose bars lead to their layers."""

from __future__ import annotations

import streamlit as st

from modeldiff.drawings.charts.layer_profile import over_layers_alt, over_layers_spec
from modeldiff.findings.selection import PlaceRows
from modeldiff.ui.controls.diff_progress import redraw_around
from modeldiff.ui.session.url_state import change_view, chosen_metric
from modeldiff.ui.widgets.chart_selection import chart_key, clicked


def over_layers(place: PlaceRows) -> None:
    """The chosen metric at this place in each layer, the place's own layer marked.

    Nothing where there is no other layer to compare it with, or none of them moved.
    """
    layers = place.over_layers()
    moved = any(each is not None and each.unchanged_pct != 100.0 for _, each in layers)
    if len(layers) < 2 or not moved:
        return
    here = {row.pair.place.layer for row in place.rows}
    layer = here.pop() if len(here) == 1 else None
    metric = chosen_metric()
    if place.of_vectors:
        metric = metric.of_vectors
    table = place.table
    labels = {at: table.layer_label(at) for at, _ in layers} if table.alignment else {}
    st.caption(f"{metric.label} over all layers", help="Click a bar to go to its layer.")
    key = chart_key(
        f"over_layers_{place.column}", "over", None if layer is None else {"layer": layer}
    )
    st.vega_lite_chart(
        spec=over_layers_spec(layers, metric, selected=layer, labels=labels),
        key=key,
        on_select=lambda: _go(key),
        selection_mode="over",
        alt=over_layers_alt(layers, metric, labels),
    )


def _go(key: str) -> None:
    datum = clicked(key, "over")
    if datum is not None:
        change_view(layer=int(datum["layer"]))
        redraw_around()
