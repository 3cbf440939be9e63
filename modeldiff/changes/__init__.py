"""MEASURE: two checkpoints → one row a tensor."""

from typing import TYPE_CHECKING

from modeldiff.changes.backends.devices import available_devices, resolve_device
from modeldiff.changes.change import Change, Histogram, Pair, Progress, Statistics, Status, Sums
from modeldiff.changes.engine.engine import measure, measure_together
from modeldiff.changes.pairing import pair
from modeldiff.changes.statistics.statistics import STATISTIC_NAMES, merge_statistics
from modeldiff.changes.table.change_table import ChangeTable
from modeldiff.changes.table.row_index import Cell
from modeldiff.processes.late_names import late_names

if TYPE_CHECKING:
    from modeldiff.changes.arrays import Measurement
    from modeldiff.changes.drilldown import (
        ChangeImage,
        RoundingNoise,
        RowChanges,
        SingularValues,
        UnitChanges,
        Units,
        expert_changes,
        measure_image,
        measure_rows,
        measure_singular_values,
        measure_units,
        spectrum_plan,
        units_between,
    )
    from modeldiff.changes.engine.sharding import Shard, plan_shards
    from modeldiff.changes.table.plain_rows import pair_row

__all__ = [
    "STATISTIC_NAMES",
    "Cell",
    "Change",
    "ChangeImage",
    "ChangeTable",
    "Histogram",
    "Measurement",
    "Pair",
    "Progress",
    "RoundingNoise",
    "RowChanges",
    "Shard",
    "SingularValues",
    "Statistics",
    "Status",
    "Sums",
    "UnitChanges",
    "Units",
    "available_devices",
    "expert_changes",
    "measure",
    "measure_image",
    "measure_rows",
    "measure_singular_values",
    "measure_together",
    "measure_units",
    "merge_statistics",
    "pair",
    "pair_row",
    "plan_shards",
    "resolve_device",
    "spectrum_plan",
    "units_between",
]

__getattr__ = late_names(
    __name__,
    {
        "drilldown": (
            "ChangeImage",
            "RoundingNoise",
            "RowChanges",
            "SingularValues",
            "UnitChanges",
            "Units",
            "expert_changes",
            "measure_image",
            "measure_rows",
            "measure_singular_values",
            "measure_units",
            "spectrum_plan",
            "units_between",
        ),
        "arrays": ("Measurement",),
        "engine.sharding": ("Shard", "plan_shards"),
        "table.plain_rows": ("pair_row",),
    },
)
