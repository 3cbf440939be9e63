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


def copy_menu(sentences: Sequence[str], head: Sequence[str], rows: TextRows, *, key: str) -> None:
    """Draw the menu: ``sentences`` and below them the table of ``head`` and ``rows``; CSV has the
    table alone. ``key`` begins the widgets' keys."""
    with st.popover("Copy as", key=key):
        plain = "\n".join(sentences)
        copy_button("Text", plain, key=f"{key}_text")
        markdown = "\n\n".join(filter(None, (plain, markdown_table(head, rows))))
        copy_button("Markdown", markdown, key=f"{key}_markdown")
        latex = "\n\n".join(filter(None, (latex_text(plain), latex_table(head, rows))))
        copy_button("LaTeX", latex, key=f"{key}_latex")
        copy_button("CSV", csv_table(head, rows), key=f"{key}_csv")
