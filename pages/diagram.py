"""Diagram: one layer as the data passes through it; a click on a box says what it does."""

import streamlit as st

from modeldiff.ui.alone.model_diagram import model_diagram
from modeldiff.ui.compare.config_pair import without_weights
from modeldiff.ui.controls.diff_progress import begun_state, diff_panel, follow, measured_line
from modeldiff.ui.controls.follow_job import SECONDS_BETWEEN_PICTURES
from modeldiff.ui.diagram.diagram_view import diagram_view
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.session.layer_playback import beat
from modeldiff.ui.shell.page_header import page_head
from modeldiff.ui.widgets.how_to_read import how_to_read

enter("diagram")
comparison = page_head(model_diagram, view="diagram")

if not comparison.has_weights:
    st.caption(f"The architecture, without numbers: {without_weights(comparison)}")
follow(comparison, lambda state: diff_panel(comparison, state))
how_to_read("diagram")
follow(
    comparison,
    lambda state: diagram_view(comparison, state),
    every=SECONDS_BETWEEN_PICTURES,
    beat=beat,
)
measured_line(begun_state())
