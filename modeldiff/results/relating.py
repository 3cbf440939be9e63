"""The rows of a finished diff, related by samples where their sums do not look like training."""

from __future__ import annotations

from modeldiff.changes import ChangeTable, Progress
from modeldiff.changes.change import ReportProgress
from modeldiff.changes.relations.suspects import may_be_related
from modeldiff.comparison import Comparison

_DOING = "looking for rows in another order"


def related(comparison: Comparison, changes: ChangeTable, report: ReportProgress) -> ChangeTable:
    """``changes``, which are the rows of ``comparison``, with relations where samples show some.
    ``report`` is told what is downloaded for it, and called while values are looked at. Raises
    ``CheckpointChanged``, and what fetching and ``report`` raise."""
    if not any(map(may_be_related, changes)):
        return changes
    # Late: where every row looks like training there is nothing to find out.
    from modeldiff.changes.relations.relate import relate

    compared = comparison.unmeasured.statuses.get("compared", 0)
    nbytes = comparison.nbytes
    done = Progress("measuring", nbytes, nbytes, compared, compared, current=_DOING)

    def fetching(here: int, total: int) -> None:
        report(Progress("fetching", here, total, 0, 0, current=_DOING))

    return relate(changes, *comparison.checkpoints, fetching, lambda: report(done))
