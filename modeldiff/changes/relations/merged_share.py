"""How many times an adapter's update was added to a matrix, told by a sample: once, twice, half of
it, or taken off.

``d = merged − plain`` is compared with the update ``u = whole − plain``. Both are known but for
the rounding of what was stored: errors are even within a step, with a twelfth of its square as
variance. So ``c = ⟨d, u⟩ / (‖u‖² − Σ step² / 12)`` is the share, not drawn towards zero by the
errors of u, and what is left of d beside c·u may be no more than rounding makes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

_LEAST = 64
"""Of fewer values a share may be chance."""
_UPDATE_OF_NOISE = 0.25
"""Rounding is at most this share of the update's square: of a smaller update no share is told."""
_EXPLAINED = 0.5
"""What is left is at most this share of the difference ..."""
_ROUNDINGS = 3.0
"""... and its square at most so many times that of one rounding on either side: a value may have
been rounded when an update was added, and again when it was stored."""
_NEARLY_ALL = 0.995
_ONCE = 0.01
"""A share so near 1 is 1, where the update as a whole leaves no more than rounding."""
_BITS_LOST = {"BF16": 16, "F16": 13, "F32": 0}
_LEAST_EXPONENT = {"BF16": -126, "F16": -14, "F32": -126}


class MergedShare(NamedTuple):
    """``share`` times the update was added; ``matched`` values are so within the steps of the
    stored types. ``rest_pct`` is what is left, as its norm in percent of what was measured."""

    share: float
    matched: int
    rest_pct: float


def merged_share(
    plain: _Floats, whole: _Floats, merged: _Floats, kinds: tuple[str, str]
) -> MergedShare | None:
    """What the sample shows; None where ``merged`` is not ``plain`` and a share of the update.

    ``plain``: values without the adapter, ``whole``: with it, in the type ``kinds[0]``;
    ``merged``: those that are asked of, in the type ``kinds[1]``.
    """
    if plain.size < _LEAST or not set(kinds) <= set(_BITS_LOST):
        return None
    if not all(np.isfinite(values).all() for values in (plain, whole, merged)):
        return None
    update, difference = whole - plain, merged - plain
    noise, square = _square(type_steps(whole, kinds[0])) / 12, _square(update)
    if not square or noise > _UPDATE_OF_NOISE * square:
        return None
    share = float((difference * update).sum() / (square - noise))
    # Of embeddings the update is rounded, too, before it is added.
    largest = np.maximum(np.abs(whole), np.abs(update))
    steps = type_steps(largest, kinds[0]), type_steps(merged, kinds[1])
    near_one = abs(share - 1) < _ONCE
    for each in (1.0, share) if near_one else (share,):
        rest = difference - each * update
        bound = abs(each) * steps[0] + steps[1]
        matched = int((np.abs(rest) <= bound).sum())
        rounding = (each**2 * _square(steps[0]) + _square(steps[1])) / 12
        left = _square(rest)
        if left > _EXPLAINED**2 * _square(difference) or left > _ROUNDINGS * rounding:
            continue
        if matched >= _NEARLY_ALL * rest.size:
            norm = np.sqrt(_square(merged))
            return MergedShare(each, matched, float(100 * np.sqrt(left) / norm) if norm else 0.0)
    return None


def type_steps(values: _Floats, kind: str) -> _Floats:
    """The distance between neighbouring values of a type at each of ``values``."""
    least = _LEAST_EXPONENT[kind]
    exponents = np.where(values == 0, least, np.frexp(values)[1] - 1)
    steps: _Floats = np.ldexp(1.0, np.maximum(exponents, least) - 23 + _BITS_LOST[kind])
    return steps


def _square(values: _Floats) -> float:
    flat = values.reshape(-1)
    return float(np.einsum("i,i->", flat, flat))
