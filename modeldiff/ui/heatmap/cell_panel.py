"""The panel beside the heatmap: the story of what is chosen."""

from __future__ import annotations

import streamlit as st

from modeldiff.architectures import explain
from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.findings.selection import ChosenCell, PlaceRows, rows_of_cell
from modeldiff.ui.drilldown.drilldown_view import drilldown_view
from modeldiff.ui.place.place_panel import explanation_text, place_panel, place_title
from modeldiff.ui.place.statistics_panel import detail_tables, headline_metrics
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.widgets.change_tables import change_frame, show_changes
from modeldiff.ui.widgets.markdown import code


def cell_panel(comparison: Comparison, changes: ChangeTable, chosen: ChosenCell) -> None:
    """Draw the tensors of the chosen cell, layer or column."""
    place = rows_of_cell(changes, chosen)
    where = where_words(chosen, changes)
    if not place.rows:
        st.markdown(f"{where}: neither checkpoint has a tensor {code(chosen.column)}.")
        return
    if not chosen.column:
        layer_panel(where, place)
        node = None
    else:
        node = place.rows[0].pair.place.node
        explanation = explain(node, comparison.base.architecture)
        place_title(explanation, where, chosen.column)
        place_panel(place)
        drilldown_view(comparison, place)
        with st.expander("What it does"):
            explanation_text(explanation)
    st.page_link(
        "pages/diagram.py",
        label="See it in the diagram",
        icon=":material/schema:",
        query_params=link_query(**_in_diagram(chosen, changes), component=node),
    )


def layer_panel(where: str, place: PlaceRows) -> None:
    """Draw a whole layer's statistics; ``where`` are the words for it."""
    st.subheader(f"{where} as a whole", anchor=False)
    if place.statistics is None:
        st.markdown("**Nothing of it is measured.**")
    else:
        st.caption(
            f"{len(place.rows):,} tensors taken together: percentiles are within 1.6 % of their "
            "value."
        )
        headline_metrics(place.statistics)
        detail_tables(place.statistics)
    numbers = ("median_pct", "unchanged_pct", "rel_frobenius_pct", "nonfinite")
    columns = ("component", "expert", "status", *numbers)
    show_changes(
        change_frame(place.rows), columns=columns, alt="The layer's tensors, one a row", height=360
    )


def _in_diagram(chosen: ChosenCell, changes: ChangeTable) -> dict[str, int | str | None]:
    """The layer in the diagram of the side that has it."""
    numbers = changes.layer_numbers(chosen.layer) if chosen.layer is not None else ()
    if len(numbers) != 1 or numbers[0].base is not None:
        return {"layer": numbers[0].base if len(numbers) == 1 else chosen.layer}
    return {"layer": numbers[0].target, "side": "target"}


def where_words(chosen: ChosenCell, changes: ChangeTable) -> str:
    """In which layer of ``changes`` (and of which expert) ``chosen`` is."""
    if chosen.layer is None:
        where = "All layers" if changes.layers_of(chosen.column) else "Outside the layers"
    else:
        where = f"Layer {changes.layer_label(chosen.layer) or chosen.layer}"
    return where if chosen.expert is None else f"{where}, expert {chosen.expert}"
