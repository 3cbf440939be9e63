"""Messages about what went wrong: what and where, then what to do next."""

from __future__ import annotations

import streamlit as st

from modeldiff.errors import ModeldiffError
from modeldiff.ui.widgets.markdown import plain


def show_error(error: ModeldiffError, *, about: str = "") -> None:
    """A user's error as a box: ``about`` (Markdown) names what it concerns."""
    head = f"**{about}** " if about else ""
    hint = f"\n\n{plain(error.hint)}" if error.hint else ""
    st.error(f"{head}{plain(error.message)}{hint}", icon=":material/error:")
