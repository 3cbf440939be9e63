"""Configs that nobody should build: sizes that would take minutes or gigabytes, or make no sense.

Looked at before any library is imported, so that a bad config is refused at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from modeldiff.errors import DamagedCheckpoint
from modeldiff.text.quoting import quoted

MAX_LAYERS = 1_000
"""Layers of all stacks together; the deepest published models have a hundred or two."""

MAX_EXPERTS = 40_000
"""Layers times experts; DeepSeek-V3 has 16,000."""

MAX_SIZE = 1 << 31
MAX_LABELS = 100_000
MAX_LISTED = 10_000
_MAX_DEPTH = 8

_LAYERS = re.compile(
    r"(num_)?(hidden_|encoder_|decoder_|global_)?(layers?|blocks)|n_layers?|depths?", re.ASCII
)
_EXPERTS = frozenset({"num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"})
_SIZES = frozenset(
    {
        "hidden_size",
        "n_embd",
        "d_model",
        "vocab_size",
        "num_attention_heads",
        "n_head",
        "n_heads",
        "num_heads",
        "num_key_value_heads",
        "num_kv_heads",
        "head_dim",
    }
)
"""Sizes that are whole numbers from 1 (or lists of them) wherever they are not null."""


def refuse_absurd(config: Mapping[str, Any]) -> None:
    """Raise ``DamagedCheckpoint`` for a config that is not to be built; see this module."""
    layers, experts = 0, 1
    for key, value in _values(config):
        counts = _LAYERS.fullmatch(key) is not None
        if counts or key in _SIZES:
            _require_whole(key, value, least=0 if counts else 1)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        number = _finite(key, value)
        if abs(number) > MAX_SIZE:
            _absurd(f"{quoted(key)} is {number:g}")
        if counts:
            layers += int(number)
        elif key in _EXPERTS:
            experts = max(experts, int(number))
        elif key == "num_labels" and number > MAX_LABELS:
            _absurd(f"{int(number):,} labels are more than the {MAX_LABELS:,} that are built")
    if layers > MAX_LAYERS:
        _absurd(f"{layers:,} layers are more than the {MAX_LAYERS:,} that are built")
    if layers * experts > MAX_EXPERTS:
        _absurd(f"{layers:,} layers of {experts:,} experts are too many to build")


def _values(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every scalar of a config with the key at which it, or the list around it, stands."""
    if depth > _MAX_DEPTH:
        _absurd("it is nested too deeply")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _values(inner, str(name), depth + 1)
    elif isinstance(value, list):
        if len(value) > MAX_LISTED:
            _absurd(f"{quoted(key)} lists {len(value):,} things")
        for inner in value:
            yield from _values(inner, key, depth + 1)
    else:
        yield key, value


def _require_whole(key: str, value: object, *, least: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        _absurd(f"{quoted(key)} is {quoted(str(value))}, not a whole number")
    if value < least:
        _absurd(f"{quoted(key)} is {quoted(str(value))}, which is less than {least}")


def _finite(key: str, value: int | float) -> float:
    try:
        number = float(value)
    except OverflowError:
        # Such a number is not written out: that alone could take long.
        _absurd(f"{quoted(key)} is larger than any number of a model")
    if not math.isfinite(number):
        _absurd(f"{quoted(key)} is {number:g}")
    return number


def _absurd(what: str) -> NoReturn:
    raise DamagedCheckpoint(
        f"This config is not built: {what}.",
        hint="Check its numbers against the config that the model was published with.",
    )
