"""A pair on the way to its result: what its journal holds, what is missing, and where rows go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modeldiff._version import __version__
from modeldiff.changes import Change, ChangeTable, Pair, Progress
from modeldiff.changes.change import PairId
from modeldiff.changes.kernels.object_code import are_compiled, kernels
from modeldiff.changes.layer_chains import Alignment
from modeldiff.changes.measurer import Measurer
from modeldiff.comparison import SCHEMA, Comparison
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.aligning import aligned_by_depth, aligned_by_values
from modeldiff.results.relating import related
from modeldiff.results.result import Result, ResultHeader

if TYPE_CHECKING:
    from modeldiff.changes import Shard
    from modeldiff.results.store.journal import Entry, Journal, JournalTail


def result_of(
    comparison: Comparison, changes: ChangeTable, *, device: str, seconds: float
) -> Result:
    """The result that these rows make, finished now; ``device`` and ``seconds`` as in a header."""
    base, target = comparison.checkpoints
    header = ResultHeader(
        base_reference=base.reference.text,
        base_fingerprint=base.fingerprint,
        target_reference=target.reference.text,
        target_fingerprint=target.fingerprint,
        options=comparison.options,
        version=__version__,
        schema=SCHEMA,
        device=device,
        seconds=seconds,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        base_unread=base.unread,
        target_unread=target.unread,
    )
    return Result(header.key, header, changes)


@dataclass(frozen=True)
class _Measured:
    """Rows in file order, where they were measured and for how many seconds."""

    changes: ChangeTable
    device: str
    seconds: float


class MissingRows:
    """What is to be measured of a diff, the ``missing`` pairs, and where each row goes once it is:
    into the ``journal``, if there is one, and to ``on_change``."""

    def __init__(
        self,
        known: Mapping[PairId, Change],
        missing: Sequence[Pair],
        journal: Journal | None,
        device: str,
        earlier: float,
        on_change: Callable[[Change], None],
    ) -> None:
        self.missing = missing
        self.finished = list(known.values())
        self._journal, self._device, self._on_change = journal, device, on_change
        self._started = time.monotonic() - earlier

    @property
    def seconds(self) -> float:
        """How long the diff has been running, all its runs together."""
        return time.monotonic() - self._started

    def add(self, change: Change) -> None:
        """Take the row of one of the missing pairs."""
        self.finished.append(change)
        if self._journal and change.pair.status in ("compared", "unreadable"):
            from modeldiff.results.store.journal import Entry

            reason = "" if change.statistics else change.pair.reason
            entry = Entry(change.statistics, self._device, self.seconds, reason)
            self._journal.append(change.pair, entry)
        self._on_change(change)


class PairDiff:
    """A comparison, or a shard of it, on the way to its rows."""

    def __init__(
        self,
        comparison: Comparison,
        measurer: Measurer,
        progress: Callable[[Progress], None] | None,
        on_change: Callable[[Change], None] | None,
        shard: Shard | None = None,
        on_alignment: Callable[[Alignment], None] | None = None,
    ) -> None:
        self._measurer = measurer
        self._shard = shard
        self._report = progress or (lambda _: None)
        self._on_change = on_change or (lambda _: None)
        self._on_alignment = on_alignment or (lambda _: None)
        self._take(comparison)

    def waiting(self, tail: JournalTail) -> Callable[[], None]:
        """What to do again and again while another process measures this pair, whose journal has
        this ``tail``: tell how far that one is, and its rows."""
        from modeldiff.results.tailing import TailedRows

        rows = TailedRows(self._pairs, tail)

        def wait() -> None:
            for change in rows.new():
                self._on_change(change)
            self._report(replace(rows.progress, phase="waiting"))

        return wait

    def run(self, journal: Journal | None) -> Result:
        """The result, of what the journal holds and what it lacks."""
        return self._result(self.measured(journal))

    def measured(self, journal: Journal | None) -> _Measured:
        """Measure what the journal lacks. What could not be read is tried again."""
        return self._completed(self._measure(self.begin(journal)), journal)

    def begin(self, journal: Journal | None) -> MissingRows:
        """What the journal lacks, for somebody who measures it; then to be given to ``finish``."""
        self._align(aligned_by_depth(self._comparison, self._report))
        entries = journal.entries if journal else {}
        known = {}
        for each in self._pairs if entries else ():
            entry = entries.get(each.id) if each.status == "compared" else None
            if entry is not None and entry.statistics is not None:
                known[each.id] = entry.change(each)
        earlier = max((entry.seconds for entry in entries.values()), default=0.0)
        return self._begin(known, journal, earlier)

    def finish(self, rows: MissingRows, journal: Journal | None) -> Result:
        """The result, once every missing pair was measured."""
        return self._result(self._completed(self._rows(rows), journal))

    def _completed(self, rows: _Measured, journal: Journal | None) -> _Measured:
        """All rows, those too that show only now that their layers should meet otherwise."""
        entries = journal.entries if journal else {}
        devices = [entry.device for entry in entries.values()]
        if self._shard is None and self.align_by_values(rows.changes):
            earlier_rows = [*rows.changes, *_rows_of(entries, self._pairs)]
            rows = self.measured_from(earlier_rows, journal, rows.seconds)
        device = ", ".join(dict.fromkeys([*devices, self._measurer.device]))
        return replace(rows, device=device)

    def _result(self, rows: _Measured) -> Result:
        changes = related(self._comparison, rows.changes, self._report)
        return result_of(self._comparison, changes, device=rows.device, seconds=rows.seconds)

    def align_by_values(self, changes: ChangeTable) -> bool:
        """Let layers meet by content, where these rows show that they should; whether they do."""
        return self._align(aligned_by_values(self._comparison, changes, self._report))

    def measured_from(
        self, earlier: Iterable[Change], journal: Journal | None, seconds: float
    ) -> _Measured:
        """Measure what is not among ``earlier`` rows, wherever their layers stood."""
        measured = {_tensors(row.pair): row.statistics for row in earlier if row.statistics}
        known = {
            each.id: Change(each, measured[_tensors(each)])
            for each in self._pairs
            if each.status == "compared" and _tensors(each) in measured
        }
        return self._measure(self._begin(known, journal, seconds))

    def _align(self, comparison: Comparison) -> bool:
        if comparison is self._comparison:
            return False
        self._take(comparison)
        self._on_alignment(comparison.alignment)
        return True

    def _take(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self.unmeasured = comparison.unmeasured
        self._pairs = comparison.pairs
        if self._shard is not None:
            from modeldiff.changes import plan_shards

            self._pairs = plan_shards(self._pairs, self._shard.count)[self._shard.number - 1]
            self.unmeasured = ChangeTable.of_pairs(self._pairs)
        nbytes = comparison.nbytes if self._shard is None else _bytes(self._pairs)
        compared = sum(each.status == "compared" for each in self._pairs)
        self._resumed = Progress("measuring", 0, nbytes, 0, compared)

    def _begin(
        self, known: Mapping[PairId, Change], journal: Journal | None, earlier: float
    ) -> MissingRows:
        """What is not ``known``, to be measured after ``earlier`` seconds."""
        missing = [each for each in self._pairs if each.id not in known] if known else self._pairs
        self._resume_from([change.pair for change in known.values()])
        for change in known.values():
            self._on_change(change)
        if self._measurer.is_here and any(each.status == "compared" for each in missing):
            self._prepare()
        device = self._measurer.device
        return MissingRows(known, missing, journal, device, earlier, self._on_change)

    def _measure(self, rows: MissingRows) -> _Measured:
        base, target = self._comparison.checkpoints
        changes = self._measurer.measure(base, [(target, rows.missing)], progress=self._measuring)
        with closing(changes):
            for _, change in changes:
                rows.add(change)
        return self._rows(rows)

    def _rows(self, rows: MissingRows) -> _Measured:
        changes = self.unmeasured.with_measured(rows.finished)
        return _Measured(changes, device=self._measurer.device, seconds=rows.seconds)

    def _prepare(self) -> None:
        """Compile the kernels where this machine never did: no part of the time it takes to
        measure, and long enough to be said."""
        if not are_compiled():
            kernels(self._compiling("kernel"))
        sides = [side for pair in self._pairs for side in (pair.base, pair.target)]
        if not any(side is not None and side.recipe is not None for side in sides):
            return
        from modeldiff.checkpoints.recipes.code_kernels import CODE_KERNELS
        from modeldiff.checkpoints.recipes.coded import has_codes
        from modeldiff.checkpoints.recipes.ggml_blocks import GGML_KERNELS, needs_kernels

        for library, decodes in ((GGML_KERNELS, needs_kernels), (CODE_KERNELS, has_codes)):
            if any(map(decodes, sides)) and not library.is_compiled():
                library.load(self._compiling(library.name))

    def _compiling(self, what: str) -> Callable[[int, int], None]:
        """Reports each step of compiling; that may be cancelled between two of them."""

        def report(done: int, steps: int) -> None:
            current = f"{what} {done + 1} of {steps - 1}" if done < steps - 1 else "machine code"
            self._report(replace(self._resumed, phase="compiling", current=current))

        return report

    def _resume_from(self, pairs: Sequence[Pair]) -> None:
        done = _bytes(pairs)
        self._resumed = replace(
            self._resumed, bytes_done=done, tensors_done=len(pairs), resumed_bytes=done
        )
        self._report(self._resumed)

    def _measuring(self, progress: Progress) -> None:
        """Report what ``measure`` says of the missing pairs as part of all pairs."""
        if progress.phase == "measuring":
            resumed = self._resumed
            progress = replace(
                progress,
                bytes_done=progress.bytes_done + resumed.bytes_done,
                bytes_total=resumed.bytes_total,
                tensors_done=progress.tensors_done + resumed.tensors_done,
                tensors_total=resumed.tensors_total,
                resumed_bytes=resumed.bytes_done,
            )
        self._report(progress)


def _bytes(pairs: Sequence[Pair]) -> int:
    return sum(each.nbytes for each in pairs)


def _tensors(pair: Pair) -> tuple[str, str]:
    """What a pair's numbers are of, wherever it stands."""
    return pair.base.label if pair.base else "", pair.target.label if pair.target else ""


def _rows_of(entries: Mapping[PairId, Entry], pairs: Sequence[Pair]) -> list[Change]:
    """The rows of those pairs that have an entry."""
    return [entries[each.id].change(each) for each in pairs if each.id in entries]
