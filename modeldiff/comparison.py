"""A comparison: base and target, and what follows from their headers and configs alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from modeldiff.architectures import FactPair, compare_facts
from modeldiff.changes import ChangeTable, Pair, pair
from modeldiff.checkpoints import Checkpoint, Reference, only_a_config
from modeldiff.model import Model

SCHEMA = 2
"""Version of the columns and of how they are computed. Raise it when either changes: results of
another version are measured again."""


@dataclass(frozen=True)
class Comparison:
    """Two models, one seen from the other: ``base`` is what change is measured from, ``target``
    what it became. What is derived of them is computed once."""

    base: Model
    target: Model

    @classmethod
    def open(cls, base: str | Reference, target: str | Reference) -> Comparison:
        """Open what ``base`` and ``target`` name. Raises what ``Model.open`` raises."""
        return cls(Model.open(base), Model.open(target))

    @classmethod
    def of(cls, base: Checkpoint, target: Checkpoint) -> Comparison:
        """The comparison of two checkpoints, ``base`` and ``target``, that are open already."""
        return cls(Model.of(base), Model.of(target))

    def __repr__(self) -> str:
        return f"<Comparison {self.base.text} → {self.target.text}>"

    def _repr_html_(self) -> str:
        """For a notebook: what differs, and the diff where a result is kept."""
        from modeldiff.drawings.output.notebook import comparison_html

        return comparison_html(self)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every tensor of both sides in one row, before anything is measured."""
        return pair(self.base.architecture, self.target.architecture)

    @cached_property
    def unmeasured(self) -> ChangeTable:
        """The change table of ``pairs``."""
        return ChangeTable.of_pairs(self.pairs)

    @cached_property
    def facts(self) -> tuple[FactPair, ...]:
        """Both architectures' facts, side by side."""
        return compare_facts(self.base.architecture, self.target.architecture)

    @property
    def references(self) -> tuple[str, str]:
        """Both references in their canonical spelling."""
        return self.base.reference, self.target.reference

    @property
    def checkpoints(self) -> tuple[Checkpoint, Checkpoint]:
        """Both checkpoints."""
        return self.base.checkpoint, self.target.checkpoint

    @property
    def has_weights(self) -> bool:
        """Whether there is something to measure on both sides."""
        return self.base.has_weights and self.target.has_weights

    def require_weights(self) -> None:
        """Raises ``NoWeights`` where a side is a config alone: there is nothing to measure."""
        for side in (self.base, self.target):
            if not side.has_weights:
                raise only_a_config(side.checkpoint.reference)

    @property
    def same_content(self) -> bool:
        """Whether both references hold the same files, as far as can be told unread."""
        return self.base.checkpoint.fingerprint == self.target.checkpoint.fingerprint

    @property
    def key(self) -> str:
        """What identifies the question, and so its result: 64 hex digits, by both contents."""
        return comparison_key(self.base.checkpoint.fingerprint, self.target.checkpoint.fingerprint)

    @cached_property
    def nbytes(self) -> int:
        """Bytes to read of both sides to measure all pairs."""
        return sum(each.nbytes for each in self.pairs)

    @property
    def bytes_away(self) -> int:
        """Bytes of both sides' files that have to be downloaded before they can be read."""
        return self.base.bytes_away + self.target.bytes_away

    def reopened(self) -> Comparison:
        """The comparison of the files as they are now: itself, unless one of them changed."""
        base, target = self.base.reopened(), self.target.reopened()
        unchanged = base is self.base and target is self.target
        return self if unchanged else replace(self, base=base, target=target)


def comparison_key(
    base_fingerprint: str,
    target_fingerprint: str,
    options: Mapping[str, Any] | None = None,
    schema: int = SCHEMA,
) -> str:
    """What identifies a question: both contents, the options and the schema, as 64 hex digits.

    The device is no part of it: every device gives the same median, bit for bit.
    """
    question = json.dumps(
        [base_fingerprint, target_fingerprint, dict(options or {}), schema], sort_keys=True
    )
    return hashlib.sha256(question.encode()).hexdigest()
