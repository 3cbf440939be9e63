"""Heatmap: layers down, components across; a click on a cell tells that tensor's story."""

from modeldiff.ui.diffing import diff_panel, follow
from modeldiff.ui.downloads import diff_downloads
from modeldiff.ui.entry import enter
from modeldiff.ui.heatmap_view import heatmap_view
from modeldiff.ui.page_head import page_head

enter("heatmap")
comparison = page_head("Heatmap")

follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: heatmap_view(comparison, state))
follow(comparison, lambda state: diff_downloads(comparison, state))
