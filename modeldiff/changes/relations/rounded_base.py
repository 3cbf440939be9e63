"""Whether a merged matrix is an adapter on weights that had been rounded to a coarse grid first.

Taking the update off leaves those weights, but for the rounding of what was stored. Rounded to a
float of 8 bits, each differs from its original by no more than half a step of its own octave;
rounded to 4 bits or fewer, a run of neighbours has a few values alone; rounded to 5 bits, as Q5_0
and Q5_1 do, the values of a block stand a whole number of steps apart. Rounded to integers of 8
bits they do, too, and as base is known, so is the step: a part of the largest magnitude of a block
(Q8_0) or of a row (LLM.int8, torchao's and compressed-tensors' integers).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_Runs = npt.NDArray[np.float64]

_STORED = 2.0**-8
"""The largest error of rounding to bf16, in shares of a value; finer types have smaller ones."""
_LEAST_FAR, _MOST_FAR = 0.005, 0.35
"""Relative Frobenius changes that quantisation to 8 to 3 bits makes of most weights."""
_EVEN = 0.1
"""A run is moved by at least this share of how far all are ..."""
_MOVED = 0.5
"""... in so many of them: rounding leaves few out, and what changed some rows is none."""
_FLOATS = (1 / 17, 1 / 9)
"""How far rounding to E4M3 and to E5M2 moves a value at most, in shares of the value."""
_SMALL = 0.02
"""Below this share of a run's largest value floats of 8 bits have no finer steps."""
_NEARLY_ALL = 0.995
_TYPICAL = 0.38
"""Rounding to such a float moves weights by at least this share of the largest error."""
_NO_FACTOR = 0.6
"""Errors of rounding go with no value's size: of a run times a factor, ⟨δ, a⟩ is more than so many
times ‖δ‖² over the step."""
_OF_NOISE = 0.95
"""Noise of the same size keeps within such errors in fewer values than this share."""
_RUN = 32
_MOST_LEVELS = 16
_FEW = 0.9
"""So many of the runs have few values."""


_STEPS_FROM_ZERO, _STEPS_ACROSS = 16, 31
"""Steps of 5 bits: from 0 to the value that is farthest from it, and from the least to the largest.
"""
_STEPS_OF_8_BITS = (127.0, 127.5)
"""So many steps of 8 bits are from 0 to the largest magnitude, as bitsandbytes and others count
them, and as torchao and compressed-tensors do."""
_LEAST_IN_A_ROW = 64
_FINE_ENOUGH = 0.3
"""Places within a step are told where values are known to this share of it."""
_TOLD = 0.5
"""So many values have to be known so well."""
_TOLD_OF_8_BITS = 0.1
"""And so many where base tells the steps, and nothing is fitted."""


class RoundedBase(NamedTuple):
    """``matched`` values were as a grid has them. ``far_pct`` is how far the rounding moved the
    sample, as relative Frobenius."""

    matched: int
    far_pct: float


def rounded_base(plain: _Runs, whole: _Runs, merged: _Runs) -> RoundedBase | None:
    """What the sample shows, where it shows that ``merged`` is the update on rounded weights; else
    None.

    ``plain``: values of base in runs of neighbours, [runs, length]. ``whole``: the same with the
    update, ``merged``: those of the folder that is asked of, of as many elements.
    """
    seen = _update_taken_off(plain, whole, merged)
    if seen is None:
        return None
    left, slack, far = seen
    matched = max(
        _in_float_steps(plain, left, slack),
        _in_few_levels(left, slack),
        _in_even_steps(plain, left, slack),
    )
    return RoundedBase(matched, 100 * far) if matched else None


def rounded_rows(plain: _Runs, whole: _Runs, merged: _Runs) -> RoundedBase | None:
    """As ``rounded_base`` of whole rows of a matrix, [rows, columns], that have a step of 8 bits
    each."""
    seen = _update_taken_off(plain, whole, merged) if plain.shape[-1] >= _LEAST_IN_A_ROW else None
    if seen is None:
        return None
    left, slack, far = seen
    matched = _in_steps_of_8_bits(plain, left, slack)
    return RoundedBase(matched, 100 * far) if matched else None


def _update_taken_off(
    plain: _Runs, whole: _Runs, merged: _Runs
) -> tuple[_Runs, _Runs, float] | None:
    """What is left without the update, how far that may be off by rounding, and how far it is from
    base; None where no quantisation moves weights so far."""
    shape = plain.shape
    whole, merged = whole.reshape(shape), merged.reshape(shape)
    if not np.isfinite([plain, whole, merged]).all() or not plain.any():
        return None
    left = merged - (whole - plain)
    far = float(np.linalg.norm(left - plain) / np.linalg.norm(plain))
    if not _LEAST_FAR <= far <= _MOST_FAR:
        return None
    moved = np.linalg.norm(left - plain, axis=1) >= _EVEN * far * np.linalg.norm(plain, axis=1)
    if moved.mean() < _MOVED:
        return None
    largest = np.maximum.reduce([np.abs(plain), np.abs(whole), np.abs(merged)])
    return left, 1.5 * _STORED * largest, far


