"""The rows of an embedding or head: which tokens moved most and least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from modeldiff.changes import Pair, RowChanges
from modeldiff.checkpoints import Tokens, read_tokens
from modeldiff.checkpoints.selected_rows import RowNumbers
from modeldiff.comparison import Comparison
from modeldiff.errors import CheckpointError
from modeldiff.model import Model
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted, format_pct
from modeldiff.ui.drilldown.view import DrillDownView
from modeldiff.ui.widgets.markdown import plain

_SHOWN = 12
_MOST_MATCHES = 50
_ALL, _ORDINARY = "All", "Ordinary"
_GROUPS = {
    _ORDINARY: "ordinary tokens",
    "Special": "special tokens, such as the end of a text",
    "Reserved": "reserved tokens, judged by their names",
    "No token": "rows without a token in the tokenizer: padding of the matrix",
    "Untrained": "in base bit-identical to another row, or nearly zero, as is typical of tokens "
    "never seen in training",
}


@dataclass(frozen=True, eq=False)
class _Named:
    """Rows with what is known of them: ``base`` and ``target`` are the two tokenizers (None where
    there is none to be read, ``reason`` says why), ``groups`` the rows of each group. Rows are
    those compared, by their place among them; ``numbers`` are their numbers in the tokenizer that
    ``base`` is."""

    changes: RowChanges
    base: Tokens | None
    target: Tokens | None
    reason: str
    numbers: RowNumbers
    groups: dict[str, RowNumbers]


def _label(comparison: Comparison, pair: Pair) -> str:
    del comparison
    return "Tokens" if _are_tokens(pair) else "Rows"


def _are_tokens(pair: Pair) -> bool:
    return pair.place.component.rpartition(".")[2] in ("embed_tokens", "lm_head")


def _show(comparison: Comparison, pair: Pair, changes: RowChanges) -> None:
    """Groups of rows, a search, and the rows that moved most and least."""
    tokens, column = _are_tokens(pair), pair.place.column
    base, reason = _tokens(comparison.base) if tokens else (None, "")
    target, _ = _tokens(comparison.target) if tokens else (None, "")
    numbers = changes.base_rows if base is not None else changes.target_rows
    groups = _groups(changes, base or target, numbers)
    named = _Named(changes, base or target, target, reason, numbers, groups)
    if named.base is None and reason:
        st.caption(f"Rows by number only. {plain(reason)}")
    elif base is None and target is not None:
        st.caption("The texts are those of target's tokenizer; base has none beside its weights.")
    _lone_rows(changes, base, target)
    _summary(named)
    rows = _choose_group(named) if named.groups else None
    wanted = st.text_input(
        "Search a token" if named.base else "Search a row",
        key="row_search",
        placeholder="a text, or a row's number" if named.base else "its number",
        max_chars=100,
    )
    if wanted:
        matches = _search(named, wanted)
        st.caption(f"{counted(len(matches), 'row')} found" if matches else "No row matches.")
        if matches:
            _table(named, matches, f"Rows that match, of {column}")
        return
    orders = {"Moved most": changes.most_moved(), "Moved least": changes.least_moved()}
    for title, order in orders.items():
        inside = order if rows is None else order[np.isin(order, rows)]
        st.caption(f"{title}, of {len(inside):,} rows")
        _table(named, inside[:_SHOWN].tolist(), f"{title}, of {column}")


def _choose_group(named: _Named) -> RowNumbers | None:
    """The rows of one group, or None for all."""
    chosen = st.segmented_control(
        "Rows",
        [_ALL, *named.groups],
        key="row_group",
        default=_ALL,
        required=True,
        help="  \n".join(f"**{name}**: {_GROUPS[name]}" for name in named.groups),
    )
    return named.groups.get(chosen or _ALL)


def _lone_rows(changes: RowChanges, base: Tokens | None, target: Tokens | None) -> None:
    """What only one side has: how many, and which."""
    sides = (("base", "Dropped", changes.dropped, base), ("target", "New", changes.new, target))
    for side, title, lone, tokens in sides:
        if not len(lone):
            continue
        filling = set(lone.filling.tolist())
        texts = [tokens.text(int(row)) if tokens else None for row in lone.numbers]
        padding = [at for at in range(len(lone)) if texts[at] is None and at in filling]
        nameless = sum(text is None for text in texts) if tokens else 0
        said = [f"**{title}**: {len(lone):,} rows that only {side} has"]
        if nameless:
            said.append(f"{nameless:,} of them are beyond its tokenizer, as padding is")
        if padding:
            said.append(f"{len(padding):,} are zero or equal to each other")
        st.caption("; ".join(said) + ".")
        with st.expander(f"{title} rows"):
            st.dataframe(
                pd.DataFrame(
                    {
                        "row": lone.numbers,
                        "token": texts,
                        "group": ["padding" if at in padding else "" for at in range(len(lone))],
                        "rms": lone.rms,
                    }
                ),
                column_config=_COLUMNS,
                hide_index=True,
                placeholder="–",
                alt=f"Rows that only {side} has",
            )


def _groups(changes: RowChanges, tokens: Tokens | None, rows: RowNumbers) -> dict[str, RowNumbers]:
    """The rows of each group, those that have any. A row may be untrained and something else."""
    numbers = np.arange(len(changes))
    groups: dict[str, RowNumbers] = {}
    if tokens is not None:
        names = {"token": _ORDINARY, "special": "Special", "reserved": "Reserved", None: "No token"}
        roles = np.array([names[tokens.role(row)] for row in rows.tolist()])
        groups = {name: numbers[roles == name] for name in names.values()}
    groups["Untrained"] = np.union1d(changes.alike(), changes.faint())
    return {name: rows for name, rows in groups.items() if rows.size}


def _summary(named: _Named) -> None:
    """A line a group: how many, and how far its typical row moved."""
    changes = named.changes
    groups = {_ALL: np.arange(len(changes)), **named.groups}
    st.table(
        {
            "Rows": list(groups),
            "Count": [f"{len(rows):,}" for rows in groups.values()],
            "Typical change": [
                format_pct(_middle(changes.rel_frobenius_pct[rows])) for rows in groups.values()
            ],
            "Not moved at all": [
                format_pct(100 * float(np.mean(changes.unchanged_pct[rows] == 100)))
                for rows in groups.values()
            ],
        },
        border="horizontal",
        hide_index=True,
        alt="Groups of rows: how many, and how far the typical one moved",
    )


def _middle(values: npt.NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.quantile(known, 0.5, method="lower")) if known.size else None


def _search(named: _Named, wanted: str) -> list[int]:
    """The row of that number, then those whose token's text holds what was typed."""
    rows: list[int] = []
    number = wanted.strip()
    if number.isascii() and number.isdigit() and len(number) < 9:
        rows.append(int(number))
    if named.base is not None:
        rows += named.base.search(wanted, _MOST_MATCHES)
    place_of = {int(number): at for at, number in enumerate(named.numbers)}
    return [place_of[row] for row in dict.fromkeys(rows) if row in place_of]


