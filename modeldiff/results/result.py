"""What a finished diff is: its rows, where they came from, and the key that it is found by."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modeldiff.changes.change import Change
from modeldiff.checkpoints import Checkpoint

SCHEMA = 2
"""Version of the columns and of how they are computed. Raise it when either changes: results of
another version are measured again."""


@dataclass(frozen=True)
class ResultHeader:
    """Where a result came from.

    ``options`` are those that change the numbers. ``device`` is where it was measured (several,
    joined by ``", "``, if a diff was taken up again on another one or measured in shards),
    ``seconds`` how long that took (shards: all their times added), ``created`` when it was done:
    ISO 8601 in UTC.
    """

    base_reference: str
    base_fingerprint: str
    target_reference: str
    target_fingerprint: str
    options: Mapping[str, Any]
    version: str
    schema: int
    device: str
    seconds: float
    created: str

    @property
    def options_text(self) -> str:
        """The options for people: ``none``, or as JSON."""
        return json.dumps(dict(self.options), sort_keys=True) if self.options else "none"

    @property
    def key(self) -> str:
        """The key that a result with this header is kept under."""
        return _key(self.base_fingerprint, self.target_fingerprint, self.options, self.schema)


@dataclass(frozen=True)
class Result:
    """A finished diff. ``changes`` has one row a pair: base's tensors in file order, then those
    that only target has."""

    key: str
    header: ResultHeader
    changes: tuple[Change, ...]


def result_key(
    base: Checkpoint, target: Checkpoint, options: Mapping[str, Any] | None = None
) -> str:
    """What identifies a question: both contents, the options and the schema, as 64 hex digits.

    The device is no part of it: every device gives the same median, bit for bit.
    """
    return _key(base.fingerprint, target.fingerprint, options or {}, SCHEMA)


def is_key(text: str) -> bool:
    """Whether a text has the form of a key. Keys may come from links, and become names of files."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _key(base: str, target: str, options: Mapping[str, Any], schema: int) -> str:
    question = json.dumps([base, target, dict(options), schema], sort_keys=True)
    return hashlib.sha256(question.encode()).hexdigest()
