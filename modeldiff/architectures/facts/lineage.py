"""A line of models as steps: what each changed from the one before it, the most telling first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from modeldiff.architectures.architecture import Architecture, Fact, FactPair
from modeldiff.architectures.facts.comparison import compare_facts
from modeldiff.architectures.facts.config_entries import ENTRY
from modeldiff.processes.late_dataclass import dataclass

# How it computes, then what it can take in, then how large it is. Facts that are not named here
# (counts by part, bytes, the family's name) follow from these or matter less.
_TELLING = (
    "attention",
    "position",
    "mlp",
    "activation",
    "experts",
    "expert_layers",
    "experts_per_token",
    "shared_expert",
    "norm",
    "norm_placement",
    "qk_norm",
    "sliding_window",
    "sliding_layers",
    "sinks",
    "attention_softcap",
    "logit_softcap",
    "rope_scaling",
    "context",
    "rope_theta",
    "vocabulary",
    "tied_head",
    "qkv_bias",
    "o_bias",
    "mlp_bias",
    "layers",
    "hidden_size",
    "intermediate_size",
    "expert_size",
    "heads",
    "kv_heads",
    "kv_latent",
    "head_dim",
    "parameters",
    "parameters_active",
)
_RANKS = {key: rank for rank, key in enumerate(_TELLING)}

_TOLD_BY = {
    "kv_heads": "attention",
    "kv_latent": "attention",
    "sliding_layers": "sliding_window",
    "rope_theta": "position",
    "rope_scaling": "position",
    "activation": "mlp",
}
"""Differences that another one tells, too."""

_PART_OF = {
    "expert_layers": "experts",
    "parameters_active": "experts",
    "experts_per_token": "experts",
    "shared_expert": "experts",
    "expert_size": "experts",
    "mlp_bias": "experts",
    "intermediate_size": "experts",
}
"""Differences that say little where one of the two models lacks the whole."""

_SIDES = re.compile(r"\bthe (base|target)\b", re.IGNORECASE)
_IN_A_LINE = {"base": "one before", "target": "new one"}


@dataclass(frozen=True)
class LineageStep:
    """A model of the line and what it changed from ``before`` (None: it is the first).

    ``start`` are the telling facts of a first one. ``telling`` are the differences that say how it
    is built otherwise, in the order of their weight; ``rest`` are all others, ``one_sided`` what is
    known of one of the two only. ``same`` counts the facts that stayed. The differences' meanings
    speak of "the one before" and "the new one".
    """

    architecture: Architecture
    before: Architecture | None
    start: tuple[Fact, ...]
    telling: tuple[FactPair, ...]
    rest: tuple[FactPair, ...]
    one_sided: tuple[FactPair, ...]
    same: int

    @property
    def pairs(self) -> tuple[FactPair, ...]:
        """All facts that are not known to be the same."""
        return (*self.telling, *self.rest, *self.one_sided)


def read_lineage(line: Sequence[Architecture | None]) -> tuple[LineageStep | None, ...]:
    """The steps of a line of architectures, in its order.

    One that could not be opened (None) has no step, and the next is compared with the last before
    it that could.
    """
    steps: list[LineageStep | None] = []
    before: Architecture | None = None
    for architecture in line:
        if architecture is None:
            steps.append(None)
            continue
        steps.append(_step(before, architecture))
        before = architecture
    return tuple(steps)


def _step(before: Architecture | None, architecture: Architecture) -> LineageStep:
    if before is None:
        known = [fact for fact in architecture.facts if fact.key in _RANKS and _says(fact)]
        start = tuple(sorted(known, key=lambda fact: _RANKS[fact.key]))
        return LineageStep(architecture, None, start, (), (), (), 0)
    pairs = [p for p in compare_facts(before, architecture) if not p.key.startswith(ENTRY)]
    different = [_in_a_line(pair) for pair in pairs if pair.differs]
    loud = telling(different)
    loud_keys = {pair.key for pair in loud}
    return LineageStep(
        architecture,
        before,
        (),
        loud,
        tuple(pair for pair in different if pair.key not in loud_keys),
        tuple(_in_a_line(pair) for pair in pairs if pair.one_sided),
        sum(pair.same for pair in pairs),
    )


def telling(pairs: Iterable[FactPair]) -> tuple[FactPair, ...]:
    """The news that say how a model is built otherwise, and not what follows from that."""
    return tuple(pair for pair in news(pairs) if pair.key in _RANKS)


def news(pairs: Iterable[FactPair]) -> tuple[FactPair, ...]:
    """The differences that do not just follow from another one, in the order of their weight."""
    different = {pair.key: pair for pair in pairs if pair.differs}
    own = [
        pair
        for key, pair in different.items()
        if _TOLD_BY.get(key) not in different
        and not _one_sided(different.get(_PART_OF.get(key, "")))
        and (_says(pair.base) or _says(pair.target))
    ]
    return tuple(sorted(own, key=lambda pair: _RANKS.get(pair.key, len(_RANKS))))


def _one_sided(pair: FactPair | None) -> bool:
    return pair is not None and (pair.base is None or pair.target is None)


def _says(fact: Fact | None) -> bool:
    """Whether a fact says that something is there: no bias beside nothing known is no news."""
    return fact is not None and fact.value not in (None, False, "none")


def _in_a_line(pair: FactPair) -> FactPair:
    """The same difference, said of neighbours in a line."""

    def neighbour(match: re.Match[str]) -> str:
        article = match[0][:4]
        return article + _IN_A_LINE[match[1].lower()]

    return replace(pair, meaning=_SIDES.sub(neighbour, pair.meaning))
