"""Rows of the layer table, drawn: both sides' names and shapes, and what differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import streamlit as st

from modeldiff.architectures.listing.layer_stack import Printed
from modeldiff.architectures.listing.layer_table import LayerGroup, LayerRow, LayerTable, RowStatus
from modeldiff.architectures.place import LayerNumbers
from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.findings.selection import rows_at
from modeldiff.text.formatting import format_layers, format_pct, format_printed
from modeldiff.ui.widgets.copy_menu import copy_menu
from modeldiff.ui.widgets.markdown import code, plain

_MOST_ROWS = 500
"""More is no longer read as one table, and takes the browser long to draw."""

_MARKS: Mapping[RowStatus, str] = {
    "same": "",
    "other shape": "≠ shape",
    "other number": "≠ number",
    "other type": "≠ type",
    "only in base": "only in base",
    "only in target": "only in target",
    "tied": "tied",
    "buffer": "buffer",
    "quantised": "quantised",
}
_QUIET: tuple[RowStatus, ...] = ("same", "tied", "buffer")


def layer_rows(
    comparison: Comparison,
    table: LayerTable,
    groups: Sequence[LayerGroup],
    changes: ChangeTable,
    *,
    searched: bool,
) -> None:
    """One table of all groups; each begins with a row that says which layers it holds for.

    ``changes`` are asked for the medians of a layer that both sides have. Where a
    search left these rows, a group that only repeats an earlier one is drawn with its rows, too.
    """
    usual = table.base.usual_type, table.target.usual_type
    cells: list[tuple[str, str, str, str]] = []
    for group in groups:
        repeated = group.repeats and not searched
        if len(cells) < _MOST_ROWS:
            cells.append((*_heading(table, group), _side_of(group) if repeated else "", ""))
        for row in group.rows if not repeated else ():
            if len(cells) < _MOST_ROWS:
                cells.append((*_cells(row, usual), _mark(row), _median(group, row, changes)))
    if not any(group.rows for group in groups):
        st.markdown("No tensor's name or place contains this.")
        return
    columns = {
        f"Base :small[:gray[{plain(comparison.base.name)}]]": [cell[0] for cell in cells],
        f"Target :small[:gray[{plain(comparison.target.name)}]]": [cell[1] for cell in cells],
        "Difference": [cell[2] for cell in cells],
    }
    if any(cell[3] for cell in cells):
        columns["Median change"] = [cell[3] for cell in cells]
    with st.container(key="layer_table"):
        st.table(
            columns,
            border="horizontal",
            hide_index=True,
            alt="Tensors of both models, aligned by place",
        )


def copy_rows(comparison: Comparison, groups: Sequence[LayerGroup]) -> None:
    """Draw the menu that copies the rows that are shown: names, shapes, and what differs."""
    rows = [
        [format_layers(group.base_layers or group.target_layers), row.column]
        + [_copied(side) for side in (row.base, row.target)]
        + [_MARKS[row.status]]
        for group, row in islice(_every_row(groups), _MOST_ROWS)
    ]
    head = ("Layers", "Component", *comparison.names, "Difference")
    copy_menu((), head, rows, key="copy_layers")


def _every_row(groups: Sequence[LayerGroup]) -> Iterator[tuple[LayerGroup, LayerRow]]:
    return ((group, row) for group in groups for row in group.rows)


def _copied(side: Printed | None) -> str:
    return "" if side is None else f"{side.name} {format_printed(side.shape)}"


def count_rows(groups: Sequence[LayerGroup]) -> None:
    """How many rows there are, and how many of them differ."""
    rows = [row for group in groups if not group.repeats for row in group.rows]
    different = sum(row.status not in _QUIET for row in rows)
    text = (
        f"{different} of {len(rows)} rows differ" if different else f"{len(rows)} rows, all alike"
    )
    if len(rows) > _MOST_ROWS:
        text += f"; the first {_MOST_ROWS} are shown, the download has all"
    st.caption(f"{text}. `*` stands for the numbers that a row was folded over.")


def _heading(table: LayerTable, group: LayerGroup) -> tuple[str, str]:
    if group.where != "layers":
        return f"**{group.where.capitalize()} the layers**", ""
    texts = []
    both = zip((group.base_layers, group.target_layers), table.alike(group), strict=True)
    for layers, others in both:
        if not layers:
            texts.append(":gray[–]")
            continue
        words = format_layers(layers)
        text = f"**{plain(f'{group.tower} {words}'.strip().capitalize())}**"
        if group.repeats:
            text += f" :gray[built as {format_layers(group.repeats)}]"
        elif len(layers) > 1:
            text += f" :gray[· {len(layers)} alike]"
        elif others:
            text += f" :gray[· {format_layers(others)} alike]"
        texts.append(text)
    return texts[0], texts[1]


def _side_of(group: LayerGroup) -> str:
    return ":blue[**only in base**]" if group.base_layers else ":blue[**only in target**]"


def _cells(row: LayerRow, usual: tuple[str, str]) -> tuple[str, str]:
    loud = row.status not in _QUIET
    return _cell(row.base, usual[0], loud=loud), _cell(row.target, usual[1], loud=loud)


def _cell(side: Printed | None, usual: str, *, loud: bool) -> str:
    """``name [shape]``, then what is not as usual: the type, how many experts, how it is stored."""
    if side is None:
        return ":gray[–]"
    shape = plain(format_printed(side.shape))
    notes = []
    if side.count > 1:
        notes.append(f"{side.count:,} experts alike")
    if side.dtype != usual:
        notes.append(side.dtype)
    if side.role == "quantised":
        notes.append("codes" + (f" of {format_printed(side.oriented)}" if side.oriented else ""))
    elif side.oriented != side.shape:
        notes.append("stored in × out")
    if side.role == "tied":
        notes.append("the embedding as head")
    text = f"{code(side.name)} {f'**{shape}**' if loud else f':gray[{shape}]'}"
    return f"{text} :gray[· {plain(', '.join(notes))}]" if notes else text


def _mark(row: LayerRow) -> str:
    mark = _MARKS[row.status]
    return f":gray[{mark}]" if row.status in _QUIET else f":blue[**{mark}**]"


def _median(group: LayerGroup, row: LayerRow, changes: ChangeTable) -> str:
    """A layer is measured against the one of its own number."""
    if group.base_layers != group.target_layers:
        return ""
    if group.where == "layers" and len(group.base_layers) != 1:
        return ""
    layer = group.base_layers[0] if group.base_layers else None
    if layer is not None:
        layer = changes.layer_with(LayerNumbers(layer, layer))
        if layer is None:
            return ""
    statistics = rows_at(changes, (layer, row.column)).statistics
    return "" if statistics is None else format_pct(statistics.median_pct)
