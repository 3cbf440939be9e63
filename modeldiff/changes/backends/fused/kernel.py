"""The one kernel that measures a chunk, and the one that refines its median.

::

    base   ─┐ decode    finite?  changed?                      counts[leaf]
    target ─┤ r = |t - b| / |b| ── key = bits >> 16 ── +1 in   histogram[leaf % copies][key]
            │                   └─ in the bracket? ── next of  kept
            └ t - b, b², t², bt, …  in float64                 leaves[leaf]

A program takes a leaf, block by block, and reads each byte of the chunk once. Nothing is stored
for an element but its count in the histogram (by atomic additions, to a few copies of it in the
second cache, so that equal keys do not queue up) and, for the few in the bracket, its bits. Counts
and sums are one row a leaf: no two programs write the same, so the sums are the same in each run.

``r`` is that of the CPU to the bit: ``div_rn`` rounds as IEEE 754 asks for where ``/`` would be two
units off, no sum is fused with a product (as the launch says), subnormals are kept, and whether a
number is finite, zero or equal is asked of its bits. ``tests/unit/test_fused_kernel.py`` holds this
to the kernels of the CPU.
"""

# Triton's language has no types that mypy could check.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
# mypy: disallow-untyped-calls=False, disallow-untyped-decorators=False

from __future__ import annotations

import triton
import triton.language as tl

from modeldiff.changes.backends.fused.values import values

NO_KEY32 = 1 << 30
"""The lowest key of a leaf in which no element changed."""


_CHANGING = ("n", "low", "width", "room", "prefix")
"""Numbers that differ from launch to launch: the kernel is not compiled anew for even ones."""
LAUNCH = {"num_warps": 8, "enable_fp_fusion": False}
"""How a kernel is compiled: for so many warps a program, and with no product fused to a sum."""


@triton.jit
def relative_change(a, b):
    """The bits of ``|b - a| / |a|``: three float32 operations, each rounded once."""
    return tl.math.div_rn(tl.abs(b - a), tl.abs(a)).to(tl.int32, bitcast=True)


