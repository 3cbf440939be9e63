"""One question answered: from the store if it is there, else measured, and kept as it goes.

The store is imported by those who keep something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modeldiff.changes import Change, ChangeTable, Progress
from modeldiff.changes.backends.devices import require_device_name
from modeldiff.changes.layer_chains import Alignment
from modeldiff.changes.measurer import Measurer, ThisMachine
from modeldiff.comparison import Comparison
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.pair_diff import PairDiff
from modeldiff.results.result import Result

if TYPE_CHECKING:
    from modeldiff.changes import Shard


def run_diff(
    comparison: Comparison,
    *,
    device: str = "auto",
    measurer: Measurer | None = None,
    cache: bool = True,
    progress: Callable[[Progress], None] | None = None,
    on_change: Callable[[Change], None] | None = None,
    on_alignment: Callable[[Alignment], None] | None = None,
) -> Result:
    """What changed between two models.

    A stored result is returned at once. Else the pair is measured by this process alone (others
    that ask wait and take its result), each row journalled when it is done, so that after an end
    of whatever kind the next call measures only what is missing. ``on_change`` gets each row as it
    is finished, those of the journal first, and while another process measures the rows that it
    journals (again, if that one dies before it has finished); ``progress`` is called often and may
    raise ``Cancelled``. Without ``cache`` nothing is read from the cache folder or written to it.
    ``measurer`` is who measures, by default this machine on ``device``.

    Layers meet as ``comparison.layers`` says. Where they meet otherwise than by number,
    ``on_alignment`` is told before the first row that was measured so.

    Raises ``NoWeights`` where a side is a config alone, ``InvalidOption`` where no device is called
    so, ``ResultError`` where the cache folder can't be written to, and what ``measure`` raises.
    """
    comparison.require_weights()
    if measurer is None:
        require_device_name(device)  # a result that is kept would hide a misspelling
    key = comparison.key
    if cache:
        from modeldiff.results.store.result_files import load_result, save_result

        if (stored := load_result(key)) is not None:
            return as_asked(stored, comparison)
    diff = PairDiff(
        comparison,
        measurer or ThisMachine.on(device),
        progress,
        on_change,
        on_alignment=on_alignment,
    )
    if not cache:
        return diff.run(None)
    from modeldiff.results.store.folder import ready_results_folder
    from modeldiff.results.store.journal import Journal, JournalTail, journal_path
    from modeldiff.results.store.measuring_alone import measuring_alone

    folder = ready_results_folder()
    tail = JournalTail(journal_path(folder, key), key)
    with measuring_alone(folder, key, None, diff.waiting(tail)) as question:
        if (stored := load_result(key)) is not None:
            return as_asked(stored, comparison)
        with Journal(question.path, key) as journal:
            result = diff.run(journal)
            save_result(result)
            journal.remove()
    return result


@dataclass(frozen=True)
class MeasuredShard:
    """A shard's rows, in file order, and the journal that holds them; None where the result of
    the whole diff is stored, so that nobody needs one."""

    changes: ChangeTable
    journal: Path | None


def run_shard(
    comparison: Comparison,
    shard: Shard,
    *,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
    on_change: Callable[[Change], None] | None = None,
) -> MeasuredShard:
    """Measure one shard of what changed between two models, and leave a journal of it in the
    folder of results, for ``join_shards``.

    Any number of processes, on any machines that share the folder and the checkpoints, can measure
    shards at the same time; machines that share a store (``MODELDIFF_SHARED``) find the journal
    there. A shard that was interrupted goes on where it stopped; of several
    processes with the same shard all but one wait. ``device``, ``progress`` and ``on_change`` as
    for ``run_diff``; bytes and tensors are counted over the shard.

    Raises what ``run_diff`` raises, and ``ResultError`` where a store is shared and the journal
    could not be put there.
    """
    comparison.require_weights()
    key = comparison.key
    diff = PairDiff(comparison, ThisMachine.on(device), progress, on_change, shard)
    from modeldiff.results.store.folder import ready_results_folder
    from modeldiff.results.store.journal import Journal, JournalTail, journal_path
    from modeldiff.results.store.measuring_alone import measuring_alone
    from modeldiff.results.store.result_files import load_result

    folder = ready_results_folder()
    tail = JournalTail(journal_path(folder, key, shard), key)
    with measuring_alone(folder, key, shard, diff.waiting(tail)) as question:
        if (stored := load_result(key)) is not None:
            return MeasuredShard(diff.unmeasured.with_measured(stored.changes), None)
        with Journal(question.path, key) as journal:
            changes = diff.measured(journal).changes
        question.publish()
    return MeasuredShard(changes, question.path)


def realigned(
    comparison: Comparison,
    changes: ChangeTable,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> ChangeTable:
    """The rows of a whole diff whose layers met by number: the same ones, or, where they show that
    layers should meet by content, those that follow from that, measured now."""
    diff = PairDiff(comparison, ThisMachine.on("auto"), progress, None)
    if not diff.align_by_values(changes):
        return changes
    return diff.measured_from(changes, None, 0.0).changes


def as_asked(result: Result, comparison: Comparison) -> Result:
    """``result`` under the references that were asked for: equal contents can have several."""
    base, target = comparison.references
    base_unread, target_unread = (side.unread for side in comparison.checkpoints)
    header = replace(
        result.header,
        base_reference=base,
        target_reference=target,
        base_unread=base_unread,
        target_unread=target_unread,
    )
    return replace(result, header=header)
