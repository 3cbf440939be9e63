"""Diagram: one layer as the data passes through it; a click on a box says what it does."""

from modeldiff.ui.diagram_view import diagram_view
from modeldiff.ui.diffing import diff_panel, follow
from modeldiff.ui.entry import enter
from modeldiff.ui.layer_player import beat
from modeldiff.ui.page_head import page_head

enter("diagram")
comparison = page_head("Diagram")

follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: diagram_view(comparison, state), beat=beat)
