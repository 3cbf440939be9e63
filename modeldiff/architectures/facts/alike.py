"""What two architectures have in common, as one line says it: its parts that are the same in both.

Each part is one fact or a few that belong together, and is left out where one of them differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from modeldiff.architectures.architecture import Fact, FactPair
from modeldiff.architectures.facts.config_entries import (
    ENTRY,
    differing_entries,
    files_of_one_side,
)
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted
from modeldiff.text.magnitudes import short_count

Known = Mapping[str, Fact]
"""Facts by their keys."""


@dataclass(frozen=True)
class LinePart:
    """A part of the line: the facts that it ``needs``, and how these are ``said``."""

    needs: tuple[str, ...]
    said: Callable[[Known], str]


def own_facts(pairs: Sequence[FactPair]) -> tuple[FactPair, ...]:
    """The facts proper, without the configs' entries that no fact tells."""
    return tuple(pair for pair in pairs if not pair.key.startswith(ENTRY))


def alike_in_one_line(pairs: Sequence[FactPair]) -> str:
    """``Llama, 32 layers × 4,096, GQA 32/8, SwiGLU 14,336, RMSNorm …`` of what is the same in both;
    empty where nothing of it is."""
    return in_one_line({p.key: p.base for p in pairs if p.same and p.base is not None})


def in_one_line(facts: Known) -> str:
    """The same line of one model's ``facts``."""
    parts = (part.said(facts) for part in _PARTS if all(key in facts for key in part.needs))
    return ", ".join(part for part in parts if part)


def how_many_differ(pairs: Sequence[FactPair]) -> str:
    """``2 of 34 facts differ, 10 are known of one side only``; empty where all are the same."""
    different = sum(pair.differs for pair in pairs)
    unknown = sum(pair.one_sided for pair in pairs)
    parts = [f"{different} of {len(pairs)} facts differ"] if different else []
    if unknown and different:
        parts.append(f"{unknown} {'is' if unknown == 1 else 'are'} known of one side only")
    elif unknown:
        verb = "is" if unknown == 1 else "are"
        parts = [f"No fact differs, {unknown} of {len(pairs)} {verb} known of one side only"]
    return ", ".join(parts)


def what_differs(pairs: Sequence[FactPair]) -> str:
    """How many of the facts differ, and what of the configs beside them: ``3 of 34 facts differ,
    and 1 entry of the configs``; of a file that one side alone has, which side that is."""
    told = how_many_differ(own_facts(pairs))
    title = told or "All facts are the same"
    if entries := differing_entries(pairs):
        link = "and" if told else "but not"
        title += f", {link} {counted(entries, 'entry', 'entries')} of the configs"
    alone = files_of_one_side(pairs)
    files = [
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} known of {side} only"
        for side, names in alone.items()
    ]
    return "; ".join((title, *files))


def _text(key: str) -> Callable[[Known], str]:
    return lambda facts: facts[key].text.partition(": ")[0]


def _layers(facts: Known) -> str:
    noun = "layer" if facts["layers"].value == 1 else "layers"
    return f"{facts['layers'].text} {noun} × {facts['hidden_size'].text}"


def _attention(facts: Known) -> str:
    heads, kv_heads = facts["heads"].text, facts["kv_heads"].text
    kind = facts["attention"].text.partition(": ")[0]
    return f"{kind} {heads}" if heads == kv_heads else f"{kind} {heads}/{kv_heads}"


def _experts(facts: Known) -> str:
    return f"{facts['experts_per_token'].text} of {facts['experts'].text} experts a token"


def _parameters(facts: Known) -> str:
    value = facts["parameters"].value
    return f"{short_count(value)} parameters" if isinstance(value, int) else ""


_PARTS: tuple[LinePart, ...] = (
    LinePart(("family",), lambda facts: facts["family"].text.partition(",")[0]),
    LinePart(("layers", "hidden_size"), _layers),
    LinePart(("attention", "heads", "kv_heads"), _attention),
    LinePart(
        ("mlp", "intermediate_size"), lambda f: f"{f['mlp'].text} {f['intermediate_size'].text}"
    ),
    LinePart(("experts", "experts_per_token"), _experts),
    LinePart(("norm",), _text("norm")),
    LinePart(("rope_theta",), lambda facts: f"RoPE θ {facts['rope_theta'].text}"),
    LinePart(("vocabulary",), lambda facts: f"vocabulary {facts['vocabulary'].text}"),
    LinePart(("context",), lambda facts: f"context {facts['context'].text}"),
    LinePart(("stored_types",), _text("stored_types")),
    LinePart(("parameters",), _parameters),
)
