"""Heatmap: layers across, components down; a click on a cell tells that tensor's story."""

from modeldiff.ui.controls.diff_progress import diff_panel, follow
from modeldiff.ui.controls.downloads import diff_downloads
from modeldiff.ui.heatmap.heatmap_view import heatmap_view
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.shell.page_header import page_head

enter("heatmap")
comparison = page_head("Heatmap")

follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: heatmap_view(comparison, state))
follow(comparison, lambda state: diff_downloads(comparison, state))
