"""Compare: what the two checkpoints are, the diff as it runs, and its headline numbers."""

import streamlit as st

from modeldiff.ui.diffing import diff_panel, follow
from modeldiff.ui.entry import enter
from modeldiff.ui.page_head import page_head
from modeldiff.ui.side_card import side_card
from modeldiff.ui.summary_panel import summary_panel

enter("compare")
comparison = page_head("Compare")

for role, side, column in zip(
    ("Base", "Target"), (comparison.base, comparison.target), st.columns(2), strict=True
):
    with column:
        side_card(role, side)

if comparison.same_content:
    st.info("By their fingerprints both references hold the same files.")

follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: summary_panel(comparison, state))
