"""``adapter_config.json``: what PEFT says of an adapter, believed as far as it can be used."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from modeldiff.checkpoints.formats.adapters import ADAPTER_CONFIG, MERGE_IT, adapter_json
from modeldiff.checkpoints.source import Source
from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

_MOST_TOKENS, _MOST_NAMES = 1_000_000, 1_000
_OTHERS = {
    "alora_invocation_tokens": "activated LoRA",
    "use_qalora": "QALoRA",
    "use_bdlora": "block-diagonal LoRA",
    "monteclora_config": "MonteCLoRA",
    "arrow_config": "Arrow",
    "kasa_config": "KaSA",
    "layer_replication": "LoRA with replicated layers",
    "megatron_config": "LoRA of Megatron",
}
"""Variants that are no low-rank update of the base's weights alone."""
_CHANGE_THE_BASE = ("pissa", "olora", "corda", "mica", "loftq", "lora_ga")
"""Ways to begin that subtract from base's weights what the factors begin with."""
_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class AdapterConfig:
    """A LoRA's config.

    ``base`` and ``base_revision`` say of which model it is, empty where nothing does. ``alpha`` and
    ``rank`` are those of modules that ``alpha_pattern`` has no other for; ``root_scaled``: they are
    scaled by the rank's root (rslora). ``turned``: it was made for weights stored as [in, out].
    ``parameters`` are those that are updated directly, ``saved`` the modules that were trained
    whole, and ``tokens`` the rows that were, by the embedding's name (empty: whichever
    there is). ``raw`` are the file's bytes.
    """

    base: str
    base_revision: str
    rank: int
    alpha: float
    alpha_pattern: Mapping[str, float]
    root_scaled: bool
    turned: bool
    parameters: tuple[str, ...]
    saved: tuple[str, ...]
    tokens: Mapping[str, tuple[int, ...]]
    raw: bytes = field(repr=False)

    def scale(self, alpha: float | None, rank: int) -> float:
        """What the product of factors of this ``rank`` is multiplied by; ``alpha`` as a pattern
        says, None where none does."""
        alpha = self.alpha if alpha is None else alpha
        return alpha / math.sqrt(rank) if self.root_scaled else alpha / rank


def read_adapter_config(source: Source) -> AdapterConfig:
    """The config of the adapter in ``source``.

    Raises ``UnsupportedFormat`` for what is no LoRA, or one that is more than an update of its
    base's weights, ``DamagedCheckpoint`` where its numbers are none, and what reading raises.
    """
    where = source.where(ADAPTER_CONFIG)
    config, raw = adapter_json(source)
    _require_lora(config, source.where())
    alpha, rank = config.get("lora_alpha"), config.get("r")
    pattern = config.get("alpha_pattern") or {}
    numbers = pattern.values() if isinstance(pattern, Mapping) else [None]
    if type(rank) is not int or rank < 1 or not all(map(_is_number, (alpha, *numbers))):
        raise DamagedCheckpoint(
            f"{where} has no rank (r) or no lora_alpha that is a number, or alpha_pattern is no "
            "table of numbers.",
            hint="Copy it again, or save the adapter with PEFT anew.",
        )
    return AdapterConfig(
        base=_text(config.get("base_model_name_or_path")),
        base_revision=_text(config.get("revision")),
        rank=rank,
        alpha=float(alpha or 0),
        alpha_pattern={str(key): float(value) for key, value in pattern.items()},
        root_scaled=config.get("use_rslora") is True,
        turned=config.get("fan_in_fan_out") is True,
        parameters=_texts(config, "target_parameters", where),
        saved=_texts(config, "modules_to_save", where),
        tokens=_tokens(config.get("trainable_token_indices"), where),
        raw=raw,
    )


def _require_lora(config: Mapping[str, Any], where: str) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        named = quoted(kind, 40) if isinstance(kind, str) else "a kind that it does not name"
        raise UnsupportedFormat(
            f"{where} is an adapter of PEFT, but no LoRA: {named}. Of adapters, only LoRA and its "
            "variants are read.",
            hint=MERGE_IT,
        )
    if other := next((words for key, words in _OTHERS.items() if config.get(key)), ""):
        raise UnsupportedFormat(
            f"{where} is an adapter of a kind that is not read: {other}, which is more than an "
            "update of its base's weights.",
            hint=MERGE_IT,
        )
    begun = config.get("init_lora_weights")
    if isinstance(begun, str) and begun.lower().startswith(_CHANGE_THE_BASE):
        raise UnsupportedFormat(
            f"{where} was begun as {quoted(begun, 40)}, which takes from base's weights what the "
            "adapter begins with: it is no update of the base that is published.",
            hint="Save it with PEFT as an update of the original base "
            "(path_initial_model_for_weight_conversion), or merge it and give that folder.",
        )


def _is_number(value: object) -> bool:
    """Whether it is one that a float can hold; JSON's whole numbers have any length."""
    return isinstance(value, int | float) and type(value) is not bool and abs(value) <= _LARGEST


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(config: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = config.get(key)
    if value is not None and not (isinstance(value, list) and len(value) <= _MOST_NAMES):
        raise DamagedCheckpoint(
            f"{where}: {key} is no list of at most {_MOST_NAMES:,} names.",
            hint="Copy it again, or save the adapter with PEFT anew.",
        )
    return tuple(filter(None, map(_text, value or ())))


def _tokens(value: object, where: str) -> Mapping[str, tuple[int, ...]]:
    tables = value if isinstance(value, Mapping) else {} if value is None else {"": value}
    tokens = {str(name): _row_numbers(numbers) for name, numbers in tables.items()}
    if None in tokens.values() or len(tokens) > _MOST_NAMES:
        raise DamagedCheckpoint(
            f"{where}: trainable_token_indices are no lists of row numbers.",
            hint="Copy it again, or save the adapter with PEFT anew.",
        )
    return {name: numbers for name, numbers in tokens.items() if numbers is not None}


def _row_numbers(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > _MOST_TOKENS:
        return None
    numbers = tuple(n for n in value if type(n) is int and 0 <= n < 2**40)
    return numbers if len(numbers) == len(value) else None
