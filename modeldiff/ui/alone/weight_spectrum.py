"""The singular values of one model's matrix, by choice."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.architectures import Place
from modeldiff.changes import Pair
from modeldiff.comparison import Comparison
from modeldiff.findings.words import place_words
from modeldiff.model import Model
from modeldiff.results import DrillDown, possible_drill_downs
from modeldiff.results.drilldowns.kind import DrillDownKind
from modeldiff.text.formatting import format_bytes
from modeldiff.ui.controls.drilldown_progress import follow_drill_down
from modeldiff.ui.drilldown.drilldown_view import cost_text
from modeldiff.ui.drilldown.spectrum import show_spectrum
from modeldiff.ui.session.opening import compare_sides
from modeldiff.ui.session.url_state import View, change_view, current_view
from modeldiff.ui.widgets.markdown import code

_KIND = "weights"
_CHOOSER = "matrix_chooser"


def weight_spectrum(model: Model) -> None:
    """Draw a chooser of the model's matrices, which the address remembers, and the singular values
    of the chosen one."""
    if not model.has_weights:
        return
    st.header("Singular values", anchor="spectrum")
    comparison = compare_sides(model, model)
    assert comparison is not None
    pairs = [pair for pair in comparison.pairs if _kind(pair, comparison) is not None]
    if not pairs:
        st.caption("It has no matrix of floats.")
        return
    chosen = _choose(pairs, current_view("architecture"))
    if chosen is None:
        st.caption("Choose a matrix to see how its energy is spread over its singular values.")
    else:
        _show(comparison, chosen)


def spectrum_at(model: Model, layer: int | None, component: str) -> None:
    """Draw the singular values of the one matrix of the model at a place, if there is one."""
    comparison = compare_sides(model, model) if model.has_weights else None
    row = comparison.unmeasured.at(Place(layer, component)) if comparison is not None else None
    if comparison is not None and row is not None and _kind(row.pair, comparison) is not None:
        st.markdown("**Singular values**")
        _show(comparison, row.pair)


def _show(comparison: Comparison, pair: Pair) -> None:
    """Draw the singular values of a matrix, or how far they are."""
    kind = _kind(pair, comparison)
    if kind is None:
        return
    tensor = pair.base
    assert tensor is not None
    source = comparison.base.checkpoint.source
    download = sum(map(source.bytes_to_download, tensor.files))
    st.caption(f"{code(tensor.label)}, {format_bytes(tensor.nbytes)}")
    follow_drill_down(
        comparison,
        DrillDown(pair.place, kind.name),
        by_itself=not download and kind.starts_by_itself(pair),
        cost=cost_text(kind.cost(pair), download),
        show=show_spectrum,
    )


def _choose(pairs: Sequence[Pair], view: View) -> Pair | None:
    at = (view.layer, view.component, view.expert)
    there = [(pair.place.layer, pair.place.column, pair.place.expert) for pair in pairs]
    st.session_state[_CHOOSER] = there.index(at) if at in there else None
    st.selectbox(
        "Matrix",
        range(len(pairs)),
        key=_CHOOSER,
        format_func=lambda number: place_words(pairs[number].place),
        placeholder="Choose a matrix",
        on_change=_say,
        args=(there,),
    )
    number: int | None = st.session_state[_CHOOSER]
    return None if number is None else pairs[number]


def _say(there: Sequence[tuple[int | None, str, int | None]]) -> None:
    number = st.session_state[_CHOOSER]
    layer, component, expert = (None, None, None) if number is None else there[number]
    change_view(layer=layer, component=component, expert=expert)


def _kind(pair: Pair, comparison: Comparison) -> DrillDownKind[object] | None:
    kinds = possible_drill_downs(pair, comparison)
    return next((kind for kind in kinds if kind.name == _KIND), None)
