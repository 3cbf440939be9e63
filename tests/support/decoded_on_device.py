"""The values that the fused kernel sees, written out: a kernel for tests."""

# Triton's language has no types that mypy could check.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
# mypy: disallow-untyped-calls=False, disallow-untyped-decorators=False

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import triton
import triton.language as tl

from modeldiff.changes.backends.fused.sides import ChunkSide
from modeldiff.changes.backends.fused.values import values

_BLOCK = 1024


@triton.jit
def write_values(
    raw,
    scales,
    zeros,
    grid,
    table,
    out,
    n,
    kind: tl.constexpr,
    rounding: tl.constexpr,
    block: tl.constexpr,
):
    """Writes the bits of ``n`` values to ``out``."""
    offsets = tl.program_id(0) * block + tl.arange(0, block)
    value = values(raw, scales, zeros, grid, table, offsets, n - 1, kind, rounding)
    tl.store(out + offsets, value.to(tl.int32, bitcast=True), mask=offsets < n)


def decoded(side: ChunkSide) -> npt.NDArray[np.float32]:
    """A side's values, by the device's decoder."""
    side.pack()
    table = side.table()
    there = torch.from_numpy(np.zeros(256, np.float32) if table is None else table.copy())
    out = torch.empty(side.n, dtype=torch.int32)
    write_values[(-(-side.n // _BLOCK),)](
        *side.on_device(side.host[: side.nbytes].clone(), there),
        out,
        side.n,
        kind=side.kind,
        rounding=side.rounding,
        block=_BLOCK,
    )
    return out.numpy().view(np.float32)
