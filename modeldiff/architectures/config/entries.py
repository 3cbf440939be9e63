"""A config's entries one by one, however deep they lie: what facts do not tell is compared so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

ConfigEntries = Mapping[str, str]
"""Where an entry lies (``config.json: rope_parameters.beta_fast``) → its value as JSON."""

MOST_ENTRIES = 5_000
"""Entries that are kept of one file: the longest published configs have some hundreds."""
_LONGEST = 10_000
"""Letters of a value that are kept; a list of a word for each layer has 2,000. A longer one is
told by its digest."""
_DEEPEST = 8


def read_entries(config: Mapping[str, Any] | None, file: str) -> dict[str, str]:
    """All entries of a parsed JSON file but the empty ones: null says what a missing entry says.

    A list is one entry. What lies deeper than a config does, or beyond ``MOST_ENTRIES``, is left
    out.
    """
    entries: dict[str, str] = {}
    for path, value in _leaves(config or {}, (), 0):
        if len(entries) == MOST_ENTRIES:
            break
        entries[f"{file}: {'.'.join(path)}"] = value
    return entries


def _leaves(
    table: Mapping[str, Any], above: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in table.items():
        path = (*above, str(key)[:100])
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                yield from _leaves(value, path, depth + 1)
        elif value is not None:
            yield path, _short(json.dumps(value, ensure_ascii=False))


def _short(value: str) -> str:
    if len(value) <= _LONGEST:
        return value
    return f"{value[:_LONGEST]}… {sha256(value.encode(errors='surrogatepass')).hexdigest()}"
