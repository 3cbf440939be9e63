"""A model's facts and tensors in tables."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from modeldiff.architectures.facts.alike import Known, in_one_line
from modeldiff.model import Model
from modeldiff.text.formatting import format_shape
from modeldiff.ui.alone.weight_spectrum import weight_spectrum
from modeldiff.ui.session.url_state import link_query
from modeldiff.ui.widgets.copy_menu import copy_menu
from modeldiff.ui.widgets.markdown import breakable, code, plain, with_units

_MOST_TENSORS = 20_000
_PAGES = {
    "architecture": "Its tensors and their singular values",
    "diagram": "Its diagram",
    "beyond": "Its tokenizer and configs",
}


def model_in_short(model: Model) -> None:
    """Draw what the model is in a sentence, where it is from, its facts, and the ways on."""
    known: Known = {fact.key: fact for fact in model.architecture.facts}
    with st.container(key="config_answer", gap=None):
        st.markdown(with_units(plain(f"{in_one_line(known)}.")))
        with st.container(key="likeness"):
            st.markdown(f":gray[{code(model.text)}]")
    _ways_on()
    for warning in model.checkpoint.warnings:
        st.caption(f":material/warning: {plain(warning)}")
    fact_list(model)


def model_tables(model: Model) -> None:
    """Draw its facts, its tensors, and the singular values of one of its matrices."""
    fact_list(model)
    tensor_list(model)
    weight_spectrum(model)


def nothing_to_compare(model: Model) -> None:
    """Draw why a page about change has nothing to show, and the ways on."""
    st.markdown(
        f"{plain(model.name)} alone. To see how far its weights moved, choose a second model "
        "under **Pair**."
    )
    _ways_on()


def _ways_on() -> None:
    with st.container(horizontal=True):
        for page, label in _PAGES.items():
            st.page_link(f"pages/{page}.py", label=label, query_params=link_query())


def fact_list(model: Model) -> None:
    """Draw its facts, each with where it comes from."""
    facts = model.architecture.facts
    st.table(
        {
            "Fact": [f"**{plain(fact.label)}**" for fact in facts],
            plain(model.name): [plain(fact.text) for fact in facts],
            "Source": [f":small[:gray[{breakable(plain(fact.source))}]]" for fact in facts],
        },
        border="horizontal",
        hide_index=True,
        alt=f"Facts of {model.name}",
    )
    rows = [(fact.label, fact.text, fact.source) for fact in facts]
    copy_menu((model.name,), ("Fact", "Value", "Source"), rows, key="copy_facts")


def tensor_list(model: Model) -> None:
    """Draw its stored tensors, in file order, with a place, a shape and a type each."""
    parameters = model.architecture.parameters
    st.header("Tensors", anchor="tensors")
    rows = [
        {
            "Layer": parameter.place.layer,
            "Component": parameter.place.column,
            "Expert": parameter.place.expert,
            "Shape": format_shape(parameter.tensor.shape),
            "Type": parameter.tensor.dtype,
            "Stored as": parameter.tensor.label,
        }
        for parameter in parameters[:_MOST_TENSORS]
    ]
    frame = pd.DataFrame(rows).astype({"Layer": "Int64", "Expert": "Int64"})
    shown = frame if frame["Expert"].notna().any() else frame.drop(columns="Expert")
    st.dataframe(shown, hide_index=True, height=560, placeholder="–", alt="Stored tensors")
    with st.container(horizontal=True, vertical_alignment="center"):
        cells = [["" if each is None else str(each) for each in row.values()] for row in rows]
        copy_menu((), [str(name) for name in frame.columns], cells, key="copy_tensors")
        st.caption(f"{len(rows):,} of {len(parameters):,} tensors")
