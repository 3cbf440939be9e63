"""How RoPE is stretched to a longer context: the config's table, said in short and spelled out.

The kinds and their keys are transformers' (``rope_scaling``, since version 5 ``rope_parameters``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modeldiff.architectures.config.config_values import MAX_COUNT, Setting, Settings

_STRETCHING = frozenset({"yarn", "linear", "dynamic"})
"""Kinds of scaling whose factor is that of the context."""


def rope_table(settings: Settings) -> Setting[Mapping[str, Any]] | None:
    """The table of RoPE's parameters, old spelling or new; for full attention where it has two."""
    table = settings.mapping("rope_parameters", "rope_scaling")
    if table is None:
        return None
    nested = table.value.get("full_attention")
    if isinstance(nested, Mapping):
        return Setting(nested, f"{table.source}.full_attention")
    return table


def stretched_context(settings: Settings, maximum: Setting[int] | None) -> Setting[int] | None:
    """How long a text may be by the scaling's own numbers: its factor times the context that it
    starts from. That is the one that the table names, or for linear and dynamic scaling the
    config's ``maximum``, which by transformers' documentation stays at the start. None for other
    kinds, whose factor says nothing on what the maximum counts, and where layers with a window have
    rotations of their own: the maximum then is of the whole model (Gemma 3)."""
    table = rope_table(settings)
    if table is None:
        return None
    rope = Settings(table.value)
    kind, factor = rope.word("rope_type", "type"), rope.number("factor")
    start = rope.count("original_max_position_embeddings")
    if kind is None or factor is None or kind.value not in _STRETCHING:
        return None
    if start is None and kind.value != "yarn" and not _turns_by_layer(settings):
        start = maximum
    if start is None:
        return None
    length = int(factor.value * start.value)
    source = f"{table.source}: factor {factor.value:g} × {start.value:,}"
    return Setting(length, source) if 0 < length <= MAX_COUNT else None


def _turns_by_layer(settings: Settings) -> bool:
    """Whether layers with a window have a θ or a table of their own."""
    table = settings.mapping("rope_parameters", "rope_scaling")
    nested = table is not None and any(isinstance(v, Mapping) for v in table.value.values())
    return nested or settings.number("rope_local_base_freq") is not None


def in_short(rope: Settings) -> str:
    """Kind, factor and the context that it starts from: ``llama3 ×8 from 8,192``; or ``none``."""
    kind = rope.word("rope_type", "type")
    if kind is None or kind.value == "default":
        return "none"
    factor = rope.number("factor")
    start = rope.count("original_max_position_embeddings")
    words = [kind.value]
    if factor is not None:
        words.append(f"×{factor.value:g}")
    if start is not None:
        words.append(f"from {start.value:,}")
    return " ".join(words)


def spelled_out(rope: Settings, start: int | None) -> str:
    """What the scaling does to the rotations; empty where the kind or its numbers are not known.

    ``start`` is the context of the first training where the table itself does not say it.
    """
    kind = rope.word("rope_type", "type")
    own = rope.count("original_max_position_embeddings")
    spell = _KINDS.get(kind.value) if kind else None
    return spell(rope, own.value if own else start) if spell else ""


def _linear(rope: Settings, start: int | None) -> str:
    factor = rope.number("factor")
    return f"every position divided by {factor.value:g}" if factor else ""


def _dynamic(rope: Settings, start: int | None) -> str:
    beyond = f"beyond {start:,} tokens" if start else "beyond the original context"
    return f"θ grows with the text's length {beyond}"


def _llama3(rope: Settings, start: int | None) -> str:
    factor = rope.number("factor")
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    if not (factor and low and high and start):
        return ""
    return (
        f"rotations slower than one turn in {start / low.value:,.0f} tokens are {factor.value:g} "
        f"times slower, those faster than one in {start / high.value:,.0f} stay, between them both "
        "are blended"
    )


def _yarn(rope: Settings, start: int | None) -> str:
    factor = rope.number("factor")
    fast, slow = rope.number("beta_fast"), rope.number("beta_slow")
    if factor is None:
        return ""
    within = f"in {start:,} tokens" if start else "in the first training's context"
    least = f"{slow.value:g} turns" if slow and slow.value != 1 else "one turn"
    words = (
        f"rotations of less than {least} {within} are "
        f"{factor.value:g} times slower, those of more than {fast.value if fast else 32:g} stay, "
        "between them both are blended"
    )
    scale = rope.number("attention_factor")
    return f"{words}; queries and keys scaled by {scale.value:g}" if scale else words


def _longrope(rope: Settings, start: int | None) -> str:
    short, long = _factors(rope, "short_factor"), _factors(rope, "long_factor")
    if not short or not long:
        return ""
    up_to = f"up to {start:,} tokens" if start else "in short texts"
    return (
        f"each of {len(long)} rotations has a factor of its own: {_range(short)} times slower "
        f"{up_to}, {_range(long)} beyond"
    )


def _factors(rope: Settings, key: str) -> tuple[float, ...]:
    numbers = rope.numbers(key)
    return numbers.value if numbers else ()


def _range(factors: tuple[float, ...]) -> str:
    low, high = min(factors), max(factors)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


_KINDS: dict[str, Callable[[Settings, int | None], str]] = {
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "yarn": _yarn,
    "longrope": _longrope,
    "su": _longrope,
}
