"""Journals of shards, joined into the result of the whole diff."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from modeldiff.changes import Change, Pair, Progress, Shard, plan_shards
from modeldiff.changes.change import PairId
from modeldiff.comparison import Comparison
from modeldiff.errors import ResultError
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.aligning import aligned_by_depth
from modeldiff.results.diff import as_asked, realigned
from modeldiff.results.pair_diff import result_of
from modeldiff.results.relating import related
from modeldiff.results.result import Result
from modeldiff.results.store.folder import ready_results_folder
from modeldiff.results.store.journal import Entry, journals_of, read_journal
from modeldiff.results.store.measuring_alone import (
    collect_journals,
    drop_journals,
    measuring_alone,
)
from modeldiff.results.store.result_files import load_result, save_result

JournalEntries = Mapping[PairId, Entry]
_MOST_NAMES = 5
"""So many of the tensors that are missing are named."""


@dataclass(frozen=True)
class Joined:
    """What journals hold of a diff: rows in the order of its pairs, as far as no pair that is to
    be compared is ``missing``; all devices; the seconds of all journals together."""

    changes: tuple[Change, ...]
    missing: tuple[Pair, ...]
    devices: tuple[str, ...]
    seconds: float


def join_journals(pairs: Sequence[Pair], journals: Iterable[JournalEntries]) -> Joined:
    """The rows of ``pairs`` from the entries of any number of journals, which may overlap.

    Of a pair with several entries the first with statistics counts: where one could read a tensor,
    it does not matter that another could not. Entries of other pairs are left out.
    """
    entries: dict[PairId, Entry] = {}
    devices: dict[str, None] = {}
    seconds = 0.0
    for journal in journals:
        for which, entry in journal.items():
            known = entries.get(which)
            if known is None or (known.statistics is None and entry.statistics is not None):
                entries[which] = entry
        devices |= dict.fromkeys(entry.device for entry in journal.values())
        seconds += max((entry.seconds for entry in journal.values()), default=0.0)
    changes: list[Change] = []
    missing: list[Pair] = []
    for each in pairs:
        if each.status != "compared":
            changes.append(Change(each))
        elif (measured := entries.get(each.id)) is not None:
            changes.append(measured.change(each))
        else:
            missing.append(each)
    return Joined(tuple(changes), tuple(missing), tuple(devices), seconds)


def join_shards(
    comparison: Comparison, *, progress: Callable[[Progress], None] | None = None
) -> Result:
    """The result of a diff that was measured in shards, from all journals of it in the folder of
    results, and in the store that is shared if one is: of shards of any counts, and of a whole
    diff that was interrupted.

    It is stored, and the journals are removed. A result that is stored already is returned. Where
    the rows show that layers should meet by content, the pairs that follow are measured here.
    ``progress`` is called while another process measures the whole diff, which is waited for.

    Raises ``NoWeights`` where a side is a config alone, ``ResultError`` where tensors are missing,
    with their shards and how to measure them, and where the folder can't be written to.
    """
    comparison.require_weights()
    key = comparison.key
    folder = ready_results_folder()
    compared = comparison.unmeasured.statuses.get("compared", 0)
    waiting = Progress("waiting", 0, comparison.nbytes, 0, compared)
    with measuring_alone(folder, key, None, lambda: progress(waiting) if progress else None):
        if (stored := load_result(key)) is not None:
            return as_asked(stored, comparison)
        comparison = aligned_by_depth(comparison, progress or (lambda _: None))
        all_are_here = collect_journals(folder, key)
        paths = journals_of(folder, key)
        journals = {shard: read_journal(path, key) for shard, path in paths.items()}
        joined = join_journals(comparison.pairs, journals.values())
        if joined.missing:
            error = _incomplete(comparison, joined.missing, journals, folder)
            raise error if all_are_here else _unreached(error)
        devices = ", ".join(joined.devices) or "none"
        changes = comparison.unmeasured.with_measured(joined.changes)
        changes = realigned(comparison, changes, progress=progress)
        changes = related(comparison, changes, progress or (lambda _: None))
        result = result_of(comparison, changes, device=devices, seconds=joined.seconds)
        save_result(result)
        for shard, path in paths.items():
            _remove(path)
            if shard is not None:
                _remove(path.with_suffix(".lock"))
        drop_journals(key)
    return result


def _remove(path: Path) -> None:
    """Delete what the stored result has made idle. Where that is not permitted it stays: whoever
    measures one of its shards later finds the result, and needs neither journal nor lock."""
    with suppress(OSError):
        path.unlink()


def _incomplete(
    comparison: Comparison,
    missing: Sequence[Pair],
    journals: Mapping[Shard | None, JournalEntries],
    folder: Path,
) -> ResultError:
    """The error that says what is missing, and the command that measures the least to mend it."""
    names = [tensor.label for each in missing[:_MOST_NAMES] if (tensor := each.base)]
    more = f" and {len(missing) - len(names):,} more" if len(missing) > len(names) else ""
    compared = comparison.unmeasured.statuses["compared"]
    message = (
        f"{len(missing):,} of {compared:,} tensors are in no journal of this pair in {folder}: "
        f"{', '.join(names)}{more}."
    )
    import shlex  # late: for this error alone

    command = f"modeldiff diff {' '.join(map(shlex.quote, comparison.references))}"
    if comparison.layers != "auto":
        command += f" --layers {comparison.layers}"
    counts = {shard.count for shard in journals if shard is not None}
    if not counts:
        return ResultError(
            message,
            hint=f"Run {command} --shard I/N for each I from 1 to N (or without --shard), with "
            "the same MODELDIFF_CACHE or MODELDIFF_SHARED, then join again.",
        )
    repairs = [_Repair.of(comparison.pairs, missing, journals, count) for count in sorted(counts)]
    best = min(repairs, key=lambda repair: (repair.nbytes, len(repair.numbers)))
    numbers = _ranges(best.numbers)
    if len(best.numbers) == 1:
        which, run = f"shard {numbers}", f"{command} --shard {numbers}/{best.count}"
    else:
        which = f"shards {numbers}"
        run = f"{command} --shard I/{best.count} for each I of {numbers}"
    return ResultError(
        f"{message} They belong to {which} of {best.count}.", hint=f"Run {run}, then join again."
    )


def _unreached(error: ResultError) -> ResultError:
    """The same error where the shared store, which may have what is missing, did not answer: then
    it may be that nothing has to be measured."""
    return ResultError(
        f"{error.message} The shared store, which may have them, did not give all that it has.",
        hint="Join again when it answers.",
    )


@dataclass(frozen=True)
class _Repair:
    """The shards of one count that hold what is missing, and the bytes that they have to read."""

    count: int
    numbers: tuple[int, ...]
    nbytes: int

    @classmethod
    def of(
        cls,
        pairs: Sequence[Pair],
        missing: Sequence[Pair],
        journals: Mapping[Shard | None, JournalEntries],
        count: int,
    ) -> _Repair:
        """Those of ``count``: a shard reads what its own journal lacks."""
        wanted = {each.id for each in missing}
        numbers: list[int] = []
        nbytes = 0
        for number, shard in enumerate(plan_shards(pairs, count), 1):
            if wanted.isdisjoint(each.id for each in shard):
                continue
            own = journals.get(Shard(number=number, count=count), {})
            numbers.append(number)
            nbytes += sum(each.nbytes for each in shard if each.id not in own)
        return cls(count, tuple(numbers), nbytes)


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, runs of them shortened: ``1, 4, 6–9``."""
    starts = [numbers[0], *(b for a, b in pairwise(numbers) if b != a + 1)]
    ends = [*(a for a, b in pairwise(numbers) if b != a + 1), numbers[-1]]
    return ", ".join(
        f"{start}" if start == end else f"{start}–{end}"
        for start, end in zip(starts, ends, strict=True)
    )
