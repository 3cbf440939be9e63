"""What a node makes of a task. Nothing here knows the cluster's library."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator

from modeldiff._version import __version__
from modeldiff.changes.change import Pair
from modeldiff.changes.cluster.same_files import forget_opened, open_as_seen
from modeldiff.changes.cluster.tasks import RemoteAnswer, RemoteRow, RemoteTask
from modeldiff.changes.engine.engine import measure_together
from modeldiff.errors import ClusterError, ModeldiffError

_SECONDS_BETWEEN_ANSWERS = 0.1
"""Rows are sent at once, but for those of many small tensors, which go together."""


def measure_task(task: RemoteTask, address: str = "") -> Iterator[RemoteAnswer]:
    """The rows of a ``task`` as they become ready. Where it can't go on, the last answer is an
    error that names this node; ``address`` is what the cluster calls it."""
    try:
        _require_version(task.version)
        yield from _rows(task)
    except ModeldiffError as error:
        forget_opened()  # whoever mends the files wants them opened anew
        yield _named(error, address)


def _rows(task: RemoteTask) -> Iterator[tuple[RemoteRow, ...]]:
    base = open_as_seen(task.base)
    sides: list[list[Pair]] = [[] for _ in task.targets]
    indexes = {}
    for each in task.pairs:
        sides[each.side].append(each.pair)
        indexes[each.side, each.pair.id] = each.index
    targets = [(open_as_seen(seen), pairs) for seen, pairs in zip(task.targets, sides, strict=True)]
    rows: list[RemoteRow] = []
    sent = 0.0
    changes = measure_together(base, targets, device=task.device, threads=task.threads)
    try:
        for side, change in changes:
            reason = "" if change.statistics else change.pair.reason
            rows.append(RemoteRow(indexes[side, change.pair.id], change.statistics, reason))
            if (now := time.monotonic()) - sent >= _SECONDS_BETWEEN_ANSWERS:
                yield tuple(rows)
                rows, sent = [], now
    finally:
        changes.close()
    if rows:
        yield tuple(rows)


def _require_version(version: str) -> None:
    if version != __version__:
        raise ClusterError(
            f"modeldiff {__version__} is installed, and {version} where the diff was started.",
            hint="Install the same version on every node: numbers of one result come from one.",
        )


def _named(error: ModeldiffError, address: str) -> ModeldiffError:
    """The error, which says where it happened."""
    host = platform.node()
    node = f"{address} ({host})" if address and host and address != host else address or host
    error.message = f"On the node {node}: {error.message}"
    error.args = (error.message,)
    return error
