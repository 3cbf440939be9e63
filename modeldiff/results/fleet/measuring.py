"""Many targets measured beside one base, in groups that fit into memory: base is read once a group
and not once a target. Each pair keeps a journal and a result of its own, as a diff does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from modeldiff.changes import Progress
from modeldiff.changes.engine.tensor_files import physical_memory
from modeldiff.changes.layer_chains import LayerMatching
from modeldiff.changes.measurer import Measurer, ThisMachine
from modeldiff.checkpoints import without_credentials
from modeldiff.comparison import Comparison
from modeldiff.errors import Cancelled, ClusterError, ModeldiffError, ResultError
from modeldiff.model import Model
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.diff import as_asked, run_diff
from modeldiff.results.fleet.rows import Fleet, FleetFailure, FleetRow, fleet_row
from modeldiff.results.pair_diff import MissingRows, PairDiff
from modeldiff.results.result import Result
from modeldiff.results.store.folder import ready_results_folder
from modeldiff.results.store.journal import Journal, JournalTail, journal_path
from modeldiff.results.store.measuring_alone import look_ahead, measuring_alone
from modeldiff.results.store.result_files import load_result, save_result

MOST_TOGETHER = 64
"""Targets in a group at most: each has files, a journal and a lock open."""
_MEMORY_SHARE = 4
"""A group takes at most one part in so many of this machine's memory."""
_TARGET_BYTES, _ROW_BYTES = 128 << 20, 64 << 10
"""What a target takes while large tensors of it are in flight, and for each of its rows."""

_END_ALL = (Cancelled, ClusterError, ResultError)
"""What is wrong with more than one target."""

_Report = Callable[[Progress], None]


def run_fleet(
    base: Model,
    targets: Sequence[str],
    *,
    layers: LayerMatching = "auto",
    device: str = "auto",
    measurer: Measurer | None = None,
    open_model: Callable[[str], Model] = Model.open,
    progress: _Report | None = None,
    on_row: Callable[[FleetRow], None] | None = None,
) -> Fleet:
    """What changed from ``base`` to each of ``targets``, references, with the results that
    ``run_diff`` would keep for each pair, and equal ones.

    Pairs whose result is kept are not measured, and of those that were interrupted only what their
    journals lack is read. A target that cannot be opened, paired or read becomes a failure and
    stops no other. ``layers``, ``device`` and ``measurer`` are as for a diff. ``open_model`` opens
    a reference. ``progress`` is called often, counts over the group that is measured, and may raise
    ``Cancelled``; ``on_row`` gets each row when its result is kept.

    Raises ``NoWeights`` where base is a config alone, ``ResultError`` where the cache folder can't
    be written to, ``InvalidOption`` for a device that is not here, and what ``progress`` raises.
    """
    measurer = measurer or ThisMachine.on(device)
    Comparison(base, base).require_weights()
    fleet = _FleetRun(
        base, layers, measurer, progress or (lambda _: None), on_row or (lambda _: None)
    )
    for target in targets:
        fleet.take(target, open_model)
    return fleet.end(targets)


class _Together:
    """Progress of a group: what was known before counts as done, and what single pairs report of
    their own measuring is no part of it."""

    def __init__(self, report: _Report) -> None:
        self._report = report
        self._known = self._last = Progress("measuring", 0, 0, 0, 0)

    @property
    def bytes_read(self) -> int:
        return self._last.bytes_done - self._last.resumed_bytes

    def begin(self, known: Sequence[int]) -> None:
        """``known`` are the bytes of each pair that need not be read."""
        nbytes = sum(known)
        self._known = Progress("measuring", nbytes, nbytes, len(known), len(known), nbytes)

    def of_pair(self, progress: Progress) -> None:
        is_own = progress.phase != "measuring"
        self._report(progress if is_own else replace(self._last, current=progress.current))

    def of_group(self, progress: Progress) -> None:
        if progress.phase == "measuring":
            known = self._known
            progress = self._last = replace(
                progress,
                bytes_done=progress.bytes_done + known.bytes_done,
                bytes_total=progress.bytes_total + known.bytes_total,
                tensors_done=progress.tensors_done + known.tensors_done,
                tensors_total=progress.tensors_total + known.tensors_total,
                resumed_bytes=known.resumed_bytes,
            )
        self._report(progress)


@dataclass(frozen=True)
class _Wanted:
    """A pair of the fleet: what the target was called, and the comparison with base."""

    target: str
    comparison: Comparison


@dataclass(frozen=True)
class _Begun:
    """A pair of a group while its journal is open and its lock held."""

    wanted: _Wanted
    diff: PairDiff
    rows: MissingRows
    journal: Journal


