"""The log as lines of JSON: one object a line, whatever a message holds."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from types import TracebackType
from typing import Any

from modeldiff.observability.redaction import without_credentials_or_paths
from modeldiff.observability.request import current_request
from modeldiff.settings.table import LOG, ROOTS

_MOST_CHARACTERS = 4_000
"""Of a text in a line."""
_MOST_FRAMES = 30


def begin_logging() -> None:
    """Write what is logged from now on as lines of JSON to the standard error, if the settings say
    so; also what the libraries log that have a handler of their own by now."""
    if LOG.value() != "json":
        return
    formatter = JsonLines()
    own = logging.getLogger("modeldiff")
    own.setLevel(logging.INFO)
    own.propagate = False
    own.handlers = [logging.StreamHandler(sys.stderr)]
    root = logging.getLogger()
    root.handlers = root.handlers or [logging.StreamHandler(sys.stderr)]
    known = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    for logger in (root, *known):
        for handler in logger.handlers:
            handler.setFormatter(formatter)


class JsonLines(logging.Formatter):
    """A record as one line: ``time`` (UTC), ``level``, ``logger``, ``message``, the ``request``
    (and the proxy's ``connection``) that it belongs to, and the record's own ``fields``. Tokens and
    paths outside the roots are taken out of every text."""

    def format(self, record: logging.LogRecord) -> str:
        """``record`` as a line without its end."""
        request = current_request()
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({"request": request.id} if request.id else {}),
            **({"connection": request.connection} if request.connection else {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _exception(record.exc_info[1], record.exc_info[2])
        return json.dumps(_clean(line), ensure_ascii=True, default=str)


def _exception(error: BaseException, trace: TracebackType | None) -> dict[str, Any]:
    """What was raised and where, by modules and lines: files would say where this is installed."""
    frames = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(trace)
    ]
    return {"type": type(error).__name__, "text": str(error), "frames": frames[-_MOST_FRAMES:]}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return without_credentials_or_paths(value[:_MOST_CHARACTERS], ROOTS.value())
    if isinstance(value, dict):
        return {name: _clean(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value
