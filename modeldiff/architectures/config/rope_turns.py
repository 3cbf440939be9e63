"""How many tokens one turn of each of RoPE's rotations takes, by a config's own numbers.

The rotations of a head are pairs of its dimensions; pair i turns by θ^(−2i/d) a token. How the
scalings change that is transformers' ``modeling_rope_utils``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from modeldiff.architectures.config.config_values import Settings
from modeldiff.architectures.config.rope_scaling import rope_table

_MOST_PAIRS = 4096
_Scale = Callable[[float, int, int, Settings, float], float | None]
"""Turns a token of a pair without scaling, its number, how many pairs there are, the scaling's
table, θ → turns a token with it (in radians)."""


def tokens_a_turn(settings: Settings, theta: float, dimensions: int) -> tuple[float, ...]:
    """The tokens that a whole turn of each rotation takes, fastest first.

    ``settings`` are the config's, ``dimensions`` how many of a head's dimensions are rotated.
    Empty where the scaling's kind or numbers are not known.
    """
    pairs = dimensions // 2
    if not 0 < pairs <= _MOST_PAIRS or theta <= 1:
        return ()
    table = rope_table(settings)
    rope = Settings(table.value if table else None)
    kind = rope.word("rope_type", "type")
    scale = _SCALES.get(kind.value if kind else "default")
    if scale is None:
        return ()
    turns = []
    for pair in range(pairs):
        scaled = scale(theta ** (-pair / pairs), pair, pairs, rope, theta)
        if scaled is None or scaled <= 0:
            return ()
        turns.append(2 * math.pi / scaled)
    return tuple(turns)


def _plain(turn: float, pair: int, pairs: int, rope: Settings, theta: float) -> float | None:
    return turn


def _linear(turn: float, pair: int, pairs: int, rope: Settings, theta: float) -> float | None:
    factor = rope.number("factor")
    return turn / factor.value if factor and factor.value > 0 else None


def _llama3(turn: float, pair: int, pairs: int, rope: Settings, theta: float) -> float | None:
    factor, low = rope.number("factor"), rope.number("low_freq_factor")
    high, start = rope.number("high_freq_factor"), rope.count("original_max_position_embeddings")
    if not (factor and low and high and start) or not 0 < low.value < high.value:
        return None
    tokens = 2 * math.pi / turn
    if tokens < start.value / high.value:
        return turn
    if tokens > start.value / low.value:
        return turn / factor.value
    share = (start.value / tokens - low.value) / (high.value - low.value)
    return (1 - share) * turn / factor.value + share * turn


def _yarn(turn: float, pair: int, pairs: int, rope: Settings, theta: float) -> float | None:
    factor, start = rope.number("factor"), rope.count("original_max_position_embeddings")
    if not (factor and start):
        return None
    fast, slow = rope.number("beta_fast"), rope.number("beta_slow")

    def pair_with(rotations: float) -> float:
        """The pair that turns so often in the first training's context."""
        return pairs * math.log(start.value / (rotations * 2 * math.pi)) / math.log(theta)

    first = max(math.floor(pair_with(fast.value if fast else 32.0)), 0)
    last = min(math.ceil(pair_with(slow.value if slow else 1.0)), 2 * pairs - 1)
    share = min(max((pair - first) / max(last - first, 0.001), 0.0), 1.0)
    return turn / factor.value * share + turn * (1 - share)


_SCALES: dict[str, _Scale] = {
    "default": _plain,
    "linear": _linear,
    "llama3": _llama3,
    "yarn": _yarn,
}
