"""Whether a device computes to the bit what the CPU does, asked before it measures anything.

A device whose divisions are a unit off, or that takes subnormals for zero, would have medians of
its own. So it measures a leaf of numbers that bring such things to light, and has to give the CPU's
counts, histogram and every ``r``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from modeldiff.changes.backends.accumulator import Accumulator
from modeldiff.changes.backends.backend import Worker
from modeldiff.changes.backends.cpu import CpuWorker
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.dtype_pairs import dtype_pair
from modeldiff.changes.kernels.bins import INFINITE_KEY32, LEAF

CHECKED_BYTES = LEAF * 8
"""The room that a worker's buffers need to be checked."""
_EVERY_R = Bracket(0, INFINITE_KEY32 + 1 << 16)


def computes_exactly(worker: Worker) -> bool:
    """Whether the worker, of at least CHECKED_BYTES a side, gives the CPU's bits."""
    found, wanted = _measured(worker), _measured(CpuWorker(CHECKED_BYTES))
    return (
        np.array_equal(found.counts, wanted.counts)
        and np.array_equal(found.histogram, wanted.histogram)
        and np.array_equal(np.sort(found.kept_bits()), np.sort(wanted.kept_bits()))
    )


def _measured(worker: Worker) -> Accumulator:
    """All that a worker finds of ``hostile_pairs``."""
    types = dtype_pair("F32", "F32")
    assert types is not None
    accumulator = Accumulator(LEAF, types)
    accumulator.bracket = _EVERY_R
    for buffer, values in zip((worker.base, worker.target), hostile_pairs(), strict=True):
        buffer[: values.nbytes] = values.view(np.uint8)
    worker.measure_part(types, LEAF, accumulator, 0)
    worker.finish()
    return accumulator


@cache
def hostile_pairs() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A leaf of base and target values: bits at random; two subnormals, neighbours or not; a
    quotient or a difference that is subnormal; powers of two; zeros of both signs, infinities and
    NaN among all."""
    random = np.random.default_rng(1)
    part = LEAF // 8
    bits = random.integers(0, 1 << 32, (2, LEAF), dtype=np.uint64).astype(np.uint32)
    sign, fraction, one = np.uint32(1 << 31), np.uint32((1 << 23) - 1), np.uint32(1)
    base, target = bits
    subnormal, neighbours, small, steps, powers, close = (
        slice(number * part, (number + 1) * part) for number in range(6)
    )
    base[subnormal] &= sign | fraction
    target[subnormal] &= sign | fraction
    base[neighbours] &= sign | fraction
    target[neighbours] = base[neighbours] ^ one
    # A difference of subnormal size between normal numbers, and a quotient below 2**-126.
    base[small] = (bits[0][small] & (sign | fraction)) | np.uint32(1 << 23)
    target[small] = base[small] ^ (bits[1][small] & np.uint32(0xFF))
    base[steps] = (bits[0][steps] & (sign | fraction)) | np.uint32(0xFE << 23)
    target[steps] = (bits[1][steps] & (sign | fraction)) | np.uint32(1 << 23)
    base[powers] &= ~fraction
    target[powers] &= ~fraction
    base[close] = (bits[0][close] & (sign | fraction)) | np.uint32(127 << 23)
    target[close] = base[close] + (bits[1][close] & np.uint32(3))
    for side in bits:
        special = random.random(LEAF) < 0.02
        side[special] = random.choice(
            np.array([0, 1 << 31, 0x7F800000, 0xFF800000, 0x7FC00000, 1], np.uint32), special.sum()
        )
    return base.view(np.float32), target.view(np.float32)