def _in_float_steps(plain: _Runs, left: _Runs, slack: _Runs) -> int:
    """How many values differ by no more than an 8-bit float's rounding; 0 where others do, or where
    noise of that size would as well."""
    delta = left - plain
    error, squared = np.abs(delta), np.square(delta).sum()
    along = np.abs((delta * plain).sum(axis=1)).sum() / squared
    far = np.sqrt(squared / np.square(plain).sum())
    told = np.abs(plain) > _SMALL * np.abs(plain).max(axis=1, keepdims=True)
    for step in _FLOATS:
        most = step * np.abs(plain) + slack
        inside = int((error <= most)[told].sum())
        noise = np.sqrt(np.mean(np.square(error[told])))
        expected = np.mean(_within(most[told] / noise)) if noise else 1.0
        sized = far >= _TYPICAL * step and expected < _OF_NOISE and along <= _NO_FACTOR / step
        if sized and inside >= _NEARLY_ALL * told.sum():
            return inside
    return 0


def _within(ratio: _Runs) -> _Runs:
    """The share of normal noise within so many of its standard deviations (a bound from below its
    tail: 1 - exp(-x² · 0.6366) is within 0.5 % of it)."""
    return np.asarray(np.sqrt(1 - np.exp(-np.square(ratio) * 2 / np.pi)), np.float64)


def _in_few_levels(left: _Runs, slack: _Runs) -> int:
    """How many values lie in runs with few values; 0 where not nearly all runs are such."""
    run = min(_RUN, left.shape[1])
    if run < _RUN:
        return 0
    runs = left.reshape(-1, run)
    order = np.argsort(runs, axis=1)
    values = np.take_along_axis(runs, order, axis=1)
    near = np.take_along_axis(slack.reshape(-1, run), order, axis=1)
    levels = 1 + (np.diff(values, axis=1) > 2 * np.maximum(near[:, 1:], near[:, :-1])).sum(axis=1)
    few = levels <= _MOST_LEVELS
    return int(few.sum()) * run if few.mean() >= _FEW else 0


def _in_even_steps(plain: _Runs, left: _Runs, slack: _Runs) -> int:
    """How many values lie whole steps of 5 bits from the end of their block, or of 8 bits from 0,
    of those that are known to a part of a step; 0 where nearly all do not, or few are known so
    well."""
    if left.shape[1] < _RUN:
        return 0
    blocks, near = left.reshape(-1, _RUN), slack.reshape(-1, _RUN)
    order = np.argsort(blocks, axis=1)
    ends = [
        np.take_along_axis(blocks, order[:, place : place + 1], axis=1) for place in (0, _RUN - 1)
    ]
    unsure = [
        np.take_along_axis(near, order[:, place : place + 1], axis=1) for place in (0, _RUN - 1)
    ]
    known = near + np.maximum(*unsure)
    (least, largest), farthest = ends, np.maximum(-ends[0], ends[1])
    grids = (0.0, farthest / _STEPS_FROM_ZERO), (least, (largest - least) / _STEPS_ACROSS)
    found = [_on_grid(blocks, known, origin, step, _TOLD) for origin, step in grids]
    return max(*found, _in_steps_of_8_bits(plain.reshape(-1, _RUN), blocks, near))


def _in_steps_of_8_bits(plain: _Runs, left: _Runs, slack: _Runs) -> int:
    """How many values lie whole steps of 8 bits from 0, of those that are known to a part of a
    step; 0 where nearly all do not, or few are known so well. The largest magnitude that a run has
    in base makes its steps."""
    largest = np.abs(plain).max(axis=1, keepdims=True)
    steps = (largest / count for count in _STEPS_OF_8_BITS)
    return max(_on_grid(left, 2 * slack, 0.0, step, _TOLD_OF_8_BITS) for step in steps)


def _on_grid(values: _Runs, known: _Runs, origin: _Runs | float, step: _Runs, enough: float) -> int:
    """How many values lie whole steps from the origin, of those that are ``known`` to a part of a
    step; 0 where nearly all do not, or a smaller share than ``enough`` is known so well."""
    places = (values - origin) / np.where(step > 0, step, 1)
    off = np.abs(places - np.round(places)) * step
    told = known < _FINE_ENOUGH * step
    inside = int((off <= known)[told].sum())
    return inside if told.mean() >= enough and inside >= _NEARLY_ALL * told.sum() else 0
