"""Diagram: one layer as the data passes through it; a click on a box says what it does."""

from modeldiff.ui.controls.diff_progress import diff_panel, follow
from modeldiff.ui.diagram.diagram_view import diagram_view
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.session.layer_playback import beat
from modeldiff.ui.shell.page_header import page_head

enter("diagram")
comparison = page_head("Diagram")

follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: diagram_view(comparison, state), beat=beat)
