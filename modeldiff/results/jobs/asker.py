"""Who asks for a job, and what a job is asked to be."""

from __future__ import annotations

from modeldiff.changes.layer_chains import LayerMatching
from modeldiff.comparison import Comparison
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.drilldown_request import DrillDown

JobRequest = tuple[str, str, LayerMatching, DrillDown | None]
"""Base's and target's reference, how layers meet, and the drill-down into a pair; None for all of
the diff."""


@dataclass(frozen=True)
class Asker:
    """Somebody who wants a job: ``session`` is the one page that looks at it, ``user`` whose page
    that is. Users take turns and are counted; a user's sessions are one to the queue. ``name`` is
    what others may read of who it is, empty where nobody is known."""

    session: str
    user: str = ""
    name: str = ""


def job_request(comparison: Comparison, drill_down: DrillDown | None = None) -> JobRequest:
    """What is asked for, wherever it is computed: the diff of ``comparison``, or a ``drill_down``
    into one of its pairs."""
    return *comparison.references, comparison.layers, drill_down
