"""All statistics of a tensor (or of several, merged), each with what it says."""

from __future__ import annotations

import streamlit as st

from modeldiff.changes import Statistics
from modeldiff.text.formatting import format_number
from modeldiff.ui.place.statistic_notes import DETAIL_NOTES, HEADLINE_NOTES, PERCENTILES


def headline_metrics(statistics: Statistics, *, tensors: str = "") -> None:
    """The four numbers that belong together, each with its explanation; and how many tensors they
    are of, where that is to be said."""
    with st.grid(5 if tensors else 2, min_column_width=150):
        if tensors:
            st.metric(
                "Tensors compared",
                tensors,
                help="The others have no counterpart of the same shape, or no trained values.",
                border=True,
            )
        for note in HEADLINE_NOTES:
            st.metric(note.label, note.text(statistics), help=note.says, border=True)


def detail_tables(statistics: Statistics) -> None:
    """All others: how the change is spread over the elements, then one a line."""
    st.caption("Percentiles of the relative change (%): this share of the elements moved by less")
    st.table(
        {
            ordinal: [format_number(getattr(statistics, name))]
            for name, ordinal in PERCENTILES.items()
        },
        border="horizontal",
        hide_index=True,
        alt="Percentiles of the relative change in percent",
    )
    st.table(
        {
            "Statistic": [f"{note.label}  \n:gray[{note.says}]" for note in DETAIL_NOTES],
            "Value": [note.text(statistics) for note in DETAIL_NOTES],
        },
        border="horizontal",
        hide_index=True,
        hide_header=True,
        alt="Every further statistic with its meaning",
    )
