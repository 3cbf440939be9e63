"""A menu that copies sentences and tables, as Markdown, LaTeX or CSV."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.text.table_formats import (
    TextRows,
    csv_table,
    latex_table,
    latex_text,
    markdown_table,
)
from modeldiff.ui.widgets.copy_button import copy_button

MOST_COPIED = 500
"""Rows of a table that are copied at most: each form of it travels to the browser."""


def copy_menu(
    sentences: Sequence[str], head: Sequence[str] = (), rows: TextRows = (), *, key: str
) -> None:
    """Draw the menu: ``sentences`` and below them the table of ``head`` and the first
    ``MOST_COPIED`` ``rows``, if any; CSV has the table alone. ``key`` begins the widgets' keys."""
    table = rows[:MOST_COPIED]
    with st.popover("Copy as", key=key):
        plain = "\n".join(sentences)
        markdown, latex = [plain], [latex_text(plain)]
        if head:
            markdown.append(markdown_table(head, table))
            latex.append(latex_table(head, table))
        if plain:
            copy_button("Text", plain, key=f"{key}_text")
        copy_button("Markdown", "\n\n".join(filter(None, markdown)), key=f"{key}_markdown")
        copy_button("LaTeX", "\n\n".join(filter(None, latex)), key=f"{key}_latex")
        if head:
            copy_button("CSV", csv_table(head, table), key=f"{key}_csv")
        if len(rows) > len(table):
            st.caption(f"The first {len(table):,} of {len(rows):,} rows")
