"""What is counted and logged of jobs, pages and errors."""

from __future__ import annotations

import logging

from modeldiff.errors import ModeldiffError
from modeldiff.observability.counts import increase

_log = logging.getLogger("modeldiff.events")


def job_began(job: str, kind: str, references: tuple[str, str], waited: float) -> None:
    """A ``job`` (its id) of a ``kind`` (its queue) begins on the pair ``references``, ``waited``
    seconds after it was asked for."""
    increase("job_wait_seconds", waited, kind=kind)
    _say("job began", job=job, kind=kind, pair=references, waited=round(waited, 3))


def job_ended(
    job: str,
    kind: str,
    state: str,
    seconds: float,
    nbytes: int,
    error: ModeldiffError | None = None,
) -> None:
    """A ``job`` of a ``kind`` ended in a ``state`` after ``seconds`` in which ``nbytes`` were read;
    with an ``error`` where it failed."""
    increase("jobs", kind=kind, state=state)
    increase("job_seconds", seconds, kind=kind)
    increase("bytes_read", nbytes)
    fields = {"job": job, "kind": kind, "state": state, "seconds": round(seconds, 3)}
    _say("job ended", **fields, bytes=nbytes)
    if error is not None:
        error_met(error, "job")


def page_began(page: str) -> None:
    """A run of ``page``, by its name in the address, begins."""
    increase("page_runs", page=page)
    _say("page", page=page)


def error_met(error: ModeldiffError, where: str) -> None:
    """An ``error`` that somebody is shown; ``where`` is ``job`` or ``opening``."""
    kind = type(error).__name__
    increase("errors", error=kind, where=where)
    _say("error", error=kind, where=where, text=error.message)


def _say(message: str, **fields: object) -> None:
    _log.info(message, extra={"fields": fields})
