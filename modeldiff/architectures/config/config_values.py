"""Reading a config that nobody vouches for: every value may be missing, misspelt or absurd."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from modeldiff.architectures.families.family import Family
from modeldiff.processes.late_dataclass import dataclass

MAX_COUNT = 10**12
"""No dimension or count of a real model is larger: such a value is left out."""

TEXT_CONFIGS = (
    "thinker_config",
    "text_config",
    "llm_config",
    "language_config",
    "language_model_config",
    "decoder",
)
"""The tables in which configs of several towers speak of the one that writes, the outer first."""
_DEEPEST = 3
_PARTS = ("attn_config", "ffn_config")
"""Tables in which a config of one tower (MPT's, DBRX') speaks of a part of each layer."""

HEAD_KEYS = (
    "decoder_attention_heads",
    "num_decoder_attention_heads",
    "num_attention_heads",
    "n_head",
    "n_heads",
    "num_heads",
    "attention_heads",
)
WIDTH_KEYS = ("hidden_size", "n_embd", "d_model", "dim", "emb_dim", "embedding_dim")
EXPERT_KEYS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
"""What configs call the attention heads, the model's width and the experts of a layer."""

_T = TypeVar("_T")
U = TypeVar("U")


@dataclass(frozen=True)
class Setting(Generic[_T]):
    """A value and where it was found (``config: head_dim``, ``gpt2's default: …``)."""

    value: _T
    source: str

    @property
    def in_config(self) -> bool:
        """Whether the config itself says so, and not a family's habit or another value."""
        return self.source.startswith("config: ")


class Settings:
    """A config's values by the first of several spellings that has a sensible one.

    A multimodal config's text part is read before its root. What both leave out, the family's
    defaults may say; where there is no config at all, they say how such a model is built (yes or
    no), and nothing of its sizes.
    """

    def __init__(self, config: Mapping[str, Any] | None, family: Family | None = None) -> None:
        root: Mapping[str, Any] = config if isinstance(config, Mapping) else {}
        self.given = bool(root)
        """Whether there is a config that says anything."""
        tables = [*reversed(_nested(root)), root]
        parts = [table[key] for table in tables for key in _PARTS if key in table]
        defaults: Mapping[str, Any] = family.defaults if family else {}
        if not self.given:
            defaults = {key: value for key, value in defaults.items() if isinstance(value, bool)}
        self._layers: tuple[tuple[str, Mapping[str, Any]], ...] = (
            *(("config: ", table) for table in tables),
            *(("config: ", part) for part in parts if isinstance(part, Mapping)),
            (f"{family.name}'s default: " if family else "", defaults),
        )

    def count(self, *keys: str) -> Setting[int] | None:
        """A whole number from 1 to ``MAX_COUNT``."""
        return self._find(keys, _count)

    def number(self, *keys: str) -> Setting[float] | None:
        """A finite positive number."""
        return self._find(keys, _number)

    def flag(self, *keys: str) -> Setting[bool] | None:
        """True or false, nothing that merely looks like it."""
        return self._find(keys, lambda value: value if isinstance(value, bool) else None)

    def word(self, *keys: str) -> Setting[str] | None:
        """A short text."""
        return self._find(keys, lambda v: v if isinstance(v, str) and 0 < len(v) <= 100 else None)

    def words(self, *keys: str) -> Setting[tuple[str, ...]] | None:
        """A list of short texts."""
        return self._find(keys, _words)

    def numbers(self, *keys: str) -> Setting[tuple[float, ...]] | None:
        """A list of finite positive numbers."""
        return self._find(keys, _numbers)

    def mapping(self, *keys: str) -> Setting[Mapping[str, Any]] | None:
        """A nested table."""
        return self._find(keys, lambda value: value if isinstance(value, Mapping) else None)

    def _find(self, keys: Iterable[str], accept: Callable[[Any], U | None]) -> Setting[U] | None:
        wanted = tuple(keys)
        for origin, layer in self._layers:
            for key in wanted:
                value = accept(layer.get(key))
                if value is not None:
                    return Setting(value, origin + key)
        return None


def _nested(root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tables within each other that speak of the tower that writes, the outer first."""
    tables: list[Mapping[str, Any]] = []
    table = root
    for _ in range(_DEEPEST):
        inner = (table[key] for key in TEXT_CONFIGS if isinstance(table.get(key), Mapping))
        table = next(inner, {})
        if not table:
            break
        tables.append(table)
    return tables


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared before it is converted: a JSON integer can be too large for a float.
    return float(value) if 0 < value <= MAX_COUNT and math.isfinite(value) else None


def _count(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number.is_integer() else None


def _words(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple) or not value or len(value) > 10_000:
        return None
    return tuple(value) if all(isinstance(v, str) and len(v) <= 100 for v in value) else None


def _numbers(value: object) -> tuple[float, ...] | None:
    if not isinstance(value, list | tuple) or not value or len(value) > 10_000:
        return None
    numbers = [_number(v) for v in value]
    return tuple(n for n in numbers if n is not None) if None not in numbers else None
