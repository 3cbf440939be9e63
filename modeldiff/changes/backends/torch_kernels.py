"""Measuring in torch, on whatever device the tensors are."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch

from modeldiff.changes.backends.accumulator import MedianSearch
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.kernels.bins import (
    ALL_KEPT,
    EMPTY_COUNTS,
    HIGHEST_KEY,
    KEY64_OFFSET,
    KEYS32,
    KEYS64,
    LEAF,
    LOWEST_KEY,
    RUN,
)
from modeldiff.processes.late_dataclass import dataclass

_SPREAD = 1024
"""Counters that share the elements which the histogram does not count: adding to one number from
thousands of threads is slow."""


@dataclass(frozen=True)
class Measured:
    """What a slice adds to a accumulator, and the bits of the ``r`` that fell into the bracket."""

    counts: npt.NDArray[np.int64]
    histogram: npt.NDArray[np.int64]
    leaves: npt.NDArray[np.float64]
    kept: torch.Tensor


def measure_slice(
    base: torch.Tensor, target: torch.Tensor, size: int, bracket: Bracket
) -> Measured:
    """Measures a slice of ``size`` elements, followed by zeros up to whole leaves."""
    wide = base.dtype == torch.float64
    r_bits = ((target - base).abs() / base.abs()).view(bits_type(base))
    base_finite, target_finite = base.isfinite(), target.isfinite()
    finite = base_finite & target_finite
    changed = finite & (base != target)
    keys = (r_bits >> 45) - KEY64_OFFSET if wide else r_bits >> 16
    key_count = KEYS64 if wide else KEYS32
    not_counted = torch.arange(key_count, key_count + _SPREAD, device=base.device).to(keys.dtype)
    keys = torch.where(changed, keys, not_counted.repeat(len(keys) // _SPREAD))
    histogram = torch.bincount(keys, minlength=key_count + _SPREAD)[:key_count]
    if bracket.width == ALL_KEPT:
        kept = r_bits[changed]
    else:
        inside = (r_bits >= bracket.low) & (r_bits < bracket.low + bracket.width)
        kept = r_bits[inside & changed]
    base, target = base.where(finite, 0), target.where(finite, 0)
    flips = ((base < 0) & (target > 0)) | ((base > 0) & (target < 0))
    counted = [finite, flips, (base == 0) & finite, ~base_finite, ~target_finite]
    totals = torch.stack([torch.count_nonzero(mask) for mask in counted]).tolist()
    filling = len(base) - size
    counts = EMPTY_COUNTS.copy()
    counts[[0, 2, 3, 4, 5]] = totals
    counts[[0, 3]] -= filling
    key_counts = histogram.cpu().numpy()
    (used,) = np.nonzero(key_counts)
    if used.size:
        counts[[LOWEST_KEY, HIGHEST_KEY]] = used[0], used[-1]
    return Measured(counts, key_counts, _leaf_sums(base, target), kept)


def _leaf_sums(base: torch.Tensor, target: torch.Tensor) -> npt.NDArray[np.float64]:
    """The six columns of each leaf's sums.

    Values are first brought near 1 by exact powers of two, so that float32 holds their squares;
    then runs of 512 are added in float32, and those in float64.
    """
    base_scale, target_scale = _scale(base), _scale(target)
    common = torch.minimum(base_scale, target_scale)
    delta = target * common - base * common
    delta_scale = _scale(delta)
    x, y, d = base * base_scale, target * target_scale, delta * delta_scale
    size = d.abs()
    runs = torch.stack(
        [values.view(-1, RUN).sum(dim=1) for values in (x * x, y * y, x * y, d * d, size)], dim=1
    )
    largest = size.view(-1, LEAF).amax(dim=1)
    scales = torch.stack([base_scale, target_scale, delta_scale, common])
    a, b, c, e = scales.cpu().numpy().astype(np.float64)
    sums = runs.cpu().numpy().astype(np.float64).reshape(-1, LEAF // RUN, 5).sum(axis=1)
    peaks = largest.cpu().numpy().astype(np.float64)[:, None]
    units = np.array([a * a, b * b, a * b, (c * e) ** 2, c * e, c * e])
    leaves: npt.NDArray[np.float64] = np.hstack([sums, peaks]) / units
    return leaves


def _scale(values: torch.Tensor) -> torch.Tensor:
    """A power of two that brings the largest of these finite values to about 1."""
    largest = values.abs().amax()
    if values.dtype == torch.float64:
        return torch.ones_like(largest)
    # Without its fraction bits a float is the power of two below it.
    power = ((largest.view(torch.int32) >> 23) << 23).view(torch.float32)
    return 1 / power.clamp(2.0**-100, 2.0**100)


def count_digits(r_bits: torch.Tensor, search: MedianSearch) -> npt.NDArray[np.int64]:
    """Counts of the sixteen bits that the search asks for."""
    matching = r_bits[(r_bits >> (search.shift + 16)) == search.prefix]
    digits = torch.bincount((matching >> search.shift) & 0xFFFF, minlength=65536)
    return digits.cpu().numpy()


def bits_type(values: torch.Tensor) -> torch.dtype:
    return torch.int64 if values.dtype == torch.float64 else torch.int32


@cache
def has_float64(device: torch.device) -> bool:
    try:
        torch.ones(1, dtype=torch.float64, device=device).sum().item()
    except (RuntimeError, TypeError):
        return False
    return True
