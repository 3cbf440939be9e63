"""From the likeness of layers to a chain of them, or the words why none is plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modeldiff.architectures.place import LayerNumbers
from modeldiff.changes.layer_chains import Chain

KEPT = 0.5
"""Layers whose samples have at least this cosine are the same one, trained on: at a relative change
of 100 % it is 0.7."""
STRANGE = 0.25
"""Up to this cosine they have nothing to do with each other: a few thousand elements of strangers
have one of some hundredths."""

_UNLIKE = 1e-3
"""What a cosine of 0 costs, in steps that do not follow: it decides among equals only."""

Cosines = npt.NDArray[np.float64]


class _Path(NamedTuple):
    cost: float
    origins: list[int | None]


class NotPlain(Exception):
    """No chain follows from these cosines; the message says why."""


def find_chain(
    base: Sequence[int], target: Sequence[int], cosines: Cosines, within_base: Cosines
) -> Chain:
    """The chain of the layers numbered ``base`` and ``target``, each ascending.

    ``cosines`` is [base, target], ``within_base`` [base, base]; NaN where two cannot be compared.
    Of base's layers that are copies of each other the one is taken that goes on from the layer
    before. Layers of both sides that nothing is like, as many in the same gap, meet in their order:
    they were made anew.

    Raises ``NotPlain``.
    """
    likeness = np.nan_to_num(cosines, nan=0.0)
    copies = np.nan_to_num(within_base, nan=0.0) >= KEPT
    candidates = [_candidates(likeness[:, at], copies, number) for at, number in enumerate(target)]
    if not any(candidates):
        raise NotPlain("no layer of target is plainly one of base's")
    origins = _fill_gaps(_smoothest(candidates, likeness), len(base))
    return _in_one_order(base, target, origins)


def is_by_position(chain: Chain) -> bool:
    """Whether number against number gives the same pairs."""
    base = {one.base for one in chain}
    target = {one.target for one in chain}
    return all(
        one.base == one.target
        if None not in one
        else (one.base is None and one.target not in base)
        or (one.target is None and one.base not in target)
        for one in chain
    )


def _candidates(
    column: npt.NDArray[np.float64], copies: npt.NDArray[np.bool_], number: int
) -> list[int]:
    """Base's layers, by their position, that a layer of target may be."""
    near = np.flatnonzero(column >= KEPT)
    if not near.size:
        if column.size and column.max() > STRANGE:
            raise NotPlain(
                f"target's layer {number} is somewhat like one of base's (cosine "
                f"{column.max():.2f})"
            )
        return []
    best = int(near[column[near].argmax()])
    rivals = [at for at in np.flatnonzero(column > STRANGE) if at != best and not copies[at, best]]
    if rivals:
        raise NotPlain(f"target's layer {number} is like several of base's")
    return [int(at) for at in near]


def _smoothest(
    candidates: Sequence[list[int]], likeness: npt.NDArray[np.float64]
) -> list[int | None]:
    """One candidate a layer, so that as few as can be do not follow the one before; among equals
    the likest (Viterbi)."""
    best: dict[int | None, _Path] = {-1: _Path(0.0, [])}
    for at, options in enumerate(candidates):
        nexts: dict[int | None, _Path] = {}
        for option in _or_none(options):
            paths = [
                _Path(path.cost + _step(last, option), path.origins) for last, path in best.items()
            ]
            cost, origins = min(paths, key=lambda path: path.cost)
            if option is not None:
                cost += _UNLIKE * (1.0 - float(likeness[option, at]))
            nexts[option] = _Path(cost, [*origins, option])
        best = nexts
    return min(best.values(), key=lambda path: path.cost).origins


def _or_none(options: Sequence[int]) -> Sequence[int | None]:
    return options or [None]


def _step(last: int | None, option: int | None) -> float:
    """What it costs that a layer does not follow the one before."""
    return float(last is not None and option is not None and option != last + 1)


def _fill_gaps(origins: list[int | None], layers: int) -> list[int | None]:
    """Where as many layers of target are like nothing as of base are missing there, they are
    partners by their order."""
    filled = list(origins)
    at = 0
    while at < len(origins):
        if origins[at] is not None:
            at += 1
            continue
        end = next((n for n in range(at, len(origins)) if origins[n] is not None), len(origins))
        before = -1 if at == 0 else origins[at - 1]
        after = layers if end == len(origins) else origins[end]
        assert before is not None and after is not None
        gap = range(before + 1, after)
        if len(gap) == end - at and not set(gap) & set(origins):
            filled[at:end] = gap
        at = end
    return filled


def _in_one_order(
    base: Sequence[int], target: Sequence[int], origins: Sequence[int | None]
) -> Chain:
    chain = [
        LayerNumbers(None if origin is None else base[origin], number)
        for number, origin in zip(target, origins, strict=True)
    ]
    used = {one.base for one in chain}
    for number in base:
        if number in used:
            continue
        before = max(
            (one.base for one in chain if one.base is not None and one.base < number), default=None
        )
        places = [at for at, one in enumerate(chain) if one.base == before and before is not None]
        chain.insert(places[-1] + 1 if places else 0, LayerNumbers(number, None))
    return tuple(chain)
