"""Architecture: how two models differ, at a glance, as drawings, in facts and tensor by tensor; and
how a line of models came about."""

import streamlit as st

from modeldiff.ui.architecture_drawings import architecture_drawings
from modeldiff.ui.diffing import diff_panel, follow
from modeldiff.ui.entry import enter
from modeldiff.ui.evolution_view import evolution_view
from modeldiff.ui.fact_table import fact_table
from modeldiff.ui.glance import glance
from modeldiff.ui.layer_view import layer_view
from modeldiff.ui.opening import fact_pairs
from modeldiff.ui.page_head import page_head
from modeldiff.ui.parts_view import parts_view

enter("architecture")
comparison = page_head("Architecture")

facts = fact_pairs(comparison)
different = sum(not pair.same for pair in facts)
title = f"{different} of {len(facts)} facts differ" if different else "All facts are the same"
st.header(title, anchor=False)
glance(facts)

architecture_drawings(comparison, facts)

st.header("All facts", anchor=False)
fact_table(facts)

parts_view(comparison)

st.header("Tensors", anchor=False)
follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: layer_view(comparison, state))

evolution_view()
