"""How a page shows a kind of drill-down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modeldiff.changes import Pair
from modeldiff.comparison import Comparison
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class DrillDownView:
    """``label`` is what the chooser calls the drill-down into a pair; ``show`` draws its result,
    which is of the type that its kind has."""

    label: Callable[[Comparison, Pair], str]
    show: Callable[[Comparison, Pair, Any], None]