def _table(named: _Named, rows: Sequence[int], alt: str) -> None:
    changes, base, target = named.changes, named.base, named.target
    typical = float(np.nanmedian(changes.rms_base)) if len(changes) else 0.0
    numbers = [int(named.numbers[row]) for row in rows]
    columns: dict[str, list[Any]] = {"row": numbers}
    if base is not None:
        columns["token"] = [base.text(number) for number in numbers]
    columns["change"] = [float(changes.rel_frobenius_pct[row]) for row in rows]
    marked = {name: set(own.tolist()) for name, own in named.groups.items() if name != _ORDINARY}
    kinds = [", ".join(n.lower() for n, own in marked.items() if row in own) for row in rows]
    if any(kinds):
        columns["group"] = kinds
    target_rows = [int(changes.target_rows[row]) for row in rows]
    if numbers != target_rows:
        columns["target_row"] = target_rows
    if base and target:
        texts = [target.text(number) for number in target_rows]
        if texts != columns["token"]:
            columns["in_target"] = texts
    columns["unchanged"] = [float(changes.unchanged_pct[row]) for row in rows]
    columns["size"] = [float(changes.rms_base[row]) / typical if typical else 0.0 for row in rows]
    st.dataframe(
        pd.DataFrame(columns),
        column_config=_COLUMNS,
        hide_index=True,
        placeholder="–",
        alt=alt,
    )


_column = st.column_config
_COLUMNS = {
    "row": _column.NumberColumn("Row", pinned=True, width=60, format="%d"),
    "token": _column.TextColumn(
        "Token",
        pinned=True,
        width=110,
        help="␣ is a space, ↵ a line break, ‹E2› part of a character.",
    ),
    "in_target": _column.TextColumn(
        "In target", width=110, help="What target's tokenizer has there."
    ),
    "change": _column.NumberColumn(
        "Change", format="%.2f %%", help="Relative Frobenius change of the row."
    ),
    "unchanged": _column.NumberColumn("Unchanged", format="%.1f %%"),
    "size": _column.NumberColumn(
        "Size", format="%.2f ×", help="Root mean square in base, of the typical row's."
    ),
    "group": _column.TextColumn("What it is"),
    "target_row": _column.NumberColumn("Row in target", width=60, format="%d"),
    "rms": _column.NumberColumn("Size", format="%.4g", help="Root mean square of the row."),
}


def _tokens(side: Model) -> tuple[Tokens | None, str]:
    return _kept_tokens(side.identity, side)


# A tokenizer's file is no part of the fingerprint, and may come later, hence the time limit.
@st.cache_resource(max_entries=6, ttl="10m", show_spinner="Reading the tokenizer …")
def _kept_tokens(identity: tuple[str, str], _side: Model) -> tuple[Tokens | None, str]:
    del identity
    try:
        return read_tokens(_side.checkpoint), ""
    except CheckpointError as error:
        return None, error.message


ROWS_VIEW = DrillDownView(_label, _show)
