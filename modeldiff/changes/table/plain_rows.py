"""Rows as plain values: flat, by the names that files and data frames have."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING, Any

from modeldiff.changes.change import Change, Pair, Statistics
from modeldiff.changes.statistics.statistics import STATISTIC_NAMES
from modeldiff.extras import require

if TYPE_CHECKING:
    import pandas as pd

PAIR_COLUMNS = (
    "name",
    "part",
    "target_name",
    "target_part",
    "tower",
    "layer",
    "target_layer",
    "component",
    "parameter",
    "expert",
    "status",
    "reason",
    "base_shape",
    "target_shape",
    "base_dtype",
    "target_dtype",
    "elements",
    "compared_rows",
)


def pair_row(pair: Pair) -> dict[str, Any]:
    """``PAIR_COLUMNS`` of a pair. ``name`` is base's name, or target's where base has no such
    tensor; ``elements`` is that tensor's. ``layer`` is base's number of the layer, ``target_layer``
    target's; where layers were aligned, None says that there is none. ``part`` is what of a fused
    tensor it is, or empty. ``compared_rows``: of two vocabularies only so many rows were compared;
    else None."""
    place, base, target = pair.place, pair.base, pair.target
    named = base or target
    values = (
        named and named.name,
        named and named.slice,
        target and target.name,
        target and target.slice,
        place.tower,
        place.numbers.base,
        pair.target_layer,
        place.component,
        place.parameter,
        place.expert,
        pair.status,
        pair.reason,
        *(None if shape is None else list(shape) for shape in pair.shapes),
        base and base.dtype,
        target and target.dtype,
        next((prod(shape) for shape in pair.shapes if shape is not None), None),
        pair.shared and pair.shared.compared,
    )
    return dict(zip(PAIR_COLUMNS, values, strict=True))


def statistics_row(statistics: Statistics | None) -> dict[str, Any]:
    """The scalar columns by their names; infinity stays, missing is None."""
    return {name: getattr(statistics, name, None) for name in STATISTIC_NAMES}


def data_frame(changes: Iterable[Change]) -> pd.DataFrame:
    """One row a pair: the columns of ``pair_row``, then the statistics by their names.

    Missing numbers are NaN (``<NA>`` in the columns of whole numbers), infinity is infinity. Raises
    ``MissingExtra`` without pandas.
    """
    require("report", "A data frame")
    import pandas as pd

    rows = [pair_row(change.pair) | statistics_row(change.statistics) for change in changes]
    frame = pd.DataFrame(rows, columns=[*PAIR_COLUMNS, *STATISTIC_NAMES])
    whole = [
        "layer",
        "target_layer",
        "expert",
        "elements",
        "compared_rows",
        "nonfinite_base",
        "nonfinite_target",
    ]
    numbers = [name for name in STATISTIC_NAMES if name not in whole]
    return frame.astype(dict.fromkeys(whole, "Int64") | dict.fromkeys(numbers, "float64"))
