"""Stored bytes to float32 within a Triton kernel, each value by the thread that measures it.

Nothing decoded is ever written: what is copied to the card is what the file has. Plain types are
loaded whole words at a time. Codes are looked up byte by byte, which costs many loads, all but the
first of a line from the nearest cache. Every value has the bits that the host's decoder makes, as
each product and difference is rounded once (the launch forbids fusing them).
"""

# Triton's language has no types that mypy could check.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
# mypy: disallow-untyped-calls=False, disallow-untyped-decorators=False

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def values(
    raw, scales, zeros, grid, table, offsets, last, kind: tl.constexpr, rounding: tl.constexpr
):
    """The float32 values at these element offsets of a side.

    ``raw`` are its bytes as ``kind`` takes them, from the chunk's first element on; ``table`` is
    what 256 codes stand for, of kinds that need one. ``scales``, ``zeros`` and ``grid`` belong to
    codes in groups, as ``_of_groups`` says. Plain types are not masked, since a masked load takes
    an element at a time: whoever launches has memory up to the last offset. Offsets of codes past
    ``last`` are read as ``last``.
    """
    if kind == "BF16":  # int16 words: shifted, so that nothing can round or flush
        value = (tl.load(raw + offsets).to(tl.int32) << 16).to(tl.float32, bitcast=True)
    elif kind == "F16":  # widened exactly; subnormal halves are normal float32
        value = tl.load(raw + offsets).to(tl.float32)
    elif kind == "F32":  # int32 words
        value = tl.load(raw + offsets).to(tl.float32, bitcast=True)
    elif kind == "TABLE8":
        value = tl.load(table + tl.load(raw + offsets).to(tl.int32))
    elif kind == "Q8_0":
        value = _q8_0(raw, tl.minimum(offsets, last))
    elif kind == "Q4_K":
        value = _q4_k(raw, tl.minimum(offsets, last))
    elif kind == "Q6_K":
        value = _q6_k(raw, tl.minimum(offsets, last))
    elif kind == "MXFP4":
        value = _mxfp4(raw, table, tl.minimum(offsets, last))
    else:
        within = tl.minimum(offsets, last)
        value = _of_groups(raw, scales, zeros, grid, table, within, kind, rounding)
    return value


@triton.jit
def _byte(raw, at):
    return tl.load(raw + at).to(tl.int32)


@triton.jit
def _half(raw, at):
    """The half-precision number at a byte, as float32, without loss."""
    bits = _byte(raw, at) | (_byte(raw, at + 1) << 8)
    return bits.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def _signed(byte):
    return ((byte ^ 128) - 128).to(tl.float32)


@triton.jit
def _q8_0(raw, offsets):
    at = offsets // 32 * 34
    return _signed(_byte(raw, at + 2 + offsets % 32)) * _half(raw, at)


@triton.jit
def _q4_k(raw, offsets):
    at = offsets // 256 * 144
    within = offsets % 256
    group = within // 32
    # Twelve bytes hold eight scales and eight least values of six bits: of the first four groups
    # in the lower bits of a byte each, of the others in halves of the last four and in what the
    # first eight leave free.
    first = _byte(raw, at + 4 + group % 4)
    second = _byte(raw, at + 8 + group % 4)
    last = _byte(raw, at + 12 + group % 4)
    early = group < 4
    scale = tl.where(early, first & 63, (last & 15) | ((first >> 6) << 4))
    least = tl.where(early, second & 63, (last >> 4) | ((second >> 6) << 4))
    code = _byte(raw, at + 16 + within // 64 * 32 + within % 32)
    code = tl.where(group % 2 == 0, code & 15, code >> 4)
    scaled = (_half(raw, at) * scale.to(tl.float32)) * code.to(tl.float32)
    return scaled - _half(raw, at + 2) * least.to(tl.float32)


@triton.jit
def _q6_k(raw, offsets):
    at = offsets // 256 * 210
    half = offsets % 256 // 128
    quarter = offsets % 128 // 32
    within = offsets % 32
    low = _byte(raw, at + half * 64 + quarter % 2 * 32 + within)
    low = tl.where(quarter < 2, low & 15, low >> 4)
    high = (_byte(raw, at + 128 + half * 32 + within) >> (2 * quarter)) & 3
    scale = _signed(_byte(raw, at + 192 + half * 8 + quarter * 2 + within // 16))
    return (_half(raw, at + 208) * scale) * ((low | (high << 4)) - 32).to(tl.float32)


@triton.jit
def _mxfp4(raw, table, offsets):
    """``table`` has twice the values of the four-bit floats; the power of two is halved."""
    at = offsets // 32 * 17
    exponent = _byte(raw, at)
    power = tl.where(exponent < 2, 0x00200000 << tl.minimum(exponent, 1), (exponent - 1) << 23)
    code = _byte(raw, at + 1 + offsets % 16)
    code = tl.where(offsets % 32 < 16, code & 15, code >> 4)
    return power.to(tl.float32, bitcast=True) * tl.load(table + code)


@triton.jit
def _of_groups(
    raw, scales, zeros, grid, table, offsets, kind: tl.constexpr, rounding: tl.constexpr
):
    """``(what a code stands for - zero) * scale``, rounded once to the type ``rounding``.

    ``kind`` says how many bits a code has and which of a byte comes first. A matrix is cut into
    blocks of rows and columns; ``grid`` has its columns, the rows and columns of a block, how far
    the first element is from the begin of its row of blocks, and whether there are zero points.
    ``scales`` and ``zeros`` begin with those of that row.
    """
    if kind == "8 bits":
        code = _byte(raw, offsets)
    elif kind == "4 bits":
        code = (_byte(raw, offsets // 2) >> (offsets % 2 * 4)) & 15
    elif kind == "4 bits, high first":
        code = (_byte(raw, offsets // 2) >> (4 - offsets % 2 * 4)) & 15
    else:
        tl.static_assert(kind == "2 bits")
        code = (_byte(raw, offsets // 4) >> (offsets % 4 * 2)) & 3
    columns = tl.load(grid)
    block_rows = tl.load(grid + 1)
    block_columns = tl.load(grid + 2)
    place = offsets + tl.load(grid + 3)
    across = (columns + block_columns - 1) // block_columns
    row = place // columns
    group = row // block_rows * across + (place - row * columns) // block_columns
    stands = tl.load(table + code)
    if tl.load(grid + 4) != 0:
        stands -= tl.load(zeros + group)
    value = stands * tl.load(scales + group)
    if rounding == "BF16":
        bits = value.to(tl.int32, bitcast=True)
        up = ((bits >> 16) & 1) + 0x7FFF
        number = (bits & 0x7FFFFFFF) <= 0x7F800000
        bits = tl.where(number, (bits + up) & -65536, 0x7FC00000)
        value = bits.to(tl.float32, bitcast=True)
    elif rounding == "F16":
        value = value.to(tl.float16).to(tl.float32)
    return value
