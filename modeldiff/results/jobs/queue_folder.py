"""The queue folder of a cache: what processes of the app ask the one that measures to do.

A request is a file there, ``<id>.json``, and ``<id>.status`` beside it says what became of it. The
app renews the time of a request for as long as somebody wants it, and deletes it then. Whoever can
write to the cache can put a file there, so each is read as what nobody vouches for: bounded, its
fields checked one by one, and its references opened like typed ones.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

from modeldiff.architectures import Place
from modeldiff.changes.change import Progress
from modeldiff.changes.layer_chains import LayerMatching
from modeldiff.errors import ModeldiffError, ResultError
from modeldiff.files.atomic import write_atomically, write_if_possible
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.group_folder import make_group_folder
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results.drilldown_request import DrillDown
from modeldiff.results.jobs.asker import Asker, JobRequest
from modeldiff.results.jobs.job import JobSnapshot, JobState, QueuePlace
from modeldiff.results.result import is_key
from modeldiff.results.store.folder import cannot_write

_LARGEST = 1 << 16
_LONGEST_TEXT = 4096
_MOST_FILES = 10_000
_STEP = 10
SECONDS_UNRENEWED = 600.0
"""After so long without renewal nobody wants a request any more: an app that is restarted, and
those who look, are back before."""


@dataclass(frozen=True)
class QueuedRequest:
    """A request in the folder: what is asked for, on which ``device``, and for whom. The asker's
    session is the request's ``id``."""

    id: str
    request: JobRequest
    device: str
    asker: Asker


@dataclass(frozen=True)
class QueuedStatus:
    """What became of a request: the fields of ``JobSnapshot`` that another process can't know."""

    state: JobState
    progress: Progress | None = None
    elapsed: float = 0.0
    key: str | None = None
    error: ModeldiffError | None = None
    place: QueuePlace | None = None

    @classmethod
    def of(cls, job: JobSnapshot) -> QueuedStatus:
        """What there is to say of ``job``. Times are rounded: each change is a file written."""
        place = job.place
        if place is not None and place.seconds_left is not None:
            place = replace(place, seconds_left=_STEP * round(place.seconds_left / _STEP))
        return cls(job.state, job.progress, round(job.elapsed), job.key, job.error, place)


def queue_folder() -> Path:
    """Where requests lie; it may not exist yet."""
    return cache_folder("queue")


def worker_lock(folder: Path) -> Path:
    """The file in the queue ``folder`` whose lock the process holds that measures."""
    return folder / "worker.lock"


def write_request(folder: Path, request: QueuedRequest) -> None:
    """Put a ``request`` into the ``folder``. Raises ``ResultError`` where that is not possible."""
    base, target, layers, drill_down = request.request
    content = {
        "base": base,
        "target": target,
        "layers": layers,
        "drill_down": None if drill_down is None else drill_down.identity,
        "device": request.device,
        "user": request.asker.user,
        "name": request.asker.name,
    }
    try:
        make_group_folder(folder)
        write_atomically(_request(folder, request.id), json.dumps(content).encode())
    except OSError as error:
        raise cannot_write(folder, error) from error


def renew_request(folder: Path, request_id: str) -> None:
    """Say that a request is wanted still. One that is gone stays gone."""
    with contextlib.suppress(OSError):
        os.utime(_request(folder, request_id))


def delete_request(folder: Path, request_id: str) -> None:
    """Take back a request; its status goes with it. What can't be deleted is old one day."""
    for path in (_request(folder, request_id), _status(folder, request_id)):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def read_requests(folder: Path) -> dict[str, QueuedRequest | ResultError]:
    """The requests that somebody wants, by id, the oldest first; for a file that is none, why."""
    now = time.time()
    times: list[tuple[float, str]] = []
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(_MOST_FILES), entries, strict=False):
                if not (match := re.fullmatch(r"([0-9a-f]{32})\.json", entry.name)):
                    continue
                status = entry.stat(follow_symlinks=False)
                fresh = abs(now - status.st_mtime) < SECONDS_UNRENEWED
                if stat.S_ISREG(status.st_mode) and fresh:
                    times.append((status.st_mtime, match[1]))
    except OSError:
        pass
    requests: dict[str, QueuedRequest | ResultError] = {}
    for _, name in sorted(times):
        try:
            requests[name] = _decoded_request(name, _read(_request(folder, name)))
        except FileNotFoundError:
            continue  # taken back meanwhile
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            requests[name] = ResultError(
                f"The request can't be read: {error}.",
                hint="Let the app and modeldiff worker have the same version.",
            )
    return requests


