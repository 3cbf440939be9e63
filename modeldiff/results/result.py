"""What a finished diff is: its rows, where they came from, and the key that it is found by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from modeldiff.changes import ChangeTable
from modeldiff.checkpoints import parse_reference
from modeldiff.checkpoints.names import model_name
from modeldiff.comparison import comparison_key
from modeldiff.errors import InvalidReference
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class ResultHeader:
    """Where a result came from.

    ``options`` are those that change the numbers. ``device`` is where it was measured (several,
    joined by ``", "``, if a diff was taken up again on another one or measured in shards),
    ``seconds`` how long that took (shards: all their times added), ``created`` when it was done:
    ISO 8601 in UTC. ``base_unread`` and ``target_unread`` are as ``Checkpoint.unread`` has them.
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
    base_unread: tuple[str, ...] = ()
    target_unread: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        """What people call base and target, by their references; a reference that means nothing
        here by its last part."""
        return _name(self.base_reference), _name(self.target_reference)

    @property
    def unread(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What lies with base's and with target's weights and was not read."""
        return self.base_unread, self.target_unread

    @property
    def options_text(self) -> str:
        """The options for people: ``none``, or as JSON."""
        return json.dumps(dict(self.options), sort_keys=True) if self.options else "none"

    @property
    def key(self) -> str:
        """The key that a result with this header is kept under."""
        return comparison_key(
            self.base_fingerprint, self.target_fingerprint, self.options, self.schema
        )


@dataclass(frozen=True)
class Result:
    """A finished diff, with one row a pair."""

    key: str
    header: ResultHeader
    changes: ChangeTable


def _name(reference: str) -> str:
    try:
        return model_name(parse_reference(reference))
    except InvalidReference:
        return reference.rstrip("/").rpartition("/")[2] or reference


def is_key(text: str) -> bool:
    """Whether a text has the form of a key. Keys may come from links, and become names of files."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None
