"""A chart as a page sends it: its specification, and the data apart.

Altair's validation takes longer than all the rest of a chart; the tests have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

DATA = "data"
"""The name of the dataset that all of a chart's layers share."""


def chart_spec(chart: alt.LayerChart) -> dict[str, Any]:
    """The specification of a chart without a palette. Its frame, where it has one, is named
    ``DATA`` and stands among the datasets as it is."""
    import altair as alt
    import pandas as pd

    datasets: dict[str, Any] = {}
    named = chart.copy(deep=False)
    if isinstance(chart.data, pd.DataFrame):
        datasets[DATA] = chart.data
        named.data = alt.NamedData(name=DATA)
    # What Altair adds at the top level is a theme of its own, which no page shows.
    spec = named.to_dict(validate=False, context={"top_level": False, "datasets": datasets})
    return {"$schema": alt.SCHEMA_URL, **spec, "datasets": datasets}


def with_data(spec: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """The same specification with another frame named ``DATA``; ``spec`` itself stays."""
    return {**spec, "datasets": {**spec["datasets"], DATA: frame}}
