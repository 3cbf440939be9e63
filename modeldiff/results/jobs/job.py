"""One job: what changes while it is worked on, and the frozen picture that others see of it."""

from __future__ import annotations

import uuid
from typing import Literal

from modeldiff.changes.change import Change, PairId, Progress
from modeldiff.changes.layer_chains import BY_POSITION, Alignment
from modeldiff.checkpoints.names import names_apart
from modeldiff.comparison import Comparison
from modeldiff.errors import ModeldiffError
from modeldiff.observability.request import current_request
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.drilldown_request import DrillDown
from modeldiff.results.drilldowns.registry import drill_down_kind
from modeldiff.results.jobs.asker import Asker, JobRequest, job_request
from modeldiff.results.jobs.throughput import Pace

JobState = Literal[
    "queued", "unattended", "opening", "waiting", "measuring", "done", "failed", "cancelled"
]
_ACTIVE: tuple[JobState, ...] = ("queued", "unattended", "opening", "waiting", "measuring")

LARGE_DIFF = 1 << 30
"""Bytes of a pair (download and both sides' weights) from which its diff waits for other large
ones only: a pair of some megabytes does not stand behind one of some hundred gigabytes."""
LARGE_LANE = "large diffs"
"""The lane that they have."""


@dataclass(frozen=True)
class QueuePlace:
    """Where a job stands that waits: ``ahead`` is how many go before it, the one that runs now
    included. That one is the diff or drill-down of ``names`` (both models; empty where not
    everybody may know of them), asked for by ``owner`` (empty where nobody is known), and ends in
    ``seconds_left``; None while nothing can be said."""

    ahead: int
    names: str = ""
    owner: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True)
class JobSnapshot:
    """A job at one moment.

    ``state``: ``queued`` behind other jobs (``place`` says behind which), ``unattended`` while the
    process that measures does not run, ``opening`` again what changed meanwhile, ``waiting`` for
    another process that measures the same pair, ``measuring`` (or downloading, see
    ``progress.phase``), then ``done``, ``failed`` or ``cancelled``. ``elapsed`` is seconds since it
    was begun, queue not counted. ``key`` is known once it is begun; when ``done``,
    ``load_result(key)`` is the result. ``changes`` are the rows finished so far; jobs that are over
    let go of theirs once another one is over. A job with a ``drill_down`` is no diff but a
    drill-down into one pair: it has no rows, and ``load_drill_down(key, drill_down)`` is its
    result. ``alignment`` is how the layers of its rows meet. ``owner`` is who asked for it first of
    those who still want it; None for nobody in particular.
    """

    id: str
    base_reference: str
    target_reference: str
    device: str
    state: JobState
    progress: Progress | None
    bytes_per_second: float | None
    seconds_left: float | None
    elapsed: float
    key: str | None
    error: ModeldiffError | None
    changes: tuple[Change, ...]
    drill_down: DrillDown | None = None
    alignment: Alignment = BY_POSITION
    owner: Asker | None = None
    place: QueuePlace | None = None

    @property
    def active(self) -> bool:
        """Whether it is not over."""
        return self.state in _ACTIVE


class BackgroundJob:
    """A job as those see it who work on it. Everything here changes under the manager's lock only.

    ``user`` is whose turn it takes. ``askers`` are those who want it by their session, the first to
    ask first; where nobody in particular asked it is ``for_nobody``, and wanted whoever leaves.
    ``abandoned``: it was stopped since all had left. ``asked_by`` is the run of a page that asked
    first, ``queued`` the time since when it has waited in a queue of this process.
    """

    def __init__(
        self,
        comparison: Comparison,
        device: str,
        drill_down: DrillDown | None,
        asker: Asker | None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.comparison: Comparison | None = comparison
        self.request: JobRequest = job_request(comparison, drill_down)
        self.references, self.device, self.drill_down = comparison.references, device, drill_down
        self.alignment = comparison.alignment
        # By their own names: a label is what one viewer typed, and this is shown to others.
        # The import is late: it brings the Hub's client, which the command line can do without.
        from modeldiff.checkpoints.hub.visibility import is_reference_for_everybody

        sides = tuple(side.reference for side in comparison.checkpoints)
        shown = all(map(is_reference_for_everybody, sides))
        self.names = " → ".join(names_apart(*sides)) if shown else ""
        self.lane = _lane(comparison, drill_down)
        self.state: JobState = "queued"
        self.progress: Progress | None = None
        self.pace = Pace()
        self.place: QueuePlace | None = None
        self.asked_by = current_request()
        self.queued = 0.0
        self.started: float | None = None
        self.ended: float | None = None
        self.key: str | None = None
        self.error: ModeldiffError | None = None
        self.rows: dict[PairId, Change] = {}
        self.stop = False
        self.user = asker.user if asker else ""
        self.askers: dict[str, Asker] = {}
        self.for_nobody = False
        self.unwanted_since: float | None = None
        self.abandoned = False
        self._seen: tuple[Change, ...] = ()
        self.want(asker)

    @property
    def active(self) -> bool:
        """Whether asking the same again would join it."""
        return self.ended is None and not self.stop

    @property
    def bytes_read(self) -> int:
        """Bytes that were read for it by now, those left out that a journal had."""
        progress = self.progress
        return 0 if progress is None else progress.bytes_done - progress.resumed_bytes

    @property
    def owner(self) -> Asker | None:
        """The first to ask of those who want it."""
        return next(iter(self.askers.values()), None)

    def want(self, asker: Asker | None) -> None:
        """Note that ``asker`` (None: nobody in particular) wants it."""
        if asker is None:
            self.for_nobody = True
        else:
            self.askers.setdefault(asker.session, asker)
        self.unwanted_since = None

    def leave(self, session: str, now: float) -> None:
        """Note that the ``session`` does not want it any more, from the time ``now`` on."""
        left = self.askers.pop(session, None)
        if left is not None and not self.askers and not self.for_nobody:
            self.unwanted_since = now

    def report(self, progress: Progress, now: float) -> None:
        """Take note of ``progress`` at the time ``now``."""
        self.state = "waiting" if progress.phase == "waiting" else "measuring"
        self.progress = progress
        self.pace.update(progress, now)

    def forget(self) -> None:
        """Let go of what is large."""
        self.comparison, self.rows, self._seen = None, {}, ()

    def snapshot(self, now: float) -> JobSnapshot:
        """What it is at the time ``now``."""
        if len(self._seen) != len(self.rows):
            self._seen = tuple(self.rows.values())
        measuring = self.state == "measuring"
        base, target = self.references
        return JobSnapshot(
            id=self.id,
            base_reference=base,
            target_reference=target,
            device=self.device,
            state=self.state,
            progress=self.progress,
            bytes_per_second=self.pace.bytes_per_second(now) if measuring else None,
            seconds_left=self.pace.seconds_left(now) if measuring else None,
            elapsed=0.0 if self.started is None else (self.ended or now) - self.started,
            key=self.key,
            error=self.error,
            changes=self._seen,
            drill_down=self.drill_down,
            alignment=self.alignment,
            owner=self.owner,
            place=self.place if self.state == "queued" else None,
        )


def _lane(comparison: Comparison, drill_down: DrillDown | None) -> str:
    if drill_down is not None:
        return drill_down_kind(drill_down.kind).lane
    large = comparison.nbytes + comparison.bytes_away >= LARGE_DIFF
    return LARGE_LANE if large else "small diffs"
