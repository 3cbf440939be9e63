"""The way to the kept result of a pair of which a side cannot be opened any more."""

from __future__ import annotations

import streamlit as st

from modeldiff.checkpoints import parse_reference
from modeldiff.errors import InvalidReference
from modeldiff.results import list_results


def kept_result_link(base: str, target: str) -> None:
    """Draw a link to the newest result of these two references, if one is kept here that may be
    opened: it is read without the weights."""
    try:
        pair = parse_reference(base).text, parse_reference(target).text
    except InvalidReference:
        return
    for header in list_results():
        if (header.base_reference, header.target_reference) == pair:
            st.page_link(
                "pages/result.py",
                label=f"Open the result kept on {header.created[:10]}",
                query_params={"result": header.key},
            )
            return