class _FleetRun:
    """The targets so far: those that wait for their group to be full, and what became of others."""

    def __init__(
        self,
        base: Model,
        layers: LayerMatching,
        measurer: Measurer,
        report: _Report,
        on_row: Callable[[FleetRow], None],
    ) -> None:
        self._base, self._layers, self._measurer = base, layers, measurer
        self._report, self._on_row = report, on_row
        self._rows: dict[str, FleetRow] = {}
        self._failures: dict[str, FleetFailure] = {}
        self._group: dict[str, _Wanted] = {}
        self._equal: list[_Wanted] = []
        self._room = physical_memory() // _MEMORY_SHARE
        self._bytes_read = 0
        self._apart: dict[str, int] = {}

    def take(self, target: str, open_model: Callable[[str], Model]) -> None:
        """Open a target; measure the group before it where that is full."""
        with self._noting_failure(target):
            comparison = Comparison(self._base, open_model(target), layers=self._layers)
            comparison.require_weights()
            wanted, key = _Wanted(target, comparison), comparison.key
            if (stored := load_result(key)) is not None:
                self._keep(wanted, as_asked(stored, comparison))
            elif key in self._group:  # the same content under another name
                self._equal.append(wanted)
            else:
                self._add(key, wanted)

    def end(self, targets: Sequence[str]) -> Fleet:
        """Measure what still waits, and say what became of all, in the order of ``targets``."""
        self._measure_group()
        return Fleet(
            self._base.reference,
            self._base.checkpoint.fingerprint,
            tuple(self._rows[each] for each in targets if each in self._rows),
            tuple(self._failures[each] for each in targets if each in self._failures),
            self._bytes_read,
            sum(nbytes for target, nbytes in self._apart.items() if target in self._rows),
        )

    def _add(self, key: str, wanted: _Wanted) -> None:
        room = _TARGET_BYTES + len(wanted.comparison.pairs) * _ROW_BYTES
        if self._group and (room > self._room or len(self._group) == MOST_TOGETHER):
            self._measure_group()
        self._group[key] = wanted
        self._room -= room

    def _measure_group(self) -> None:
        # In the order of their keys: who holds some locks and waits for others blocks nobody then.
        group, equal = [self._group[key] for key in sorted(self._group)], self._equal
        self._group, self._equal = {}, []
        self._room = physical_memory() // _MEMORY_SHARE
        try:
            self._measure_together(group)
        except _END_ALL:
            raise
        except ModeldiffError:
            # A file of one of them is not what was opened, say: each by itself, those go on that
            # can. Journals have what was done.
            equal = [*group, *equal]
        for wanted in equal:
            if wanted.target not in self._rows and wanted.target not in self._failures:
                self._measure_alone(wanted)

    def _measure_together(self, group: Sequence[_Wanted]) -> None:
        together = _Together(self._report)
        if len(group) > 1:
            look_ahead(ready_results_folder(), [each.comparison.key for each in group])
        with ExitStack() as stack:
            begun = [*filter(None, [self._begin(each, together, stack) for each in group])]
            known = [change.pair.nbytes for each in begun for change in each.rows.finished]
            together.begin(known)
            for each in begun:
                self._apart[each.wanted.target] = sum(pair.nbytes for pair in each.rows.missing)
            changes = self._measurer.measure(
                self._base.checkpoint,
                [(each.wanted.comparison.target.checkpoint, each.rows.missing) for each in begun],
                progress=together.of_group,
            )
            try:
                with closing(changes):
                    for number, change in changes:
                        begun[number].rows.add(change)
            finally:
                self._bytes_read += together.bytes_read
            for each in begun:
                with self._noting_failure(each.wanted.target):
                    result = each.diff.finish(each.rows, each.journal)
                    save_result(result)
                    each.journal.remove()
                    self._keep(each.wanted, result)

    def _begin(self, wanted: _Wanted, together: _Together, stack: ExitStack) -> _Begun | None:
        """A pair ready to be measured; None where somebody else did that meanwhile, or where it
        can't be."""
        comparison, key = wanted.comparison, wanted.comparison.key
        begun = None
        with self._noting_failure(wanted.target):
            diff = PairDiff(comparison, self._measurer, together.of_pair, None)
            folder = ready_results_folder()
            waiting = diff.waiting(JournalTail(journal_path(folder, key), key))
            question = stack.enter_context(measuring_alone(folder, key, None, waiting))
            if (stored := load_result(key)) is not None:
                self._keep(wanted, as_asked(stored, comparison))
            else:
                journal = stack.enter_context(Journal(question.path, key))
                begun = _Begun(wanted, diff, diff.begin(journal), journal)
        return begun

    def _measure_alone(self, wanted: _Wanted) -> None:
        with self._noting_failure(wanted.target):
            together = _Together(self._report)
            try:
                result = run_diff(
                    wanted.comparison, measurer=self._measurer, progress=together.of_group
                )
            finally:
                self._bytes_read += together.bytes_read
            # Those of a group that had to be given up have had their share counted.
            self._apart.setdefault(wanted.target, together.bytes_read)
            self._keep(wanted, result)

    def _keep(self, wanted: _Wanted, result: Result) -> None:
        row = self._rows[wanted.target] = fleet_row(result)
        self._on_row(row)

    @contextmanager
    def _noting_failure(self, target: str) -> Iterator[None]:
        """What is wrong with this target stops no other."""
        try:
            yield
        except _END_ALL:
            raise
        except ModeldiffError as error:
            self._failures[target] = FleetFailure.of(without_credentials(target), error)
