"""MEASURE: two checkpoints → one row a tensor."""

from modeldiff.changes.change import Change, Histogram, Pair, Progress, Statistics, Status, Sums
from modeldiff.changes.devices import available_devices, resolve_device
from modeldiff.changes.engine import measure
from modeldiff.changes.measurement import Measurement
from modeldiff.changes.pairing import pair
from modeldiff.changes.statistics import STATISTIC_NAMES, merge_statistics

__all__ = [
    "STATISTIC_NAMES",
    "Change",
    "Histogram",
    "Measurement",
    "Pair",
    "Progress",
    "Statistics",
    "Status",
    "Sums",
    "available_devices",
    "measure",
    "merge_statistics",
    "pair",
    "resolve_device",
]
