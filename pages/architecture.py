"""Architecture: how two models differ, at a glance, as drawings, in facts, tensor by tensor."""

import streamlit as st

from modeldiff.architectures.facts.alike import what_differs
from modeldiff.ui.alone.model_facts import model_tables
from modeldiff.ui.architecture.fact_table import fact_table
from modeldiff.ui.architecture.key_differences import key_differences
from modeldiff.ui.architecture.layer_view import layer_view
from modeldiff.ui.architecture.parameter_shares_view import parts_view
from modeldiff.ui.architecture.side_by_side_view import architecture_drawings
from modeldiff.ui.compare.config_pair import copy_facts
from modeldiff.ui.controls.diff_progress import begun_state, diff_panel, follow, measured_line
from modeldiff.ui.controls.follow_job import SECONDS_BETWEEN_PICTURES
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.shell.page_header import page_head
from modeldiff.ui.widgets.how_to_read import how_to_read

enter("architecture")
comparison = page_head(model_tables)

facts = comparison.facts
st.header(what_differs(facts), anchor=False)
st.markdown(
    ":small[On this page: [The two blocks](#blocks) · [All facts](#facts) · "
    "[Where the parameters are](#parameters) · [Tensors](#tensors)]"
)
how_to_read("architecture")
key_differences(facts)

architecture_drawings(comparison, facts)

st.header("All facts", anchor="facts")
fact_table(facts)
copy_facts(comparison)

parts_view(comparison)

st.header("Tensors", anchor="tensors")
follow(comparison, lambda state: diff_panel(comparison, state))
follow(comparison, lambda state: layer_view(comparison, state), every=SECONDS_BETWEEN_PICTURES)
measured_line(begun_state())
