"""Where the parameters are, as a picture."""

from __future__ import annotations

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.drawings.charts.parameter_shares import parts_alt, parts_chart, read_parts
from modeldiff.drawings.charts.vega_spec import chart_spec


def parts_view(comparison: Comparison) -> None:
    """Draw both models' parameters by part; nothing where neither has any."""
    parts = read_parts(comparison.base.architecture, comparison.target.architecture)
    if not parts.parts:
        return
    st.header("Where the parameters are", anchor="parameters")
    with st.container(key="parts"):
        st.vega_lite_chart(
            spec=chart_spec(parts_chart(parts)), key="parts_chart", alt=parts_alt(parts)
        )
    st.caption("Both models on one scale; shares are of each model's own parameters.")
