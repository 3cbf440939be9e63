"""What became of the layers, where they were aligned by content, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from modeldiff.architectures.place import LayerNumbers
from modeldiff.changes import ChangeTable, merge_statistics
from modeldiff.changes.layer_chains import DOUBT, Chain
from modeldiff.findings.evidence import is_equal
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_layers, format_pct

_MOST_RUNS = 4
_TIMES = {2: "twice", 3: "three times", 4: "four times"}


@dataclass(frozen=True)
class LayerRun:
    """Layers that follow each other on both sides: the numbers on each, empty where a side has no
    such layers."""

    base: tuple[int, ...]
    target: tuple[int, ...]


def layer_runs(chain: Chain) -> tuple[LayerRun, ...]:
    """The chain in as few runs as can be, in its order."""
    runs: list[list[LayerNumbers]] = []
    for one in chain:
        if runs and _follows(one, runs[-1][-1]):
            runs[-1].append(one)
        else:
            runs.append([one])
    return tuple(
        LayerRun(
            tuple(one.base for one in run if one.base is not None),
            tuple(one.target for one in run if one.target is not None),
        )
        for run in runs
    )


def alignment_headlines(changes: ChangeTable) -> tuple[str, ...]:
    """What became of the layers of each tower that was aligned, a sentence each."""
    return tuple(
        _tower(tower) + _sentence("; ".join((*_events(chain), *_moved(changes, tower, chain))))
        for tower, chain in changes.alignment.chains.items()
    )


def alignment_facts(changes: ChangeTable) -> Iterator[str]:
    """Which layer is which where numbers differ, and where nothing better than numbers is known."""
    for tower, chain in changes.alignment.chains.items():
        named = [
            f"{format_layers(run.target)} {_verb(run.target)} base's {_numbers(run.base)}"
            for run in layer_runs(chain)
            if run.target and run.base not in ((), run.target)
        ]
        if len(named) > _MOST_RUNS:
            named = [*named[: _MOST_RUNS - 1], f"{len(named) - _MOST_RUNS + 1:,} more runs moved"]
        if named:
            yield _tower(tower) + _sentence(
                f"target's {', '.join(named)}; ranges of layers use base's numbers here"
            )
        yield f"{_tower(tower)}Samples of their matrices say which layer is which."
    doubts: dict[str, set[int]] = {}
    for change in changes:
        _, doubted, why = change.pair.reason.partition(DOUBT)
        if doubted and change.pair.place.layer is not None:
            doubts.setdefault(why, set()).add(change.pair.place.layer)
    for why, layers in doubts.items():
        which = sorted(layers)
        yield _sentence(f"{format_layers(which)} {_verb(which)} {DOUBT}{why}")


def _events(chain: Chain) -> Iterator[str]:
    """What was done to base's layers, as far as that is plain from the chain."""
    kept = [one.base for one in chain if one.base is not None and one.target is not None]
    removed = sorted({one.base for one in chain if one.base is not None} - set(kept))
    new = [one.target for one in chain if one.base is None and one.target is not None]
    times = Counter(kept)
    if removed:
        yield f"{format_layers(removed)} {_was(removed)} removed"
    for count in sorted({count for count in times.values() if count > 1}):
        repeated = sorted(layer for layer, own in times.items() if own == count)
        occur = "occurs" if len(repeated) == 1 else "occur"
        yield f"{format_layers(repeated)} {occur} {_TIMES.get(count, f'{count} times')}"
    if new:
        yield f"{format_layers(new)} of target {_verb(new)} new"
    if len(times) == len(kept):
        yield from _reordered(kept)


def _reordered(kept: Sequence[int]) -> Iterator[str]:
    displaced = sorted(a for a, b in zip(kept, sorted(kept), strict=True) if a != b)
    if len(displaced) == 2:
        yield f"layers {displaced[0]} and {displaced[1]} were swapped"
    elif displaced:
        yield f"{format_layers(displaced)} are in another order"


def _moved(changes: ChangeTable, tower: str, chain: Chain) -> Iterator[str]:
    """How far the layers moved that both have."""
    both = {at for at, one in enumerate(chain) if None not in one}
    rows = [
        row
        for row in changes
        if row.statistics is not None
        and row.pair.place.tower == tower
        and row.pair.place.layer in both
    ]
    if not rows:
        return
    gone = len(both) < len(chain)
    which = f"the other {len(both)}" if gone else f"all {len(both)}"
    one = len(both) == 1
    if one:
        which = "the other one" if gone else "the one layer"
    if all(map(is_equal, rows)):
        yield f"{which} {'is' if one else 'are'} exactly equal"
        return
    matrices = [row for row in rows if row.pair.base and len(row.pair.base.shape) > 1] or rows
    merged = merge_statistics(row.statistics for row in matrices if row.statistics is not None)
    median, unchanged = merged.median_pct, merged.unchanged_pct
    if median:
        yield f"{which} moved by {format_pct(median)} (the median of their matrices)"
    elif unchanged is not None:
        yield f"{format_pct(100 - unchanged)} of the elements of {which} moved"


def _follows(one: LayerNumbers, last: LayerNumbers) -> bool:
    return all(
        number == (None if before is None else before + 1)
        for number, before in zip(one, last, strict=True)
    )


def _numbers(numbers: Sequence[int]) -> str:
    return format_layers(numbers).partition(" ")[2]


def _verb(numbers: Sequence[int]) -> str:
    return "is" if len(numbers) == 1 else "are"


def _was(numbers: Sequence[int]) -> str:
    return "was" if len(numbers) == 1 else "were"


def _tower(tower: str) -> str:
    return f"{tower}: " if tower else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
