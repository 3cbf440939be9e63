"""A comparison: base and target, and what follows from their headers and configs alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from modeldiff.architectures import FactPair
from modeldiff.changes import ChangeTable, Pair, pair
from modeldiff.changes.layer_chains import BY_POSITION, Alignment, LayerMatching
from modeldiff.changes.shared_rows import compare_shared_rows, shared_rows_id
from modeldiff.checkpoints import Checkpoint, Reference, only_a_config
from modeldiff.checkpoints.names import names_apart
from modeldiff.model import Model
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.once import computed_once

if TYPE_CHECKING:
    from modeldiff.companions import Companions, Glance

SCHEMA = 4
"""Version of the columns and of how they are computed. Raise it when either changes: results of
another version are measured again."""


@dataclass(frozen=True)
class Comparison:
    """Two models, one seen from the other: ``base`` is what change is measured from, ``target``
    what it became. What is derived of them is computed once.

    ``layers`` is how layers become partners: ``auto`` by content, where their numbers do not
    plainly say it; that needs values, so the ``alignment`` that is found by measuring makes another
    comparison, see ``aligned``. ``position`` always by number.
    """

    base: Model
    target: Model
    layers: LayerMatching = field(default="auto", kw_only=True)
    alignment: Alignment = field(default=BY_POSITION, kw_only=True)

    @classmethod
    def open(
        cls, base: str | Reference, target: str | Reference, *, layers: LayerMatching = "auto"
    ) -> Comparison:
        """Open what ``base`` and ``target`` name; ``layers`` is how their layers become partners.
        Raises as ``Model.open``."""
        return cls(Model.open(base), Model.open(target), layers=layers)

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

    @computed_once
    def pairs(self) -> tuple[Pair, ...]:
        """Every tensor of both sides in one row, before anything is measured."""
        pairs = pair(self.base.architecture, self.target.architecture, self.alignment)
        return compare_shared_rows(pairs, *self.checkpoints)

    @computed_once
    def unmeasured(self) -> ChangeTable:
        """The change table of ``pairs``."""
        return ChangeTable.of_pairs(self.pairs)

    @computed_once
    def facts(self) -> tuple[FactPair, ...]:
        """Both architectures' facts, side by side."""
        # Late: a diff asks for no facts.
        from modeldiff.architectures import compare_facts

        return compare_facts(self.base.architecture, self.target.architecture)

    @computed_once
    def companions(self) -> Companions:
        """What lies beside both sides' weights, compared. Read when it is first asked for."""
        from modeldiff.companions import compare_companions  # late: a diff needs none of it

        return compare_companions(*self.checkpoints)

    @property
    def tokens_held(self) -> int:
        """How many tokens of tokenizers it holds: none before its companions were asked for."""
        companions: Companions | None = vars(self).get("companions")
        return 0 if companions is None else companions.tokenizer.tokens_held

    @computed_once
    def differing_companions(self) -> Glance:
        """Which of the companions differ, and which one side alone has, by name: a part of
        ``companions``, and quick to read."""
        from modeldiff.companions import differing_at_a_glance  # late, as above

        return differing_at_a_glance(*self.checkpoints)

    @property
    def references(self) -> tuple[str, str]:
        """Both references in their canonical spelling."""
        return self.base.reference, self.target.reference

    @property
    def names(self) -> tuple[str, str]:
        """What both models are called; where that would be the same, what tells them apart."""
        apart = names_apart(*(side.checkpoint.reference for side in (self.base, self.target)))
        return self.base.label or apart[0], self.target.label or apart[1]

    @property
    def names_text(self) -> str:
        """The pair by its names, base first: ``Llama 3 8B → Llama 3.1 8B``."""
        return " → ".join(self.names)

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
        """What identifies the question, and so its result: 64 hex digits, by both contents and the
        options."""
        base, target = self.checkpoints
        return comparison_key(base.fingerprint, target.fingerprint, self.options)

    @computed_once
    def options(self) -> Mapping[str, Any]:
        """What changes the numbers beside the contents: what was asked for otherwise than by
        default, and where vocabularies differ in size which rows are partners. The tokenizers that
        say so are no part of a fingerprint."""
        options: dict[str, Any] = {} if self.layers == "auto" else {"layers": self.layers}
        shared = [each for each in self.pairs if each.shared is not None]
        if shared:
            options["rows"] = shared_rows_id(shared)
        return options

    @computed_once
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
        return self if unchanged else Comparison(base, target, layers=self.layers)

    def aligned(self, alignment: Alignment) -> Comparison:
        """The same question with layers that meet as ``alignment`` says."""
        return self if alignment == self.alignment else replace(self, alignment=alignment)

    def aligned_as(self, changes: ChangeTable) -> Comparison:
        """The same question with layers that meet as in ``changes``, the rows of its result."""
        return self.aligned(replace(self.alignment, chains=changes.alignment.chains))


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
