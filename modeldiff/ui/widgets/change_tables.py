"""Change tables as the app shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from modeldiff.changes import Change, Statistics
from modeldiff.findings.status_words import STATUS_WORDS
from modeldiff.text.formatting import format_cosine, format_pct, format_shape
from modeldiff.ui.widgets.copy_menu import copy_menu

_PCT = "%.2f %%"
_IF_ANY = {
    "target_layer",
    "expert",
    "reason",
    "median_pct",
    "unchanged_pct",
    "rel_frobenius_pct",
    "cosine",
    "nonfinite",
}
"""Columns that are left out where no row has anything in them."""


def change_frame(changes: Sequence[Change]) -> pd.DataFrame:
    """One row a tensor: its place, both sides, its status and its headline statistics."""
    rows = []
    for change in changes:
        pair, statistics = change.pair, change.statistics
        base, target = pair.base, pair.target
        rows.append(
            {
                "layer": pair.place.numbers.base,
                "target_layer": pair.target_layer if pair.place.layers else None,
                "component": pair.place.column,
                "expert": pair.place.expert,
                "status": STATUS_WORDS[pair.status].label,
                "base_shape": format_shape(pair.shapes[0]),
                "target_shape": format_shape(pair.shapes[1]),
                "base_dtype": base.dtype if base else None,
                "target_dtype": target.dtype if target else None,
                "median_pct": statistics.median_pct if statistics else None,
                "unchanged_pct": statistics.unchanged_pct if statistics else None,
                "rel_frobenius_pct": statistics.rel_frobenius_pct if statistics else None,
                "cosine": statistics.cosine if statistics else None,
                "nonfinite": _nonfinite(statistics),
                "reason": pair.reason or None,
                "base_name": base.label if base else None,
                "target_name": target.label if target else None,
            }
        )
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    numbers = {"median_pct": "Float64", "unchanged_pct": "Float64", "rel_frobenius_pct": "Float64"}
    return frame.astype(
        {
            **dict.fromkeys(("layer", "target_layer", "expert", "nonfinite"), "Int64"),
            "cosine": "Float64",
            **numbers,
        }
    )


def _nonfinite(statistics: Statistics | None) -> int | None:
    """Elements that are not finite, of both sides; None where there are none."""
    if statistics is None:
        return None
    return (statistics.nonfinite_base or 0) + (statistics.nonfinite_target or 0) or None


def show_changes(
    frame: pd.DataFrame, *, alt: str, columns: Sequence[str], height: int | None = None
) -> None:
    """Draw a frame of ``change_frame`` with these columns."""
    shown = _shown(frame, columns)
    st.dataframe(
        frame[shown],
        column_config={name: _COLUMNS[name] for name in shown},
        hide_index=True,
        height=height or "auto",
        placeholder="–",
        alt=alt,
    )


def copy_changes(frame: pd.DataFrame, *, columns: Sequence[str], key: str) -> None:
    """Draw the menu that copies what ``show_changes`` shows."""
    shown = _shown(frame, columns)
    head = [_COLUMNS[name]["label"] for name in shown]
    rows = [
        [_copied(name, value) for name, value in zip(shown, row, strict=True)]
        for row in frame[shown].itertuples(index=False, name=None)
    ]
    copy_menu((), head, rows, key=key)


def _shown(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    return [name for name in columns if name not in _IF_ANY or frame[name].notna().any()]


def _copied(column: str, value: Any) -> str:
    if pd.isna(value):
        return ""
    if column == "cosine":
        return format_cosine(value)
    return format_pct(value) if column.endswith("_pct") else str(value)


_column = st.column_config
_COLUMNS: dict[str, Any] = {
    "layer": _column.NumberColumn("Layer", pinned=True, width=60),
    "target_layer": _column.NumberColumn("In target", pinned=True, width=60),
    "component": _column.TextColumn("Component", pinned=True),
    "expert": _column.NumberColumn("Expert", width="small"),
    "status": _column.TextColumn("Status"),
    "base_shape": _column.TextColumn("Base shape"),
    "target_shape": _column.TextColumn("Target shape"),
    "base_dtype": _column.TextColumn("Base type", width="small"),
    "target_dtype": _column.TextColumn("Target type", width="small"),
    "median_pct": _column.NumberColumn(
        "Median", format=_PCT, help="Half of the elements moved by less than this."
    ),
    "unchanged_pct": _column.NumberColumn(
        "Unchanged", format=_PCT, help="Share of elements that are exactly equal."
    ),
    "rel_frobenius_pct": _column.NumberColumn(
        "Frobenius", format=_PCT, help="Length of the difference, of the length of base."
    ),
    "cosine": _column.NumberColumn("Cosine", format="%.4f", help="1 is the same direction."),
    "nonfinite": _column.NumberColumn(
        "Not finite", help="Elements that are NaN or infinite, of both sides together."
    ),
    "reason": _column.TextColumn("Reason"),
    "base_name": _column.TextColumn("Stored in base as"),
    "target_name": _column.TextColumn("Stored in target as"),
}
