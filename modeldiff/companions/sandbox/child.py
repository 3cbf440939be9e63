"""Running the worker: what it is given, how long it may take, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modeldiff.processes.child import Limits, run_script
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import spelt_out

_WORKER = Path(__file__).with_name("worker.py")
_MOST_BYTES_BACK = 4_000_000
_STOPPED = "it exceeds the limit of time or memory"


@dataclass(frozen=True)
class Answers:
    """What came back: the ``answers`` in the order of what was asked, and where some are missing
    ``reason``, why."""

    answers: tuple[Mapping[str, Any], ...]
    reason: str

    def completed(self, count: int) -> Iterator[Mapping[str, Any]]:
        """``count`` answers, each missing one an ``error`` with the reason."""
        yield from self.answers[:count]
        for _ in range(count - len(self.answers)):
            yield {"error": self.reason}


def run_limited(task: str, request: Mapping[str, Any], limits: Limits) -> Answers:
    """The worker's answers to a ``request`` for one of its ``task``s.

    Each answer is an object that holds what was asked for, or an ``error`` in plain words. There
    are fewer than were asked for where the worker was stopped or gave up. Nothing is raised for
    what the request holds.
    """
    document = {**request, "task": task, "limits": _system_limits(limits)}
    outcome = run_script(
        _WORKER,
        (),
        json.dumps(document).encode(),
        seconds=limits.seconds,
        most_bytes=_MOST_BYTES_BACK,
    )
    answers = _lines(outcome.output)
    fatal = answers.pop()["fatal"] if answers and "fatal" in answers[-1] else _STOPPED
    return Answers(tuple(map(_readable, answers)), _one_line(fatal))


def _readable(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer, a reason in it on one line: it may be in a template's own words."""
    return {**answer, "error": _one_line(answer["error"])} if "error" in answer else answer


def _one_line(reason: Any) -> str:
    return spelt_out(" ".join(str(reason).split()))


def _system_limits(limits: Limits) -> Mapping[str, int]:
    return {
        "CPU": limits.cpu_seconds,
        "AS": limits.memory,
        "FSIZE": _MOST_BYTES_BACK,
        "NOFILE": 3,  # its three streams: nothing else can be opened
        "CORE": 0,
    }


def _lines(raw: bytes) -> list[Mapping[str, Any]]:
    """The whole lines; the last may have been cut off."""
    answers: list[Mapping[str, Any]] = []
    for line in raw.split(b"\n")[:-1]:
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(answer, dict):
            break
        answers.append(answer)
    return answers