def write_status(folder: Path, request_id: str, status: QueuedStatus) -> None:
    """Say what became of a request. On a full disk nothing is said."""
    content: dict[str, Any] = asdict(status)
    if status.error is not None:
        content["error"] = {"message": status.error.message, "hint": status.error.hint}
    write_if_possible(_status(folder, request_id), json.dumps(content).encode())


def read_status(folder: Path, request_id: str) -> QueuedStatus | None:
    """What became of a request; None while nothing is known."""
    try:
        content = _read(_status(folder, request_id))
        return QueuedStatus(
            state=_one_of(content["state"], get_args(JobState)),
            progress=_decoded_progress(content["progress"]),
            elapsed=_seconds(content["elapsed"]),
            key=content["key"] if is_key(str(content["key"])) else None,
            error=_decoded_error(content["error"]),
            place=_decoded_place(content["place"]),
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def _request(folder: Path, request_id: str) -> Path:
    return folder / f"{request_id}.json"


def _status(folder: Path, request_id: str) -> Path:
    return folder / f"{request_id}.status"


def _read(path: Path) -> Mapping[str, Any]:
    # No link is followed, and nothing is waited for that is no file.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("it is too large")
    decoded = json.loads(content)
    if not isinstance(decoded, dict):
        raise TypeError("it is no object")
    return decoded


def _decoded_request(name: str, content: Mapping[str, Any]) -> QueuedRequest:
    drill_down = content["drill_down"]
    return QueuedRequest(
        name,
        (
            _text(content["base"]),
            _text(content["target"]),
            _one_of(content["layers"], get_args(LayerMatching)),
            None if drill_down is None else _decoded_drill_down(drill_down),
        ),
        _text(content["device"]),
        Asker(name, _text(content["user"]), _text(content["name"])),
    )


def _decoded_drill_down(content: Mapping[str, Any]) -> DrillDown:
    place = Place(
        _whole_or_none(content["layer"]),
        _text(content["component"]),
        _text(content["parameter"]),
        _whole_or_none(content["expert"]),
        _text(content["tower"]),
    )
    return DrillDown(place, _text(content["kind"]))


def _decoded_progress(content: Mapping[str, Any] | None) -> Progress | None:
    if content is None:
        return None
    names = ("bytes_done", "bytes_total", "tensors_done", "tensors_total", "resumed_bytes")
    done, total, tensors_done, tensors, resumed = (_count(content[name]) for name in names)
    phase = _one_of(content["phase"], ("fetching", "waiting", "compiling", "measuring"))
    return Progress(phase, done, total, tensors_done, tensors, resumed, _text(content["current"]))


def _decoded_error(content: Mapping[str, Any] | None) -> ModeldiffError | None:
    if content is None:
        return None
    return ModeldiffError(_text(content["message"]), hint=_text(content["hint"]))


def _decoded_place(content: Mapping[str, Any] | None) -> QueuePlace | None:
    if content is None:
        return None
    left = content["seconds_left"]
    return QueuePlace(
        _count(content["ahead"]),
        _text(content["names"]),
        _text(content["owner"]),
        None if left is None else _seconds(left),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise TypeError("a field is no text, or too long")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise TypeError("a field is no count")
    return value


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e12:
        raise TypeError("a field is no span of time")
    return float(value)


def _whole_or_none(value: Any) -> int | None:
    if value is not None and not (type(value) is int and 0 <= value < 1 << 31):
        raise TypeError("a field is no count")
    return value


def _one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise ValueError("a field is none of what it may be")
    return value
