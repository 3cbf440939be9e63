"""Two configs, entry by entry: all that differ, also what a fact tells."""

from __future__ import annotations

from collections.abc import Iterator

from modeldiff.architectures.config.entries import ConfigEntries
from modeldiff.architectures.facts.config_entries import aligned_entries, fact_of_entry
from modeldiff.checkpoints.formats.config_json import CONFIG_NAME, GENERATION_CONFIG_NAME
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class EntryPair:
    """One entry of both configs, as JSON; a side that does not have it is None. ``fact`` is the key
    of the architecture's fact that it tells, if it tells one."""

    name: str
    base: str | None
    target: str | None
    fact: str | None = None

    @property
    def same(self) -> bool:
        """Whether both sides say the same."""
        return self.base == self.target


@dataclass(frozen=True)
class EntriesPair:
    """All entries of one ``file`` of both sides, in the order of base's. ``sides`` tells which of
    the two has such a file with anything in it."""

    file: str
    sides: tuple[bool, bool]
    entries: tuple[EntryPair, ...]

    @property
    def different(self) -> tuple[EntryPair, ...]:
        """The entries that differ."""
        return tuple(entry for entry in self.entries if not entry.same)


def pair_entries(base: ConfigEntries, target: ConfigEntries) -> tuple[EntriesPair, EntriesPair]:
    """``config.json`` and ``generation_config.json`` of both sides."""
    base, target = aligned_entries(base), aligned_entries(target)
    config, generation = (
        _pair(file, base, target) for file in (CONFIG_NAME, GENERATION_CONFIG_NAME)
    )
    return config, generation


def _pair(file: str, base: ConfigEntries, target: ConfigEntries) -> EntriesPair:
    start = f"{file}: "
    before, after = (
        {path.removeprefix(start): each for path, each in side.items() if path.startswith(start)}
        for side in (base, target)
    )
    return EntriesPair(file, (bool(before), bool(after)), tuple(_entries(file, before, after)))


def _entries(file: str, before: ConfigEntries, after: ConfigEntries) -> Iterator[EntryPair]:
    for name in dict.fromkeys((*before, *after)):
        yield EntryPair(name, before.get(name), after.get(name), fact_of_entry(f"{file}: {name}"))
