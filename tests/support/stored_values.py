"""Hypothesis strategies for pairs of stored tensors, with all that can go wrong in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from tests.support.slow_statistics import TORCH_TYPES, Bytes, encode

SIZES = (0, 1, 2, 3, 4, 31, 511, 512, 513, 1000, 4095, 4096, 4097, 9000)
"""Around the sizes of a kernel's runs and blocks."""
SPECIAL = np.array(
    [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1e-45, -1e-45, 1.2e-38, 3e38, -3e38, 6e-8, 6e4]
)
CHANGES = ("equal", "noise", "tiny", "unrelated", "scaled", "sparse", "from_zero", "to_zero")


@dataclass(frozen=True)
class StoredPair:
    """Two tensors as stored."""

    types: tuple[str, str]
    base: Bytes
    target: Bytes

    def __repr__(self) -> str:
        return f"StoredPair({self.types}, {len(self.base)} bytes)"


@st.composite
def stored_pairs(
    draw: st.DrawFn, sizes: tuple[int, ...] = SIZES, dtypes: tuple[str, ...] = tuple(TORCH_TYPES)
) -> StoredPair:
    """Pairs of every type, scale and kind of change."""
    n = draw(st.sampled_from(sizes))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = 10.0 ** draw(st.sampled_from([0, 0, 0, -2, -20, -30, -37, -42, 10, 18, 25, 37]))
    base = random.standard_normal(n) * scale
    if draw(st.booleans()):
        base[:] = scale
    target = _changed(base, draw(st.sampled_from(CHANGES)), random)
    for values in (base, target):
        share = draw(st.sampled_from([0.0, 0.0, 0.01, 0.5]))
        places = random.random(n) < share
        values[places] = random.choice(SPECIAL, n)[places]
    types = draw(st.sampled_from(dtypes)), draw(st.sampled_from(dtypes))
    with np.errstate(all="ignore"):
        return StoredPair(types, encode(base, types[0]), encode(target, types[1]))


def _changed(
    base: npt.NDArray[np.float64], kind: str, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    n = len(base)
    if kind == "equal":
        return base.copy()
    if kind == "noise":
        return base * (1 + 0.1 * random.standard_normal(n))
    if kind == "tiny":
        return base * (1 + 1e-7 * random.standard_normal(n))
    if kind == "unrelated":
        signs: npt.NDArray[np.float64] = random.choice(np.array([-1.0, 1.0]), n)
        return random.permutation(base) * signs
    if kind == "scaled":
        return base * 1.5
    if kind == "sparse":
        return base + base * (random.random(n) < 0.03)
    if kind == "from_zero":
        target = base.copy()
        base[random.random(n) < 0.6] = 0
        return target
    return base * (random.random(n) < 0.5)