@triton.jit(do_not_specialize=_CHANGING)
def measure_leaves(
    base,
    base_scales,
    base_zeros,
    base_grid,
    base_table,
    target,
    target_scales,
    target_zeros,
    target_grid,
    target_table,
    histogram,
    leaves,
    counts,
    kept,
    kept_count,
    n,
    low,
    width,
    room,
    base_kind: tl.constexpr,
    base_rounding: tl.constexpr,
    target_kind: tl.constexpr,
    target_rounding: tl.constexpr,
    leaf_size: tl.constexpr,
    block: tl.constexpr,
    keys: tl.constexpr,
    copies: tl.constexpr,
):
    """Measures ``n`` elements, a program each leaf of ``leaf_size``, in blocks of ``block``.

    Adds to ``histogram`` (int32, ``copies`` of ``keys``), writes the leaf's row of ``leaves``
    (float64, six a row) and ``counts`` (int32, eight a row) as ``bins`` names them. Puts the bits
    of ``r`` from ``low`` on, up to ``width`` more, in ``kept``, as far as that has ``room``, and
    adds how many there are to ``kept_count``.
    """
    leaf = tl.program_id(0)
    own_histogram = histogram + leaf % copies * keys
    base_squared = tl.full((), 0.0, tl.float64)
    target_squared = tl.full((), 0.0, tl.float64)
    product = tl.full((), 0.0, tl.float64)
    delta_squared = tl.full((), 0.0, tl.float64)
    delta_sum = tl.full((), 0.0, tl.float64)
    delta_most = tl.full((), 0.0, tl.float64)
    finite_count = tl.full((), 0, tl.int32)
    flip_count = tl.full((), 0, tl.int32)
    zero_count = tl.full((), 0, tl.int32)
    base_lost = tl.full((), 0, tl.int32)
    target_lost = tl.full((), 0, tl.int32)
    lowest = tl.full((), 1 << 30, tl.int32)
    highest = tl.full((), 0, tl.int32)
    for begin in range(leaf * leaf_size, min((leaf + 1) * leaf_size, n), block):
        offsets = begin + tl.arange(0, block)
        inside = offsets < n
        a = values(
            base,
            base_scales,
            base_zeros,
            base_grid,
            base_table,
            offsets,
            n - 1,
            base_kind,
            base_rounding,
        )
        b = values(
            target,
            target_scales,
            target_zeros,
            target_grid,
            target_table,
            offsets,
            n - 1,
            target_kind,
            target_rounding,
        )
        a_bits = a.to(tl.int32, bitcast=True)
        b_bits = b.to(tl.int32, bitcast=True)
        a_finite = (a_bits & 0x7F800000) != 0x7F800000
        b_finite = (b_bits & 0x7F800000) != 0x7F800000
        finite = a_finite & b_finite & inside
        a_zero = (a_bits & 0x7FFFFFFF) == 0
        b_zero = (b_bits & 0x7FFFFFFF) == 0
        changed = finite & (a_bits != b_bits) & ~(a_zero & b_zero)
        flips = finite & ((a_bits ^ b_bits) < 0) & ~a_zero & ~b_zero
        r_bits = relative_change(a, b)
        key = r_bits >> 16
        tl.atomic_add(own_histogram + key, 1, mask=changed, sem="relaxed")
        if width > 0:
            held = changed & (r_bits >= low) & (r_bits - low < width)
            flags = held.to(tl.int32)
            place = tl.atomic_add(kept_count, tl.sum(flags, axis=0), sem="relaxed")
            places = place + tl.cumsum(flags, axis=0) - 1
            tl.store(kept + places, r_bits, mask=held & (places < room))
        finite_count += tl.sum(finite.to(tl.int32), axis=0)
        flip_count += tl.sum(flips.to(tl.int32), axis=0)
        zero_count += tl.sum((finite & a_zero).to(tl.int32), axis=0)
        base_lost += tl.sum((inside & ~a_finite).to(tl.int32), axis=0)
        target_lost += tl.sum((inside & ~b_finite).to(tl.int32), axis=0)
        lowest = tl.minimum(lowest, tl.min(tl.where(changed, key, 1 << 30), axis=0))
        highest = tl.maximum(highest, tl.max(tl.where(changed, key, 0), axis=0))
        x = tl.where(finite, a, 0.0).to(tl.float64)
        y = tl.where(finite, b, 0.0).to(tl.float64)
        delta = y - x
        size = tl.abs(delta)
        base_squared += tl.sum(x * x, axis=0)
        target_squared += tl.sum(y * y, axis=0)
        product += tl.sum(x * y, axis=0)
        delta_squared += tl.sum(delta * delta, axis=0)
        delta_sum += tl.sum(size, axis=0)
        delta_most = tl.maximum(delta_most, tl.max(size, axis=0))
    tl.store(leaves + leaf * 6 + 0, base_squared)
    tl.store(leaves + leaf * 6 + 1, target_squared)
    tl.store(leaves + leaf * 6 + 2, product)
    tl.store(leaves + leaf * 6 + 3, delta_squared)
    tl.store(leaves + leaf * 6 + 4, delta_sum)
    tl.store(leaves + leaf * 6 + 5, delta_most)
    tl.store(counts + leaf * 8 + 0, finite_count)
    tl.store(counts + leaf * 8 + 2, flip_count)
    tl.store(counts + leaf * 8 + 3, zero_count)
    tl.store(counts + leaf * 8 + 4, base_lost)
    tl.store(counts + leaf * 8 + 5, target_lost)
    tl.store(counts + leaf * 8 + 6, lowest)
    tl.store(counts + leaf * 8 + 7, highest)


@triton.jit(do_not_specialize=_CHANGING)
def refine_median(
    base,
    base_scales,
    base_zeros,
    base_grid,
    base_table,
    target,
    target_scales,
    target_zeros,
    target_grid,
    target_table,
    fine,
    n,
    prefix,
    base_kind: tl.constexpr,
    base_rounding: tl.constexpr,
    target_kind: tl.constexpr,
    target_rounding: tl.constexpr,
    block: tl.constexpr,
):
    """Counts the lower sixteen bits of those ``r`` whose upper ones are ``prefix`` in ``fine``
    (int32, 65,536): a program each block. Bits of what is not finite are past every prefix."""
    offsets = tl.program_id(0) * block + tl.arange(0, block)
    a = values(
        base,
        base_scales,
        base_zeros,
        base_grid,
        base_table,
        offsets,
        n - 1,
        base_kind,
        base_rounding,
    )
    b = values(
        target,
        target_scales,
        target_zeros,
        target_grid,
        target_table,
        offsets,
        n - 1,
        target_kind,
        target_rounding,
    )
    r_bits = relative_change(a, b)
    matching = (offsets < n) & ((r_bits >> 16) == prefix)
    tl.atomic_add(fine + (r_bits & 0xFFFF), 1, mask=matching, sem="relaxed")
