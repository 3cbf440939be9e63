"""Compare: what the two checkpoints are, the diff as it runs, and its headline numbers."""

import streamlit as st

from modeldiff.ui.controls.diff_progress import diff_panel, follow
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.shell.checkpoint_cards import checkpoint_cards
from modeldiff.ui.shell.page_header import page_head
from modeldiff.ui.summary.summary_panel import summary_panel

enter("compare")
comparison = page_head("Compare")

checkpoint_cards(comparison.base, comparison.target)

if comparison.same_content:
    st.info("By their fingerprints both references hold the same files.")

follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: summary_panel(comparison, state))
