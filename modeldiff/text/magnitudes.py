"""Quantities and spellings as people read them."""

from __future__ import annotations

from collections.abc import Mapping

ACTIVATIONS = {
    "silu": "SiLU",
    "swish": "SiLU",
    "relu": "ReLU",
    "relu2": "ReLU²",
    "gelu": "GELU",
    "gelu_new": "GELU (tanh)",
    "gelu_fast": "GELU (tanh)",
    "gelu_pytorch_tanh": "GELU (tanh)",
}
"""Names of activations as people write them, by their spelling in configs."""


_PARTS: Mapping[float, str] = {2: "half", 3: "a third", 4: "a quarter", 8: "an eighth"}


def short_count(count: int) -> str:
    """A large count for reading: 8,030,261,248 → ``8.03 B``, 124,439,808 → ``124 M``."""
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        # What rounds to a thousand of the smaller unit is one of the larger.
        if count >= 0.9995 * size:
            return f"{count / size:.3g} {letter}" if count < 1000 * size else f"{count:,}"
    return str(count)


def activation_name(spelling: str) -> str:
    """An activation as people write it; one that we do not know keeps its config's spelling."""
    return ACTIVATIONS.get(spelling.lower(), spelling)


def times(base: float, target: float, words: str = "large larger smaller") -> str:
    """How a positive quantity changed; ``words`` are its adjective, more of it and less of it.

    >>> times(8192, 131072, "long longer shorter"), times(32000, 32768), times(4, 1)
    ('16 times as long', '2.4 % larger', 'a quarter as large')
    >>> times(32, 64, "many more fewer"), times(32, 16, "many more fewer")
    ('twice as many', 'half as many')
    >>> times(32, 15, "many more fewer"), times(1000, 3, "many more fewer")
    ('53 % fewer', '1/333 as many')
    """
    plain, more, less = words.split()
    ratio = target / base
    if ratio >= 2:
        return f"{'twice' if ratio == 2 else f'{ratio_text(ratio)} times'} as {plain}"
    if ratio <= 0.1 or 1 / ratio in _PARTS:
        return f"{_PARTS.get(1 / ratio, f'1/{1 / ratio:,.0f}')} as {plain}"
    return f"{100 * abs(ratio - 1):.2g} % {more if ratio > 1 else less}"


def ratio_text(ratio: float) -> str:
    """A ratio in three digits: ``3.5``, ``1,024``."""
    return f"{ratio:.3g}" if ratio < 1000 else f"{ratio:,.0f}"
