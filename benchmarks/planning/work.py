"""What has to be read and measured, in units that machines take one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.planning.rates import GB, Rates
from modeldiff.changes import Pair, plan_shards
from modeldiff.comparison import Comparison
from modeldiff.results.fleet.measuring import MOST_TOGETHER


@dataclass(frozen=True)
class Unit:
    """A shard, or a group of a fleet's targets: the gigabytes that it reads, the gigabytes of pairs
    (both sides) that it measures, its tensors, and whether it ``keeps`` results."""

    read: float
    measured: float
    tensors: int
    keeps: bool = False

    def start(self, rates: Rates) -> float:
        """The seconds that its process takes for itself."""
        return rates.start + rates.keep * self.keeps

    def seconds(self, rates: Rates, cores: int) -> tuple[float, float]:
        """How long it takes a process with so many ``cores`` beside its start where bytes come at
        once: for the bytes, which the cores share, and for the tensors, which Python does one by
        one."""
        of_bytes = (self.read * rates.read + self.measured * rates.kernel) / cores
        return of_bytes, self.tensors * rates.tensor


def pairs_of(base: str, target: str) -> tuple[Pair, ...]:
    """The pairs of two references that would be compared, by their headers or configs."""
    pairs = Comparison.open(base, target).pairs
    return tuple(each for each in pairs if each.status == "compared")


def shards(pairs: Sequence[Pair], count: int) -> tuple[Unit, ...]:
    """One diff in ``count`` shards, as ``diff --shard`` cuts it."""
    sizes = ([each.nbytes / GB for each in shard] for shard in plan_shards(pairs, count))
    return tuple(Unit(sum(each), sum(each), len(each)) for each in sizes if each)


def fleet(pairs: Sequence[Pair], targets: int, machines: int) -> tuple[Unit, ...]:
    """So many ``targets`` beside one base, in groups that ``fleet`` measures together: base is
    read once a group. All targets are as large as that of ``pairs``."""
    group = min(MOST_TOGETHER, math.ceil(targets / machines))
    base = sum(each.base.nbytes for each in pairs if each.base) / GB
    both = sum(each.nbytes for each in pairs) / GB
    sizes = [group] * (targets // group) + ([targets % group] if targets % group else [])
    return tuple(
        Unit(base + n * (both - base), n * both, n * len(pairs), keeps=True) for n in sizes
    )
