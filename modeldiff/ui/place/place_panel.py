"""The panel of a chosen place: what stands there in both models, and what was measured of it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.architectures import Explanation
from modeldiff.checkpoints import TensorInfo
from modeldiff.findings.selection import PlaceRows
from modeldiff.findings.status_words import EXACTLY_EQUAL, STATUS_WORDS
from modeldiff.text.formatting import format_shape
from modeldiff.ui.place.layer_profile import over_layers
from modeldiff.ui.place.statistics_panel import detail_tables, headline_metrics
from modeldiff.ui.widgets.change_tables import change_frame, copy_changes, show_changes
from modeldiff.ui.widgets.markdown import code, plain


def place_title(explanation: Explanation, where: str, name: str) -> None:
    """What a component is called, where it is, and its common name."""
    st.subheader(plain(explanation.title), anchor=False)
    st.caption(f"{where} · {code(name)}")


def explanation_text(explanation: Explanation) -> None:
    """What a component does, as a formula too, and why a change there matters."""
    st.markdown(plain(explanation.what))
    if explanation.formula:
        st.code(explanation.formula, language=None, wrap_lines=True)
    if explanation.why:
        st.markdown(f"**What a change means.** {plain(explanation.why)}")


def place_panel(place: PlaceRows) -> None:
    """Both sides' tensors at a place and all their statistics, or why there are none."""
    _sides(place)
    pair = place.rows[0].pair
    if place.statistics is None:
        reason = f" {plain(pair.reason)}" if pair.reason else ""
        st.markdown(f"**{STATUS_WORDS[pair.status].sentence}**{reason}")
        return
    if len(place.rows) == 1 and pair.reason:
        compared = "Compared: " if pair.shared is not None else ""
        st.caption(f"{compared}{plain(pair.reason)}")
    if len(place.rows) > 1:
        st.caption(
            f"{len(place.rows):,} tensors taken together: percentiles are within 1.6 % of their "
            "value."
        )
    if place.is_equal:
        st.markdown(f"**{EXACTLY_EQUAL}**")
    else:
        headline_metrics(place.statistics)
    over_layers(place)
    with st.expander("All statistics"):
        detail_tables(place.statistics)
    if len(place.rows) > 1:
        numbers = ("median_pct", "unchanged_pct", "rel_frobenius_pct", "nonfinite")
        columns = ("layer", "target_layer", "expert", "status", *numbers)
        frame = change_frame(place.rows)
        show_changes(frame, columns=columns, alt="The tensors at this place, one a row", height=260)
        copy_changes(frame, columns=columns, key="copy_place")


def _sides(place: PlaceRows) -> None:
    """What stands here, in one line where it is the same in both; of several, the first."""
    pair = place.rows[0].pair
    first = f" (the first of {len(place.rows):,})" if len(place.rows) > 1 else ""
    base, target = map(_tensor, (pair.base, pair.target), pair.shapes)
    if base == target:
        st.caption(f"In both: {base}{first}")
    else:
        st.caption(f"Base: {base}  \nTarget: {target}{first}")


def _tensor(tensor: TensorInfo | None, shape: Sequence[int] | None) -> str:
    if tensor is None:
        return "nothing"
    return f"{code(tensor.label)}, {format_shape(shape)}, {plain(tensor.dtype)}"
