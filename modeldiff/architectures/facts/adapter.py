"""The facts about an adapter on a base."""

from __future__ import annotations

from collections.abc import Iterator

from modeldiff.architectures.architecture import Fact
from modeldiff.checkpoints.adapters.adapter import Adapter
from modeldiff.checkpoints.formats.adapters import ADAPTER_CONFIG
from modeldiff.checkpoints.names import model_name
from modeldiff.text.quoting import listed

_MOST_TARGETS = 8


def adapter_facts_of(adapter: Adapter | None) -> Iterator[Fact]:
    """Of which kind and rank it is, what it updates, and whose weights; none without one."""
    if adapter is None:
        return
    yield Fact("adapter", "Adapter", adapter.words, adapter.words, ADAPTER_CONFIG)
    base = model_name(adapter.base)
    yield Fact("adapter_base", "Adapter on", base, base, ADAPTER_CONFIG)
    if adapter.targets:
        names = listed(adapter.targets, limit=_MOST_TARGETS).replace("'", "")
        count = f"{adapter.updated:,} {'tensor' if adapter.updated == 1 else 'tensors'}"
        text = f"{names} ({count})"
        yield Fact("adapter_targets", "Adapter updates", names, text, "adapter's tensors")
