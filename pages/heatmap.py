"""Heatmap: layers across, components down; a click on a cell tells that tensor's story."""

import streamlit as st

from modeldiff.ui.alone.model_facts import nothing_to_compare
from modeldiff.ui.compare.config_pair import no_weights_panel
from modeldiff.ui.controls.diff_progress import begun_state, diff_panel, follow, measured_line
from modeldiff.ui.controls.downloads import diff_downloads
from modeldiff.ui.heatmap.heatmap_view import heatmap_view
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.shell.page_header import page_head
from modeldiff.ui.widgets.how_to_read import how_to_read

enter("heatmap")
comparison = page_head(nothing_to_compare, view="heatmap")

if not comparison.has_weights:
    no_weights_panel(comparison, "The heatmap shows how far each component moved in each layer.")
    st.stop()

follow(comparison, lambda state: diff_panel(comparison, state))
how_to_read("heatmap")
heatmap_view(comparison)
diff_downloads(comparison, begun_state())
measured_line(begun_state())
