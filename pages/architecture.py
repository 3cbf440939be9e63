"""Architecture: both models' facts side by side, and every tensor with its shapes."""

import streamlit as st

from modeldiff.ui.diffing import diff_panel, follow
from modeldiff.ui.entry import enter
from modeldiff.ui.fact_table import fact_table
from modeldiff.ui.opening import fact_pairs
from modeldiff.ui.page_head import page_head
from modeldiff.ui.tensor_table import tensor_table

enter("architecture")
comparison = page_head("Architecture")

facts = fact_pairs(comparison)
different = sum(not pair.same for pair in facts)
title = f"{different} of {len(facts)} facts differ" if different else "All facts are the same"
st.header(title, anchor=False)
fact_table(facts)

st.header("Tensors", anchor=False)
follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: tensor_table(comparison, state))
