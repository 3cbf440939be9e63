"""How two texts differ, line by line, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted
from modeldiff.text.quoting import spelt_out

DiffKind = Literal["same", "removed", "added", "skipped"]

_MOST_LINES = 800
_AROUND = 3


@dataclass(frozen=True)
class DiffLine:
    """A line that both texts have (``same``), that the base has alone (``removed``) or the target
    (``added``); or, in a short form, a count of those left out (``skipped``)."""

    kind: DiffKind
    text: str


def diff_lines(base: str, target: str) -> tuple[DiffLine, ...]:
    """All lines of both texts in one order. Where the parts that differ are too long to be
    compared line by line, all of base's stand before all of target's."""
    before, after = readable_lines(base), readable_lines(target)
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    middle = before[head : len(before) - tail], after[head : len(after) - tail]
    return (
        *(DiffLine("same", line) for line in before[:head]),
        *_middle(*middle),
        *(DiffLine("same", line) for line in before[len(before) - tail :]),
    )


def readable_lines(text: str) -> list[str]:
    """The lines of a text from outside, with what would not be seen spelt out."""
    return [spelt_out(line.expandtabs(4)) for line in text.splitlines()]


def shortened(lines: Sequence[DiffLine]) -> tuple[DiffLine, ...]:
    """The ``lines`` with long runs of equal ones left out, a few beside each change kept."""
    changed = [at for at, line in enumerate(lines) if line.kind != "same"]
    near = {at + step for at in changed for step in range(-_AROUND, _AROUND + 1)}
    shown: list[DiffLine] = []
    skipped = 0
    for at, line in enumerate(lines):
        if at in near:
            if skipped:
                shown.append(_skip(skipped))
            shown.append(line)
            skipped = 0
        else:
            skipped += 1
    if skipped:
        shown.append(_skip(skipped))
    return tuple(shown)


def _skip(count: int) -> DiffLine:
    return DiffLine("skipped", f"… {counted(count, 'equal line')} …")


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    """How many lines are the same from the start on."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        count += 1
    return count


def _middle(before: Sequence[str], after: Sequence[str]) -> Iterator[DiffLine]:
    if max(len(before), len(after)) > _MOST_LINES:
        operations = [("replace", 0, len(before), 0, len(after))]
    else:
        operations = list(SequenceMatcher(None, before, after).get_opcodes())
    for kind, start, end, other_start, other_end in operations:
        if kind == "equal":
            yield from (DiffLine("same", line) for line in before[start:end])
        else:
            yield from (DiffLine("removed", line) for line in before[start:end])
            yield from (DiffLine("added", line) for line in after[other_start:other_end])
