"""The colours of what stands on and around the heatmap's cells, on whatever ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt

GREY = "gray"
"""A name of Streamlit's theme, and a grey of CSS that reads on light and dark grounds elsewhere."""

INK = "luminance(scale('color', datum.heat)) > 0.18 ? '#16191c' : '#ffffff'"
"""What reads on a cell's colour, as an expression: dark or light by its luminance."""


@dataclass(frozen=True)
class Paint:
    """The colours of what stands on the page's own ground: words, and the bars of change, which
    have the theme's second categorical colour where ``bar`` names none."""

    grey: str
    bar: tuple[str, str] | None = None

    @property
    def words(self) -> Any:
        return alt.value(self.grey)

    @property
    def bars(self) -> Any:
        return alt.Fill(
            "bar:N",
            scale=alt.Scale(
                domain=["", "change"], range="category" if self.bar is None else list(self.bar)
            ),
            legend=None,
        )
