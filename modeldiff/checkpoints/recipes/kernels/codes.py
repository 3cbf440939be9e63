"""Codes of two to eight bits to values: unpacked to a byte each, to what they stand for, by groups.

A kernel takes a tile of codes through all stages, and then the next tile: what lies between two
stages stays in the nearest cache, and who calls it pays for one call. Every kernel returns 0.
"""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from numba import carray

from modeldiff.checkpoints.recipes.kernels.column_strips import decode_columns
from modeldiff.checkpoints.recipes.kernels.shifted import decode_shifted
from modeldiff.checkpoints.recipes.kernels.sixteen_values import (
    A_TURN,
    affine_groups,
    scaled_groups,
)
from modeldiff.checkpoints.recipes.kernels.small_types import (
    bf16_bits,
    e2m1,
    e4m3,
    f16_bits,
    of_f16,
    without_payload,
)
from modeldiff.checkpoints.recipes.kernels.stages import (
    AS_BF16,
    AS_F32,
    E2M1,
    E4M3,
    HIGH_NIBBLES,
    LOW_NIBBLES,
    ROOM,
    SIGNED,
    TABLE,
    TILE,
    UNSIGNED,
)
from modeldiff.checkpoints.recipes.kernels.unpacking import as_octets, numbers_of_pairs, pair_table
from modeldiff.native.numba_types import f32, i8, inlined_exactly, u8, u16, u32, u64

__all__ = [
    "decode_affine",
    "decode_by_block",
    "decode_by_column",
    "decode_columns",
    "decode_shifted",
]


@inlined_exactly
def _numbers(codes, kind, count, table, out):
    """What codes stand for. A loop of its own: of a short run of bytes with its arithmetic LLVM
    makes no vectors, as it wants more bytes in one than there are in the run."""
    if kind == UNSIGNED:
        for i in range(count):
            out[u64(i)] = f32(codes[u64(i)])
    elif kind == SIGNED:
        for i in range(count):
            out[u64(i)] = f32(i8(codes[u64(i)]))
    elif kind == E2M1:
        for i in range(count):
            out[u64(i)] = e2m1(codes[u64(i)])
    elif kind == E4M3:
        for i in range(count):
            out[u64(i)] = e4m3(codes[u64(i)])
    else:
        for i in range(count):
            out[u64(i)] = table[codes[u64(i)]]


@inlined_exactly
def _scaled(numbers, first, count, grid, begun, scale, zero, out):
    """``(number - zero) * scale``, for those from element ``first`` on of a matrix: ``grid`` has
    its columns, and the rows and columns of the blocks that share a scale. ``scale`` and ``zero``
    begin with those of the row of blocks ``begun``."""
    columns, row_block, column_block = grid
    across = (columns + column_block - u64(1)) // column_block
    row = first // columns
    column = first - row * columns
    group = column // column_block
    stop = min((group + u64(1)) * column_block, columns)
    block = row // row_block
    below = (block + u64(1)) * row_block
    base = (block - begun) * across
    at = u64(0)
    while at < count:
        run = min(stop - column, count - at)
        s, z = without_payload(scale[base + group]), without_payload(zero[base + group])
        for i in range(run):
            out[at + u64(i)] = (numbers[at + u64(i)] - z) * s
        at += run
        # Counted on, not divided anew: a division takes as long as sixteen values.
        group += u64(1)
        column = stop
        if column == columns:
            column = group = u64(0)
            row += u64(1)
            if row == below:
                below += row_block
                base += across
        stop = min(column + column_block, columns)


@inlined_exactly
def _scaled_by_column(numbers, first, count, columns, begun, group, across, scale, zero, out):
    """As ``_scaled`` where the group of each column is in ``group``: each row has ``across`` of
    them."""
    row = first // columns
    column = first - row * columns
    base = (row - begun) * across
    at = u64(0)
    while at < count:
        run = min(columns - column, count - at)
        for i in range(run):
            g = base + u64(group[column + u64(i)])
            out[at + u64(i)] = (numbers[at + u64(i)] - zero[g]) * scale[g]
        at += run
        base += across
        column = u64(0)


@inlined_exactly
def _rounded(values, count, rounding, out):
    if rounding == AS_BF16:
        for i in range(count):
            out[u64(i)] = u16(bf16_bits(values[u64(i)]))
    else:
        for i in range(count):
            out[u64(i)] = u16(f16_bits(values[u64(i)]))


@inlined_exactly
def _whole_groups(first, count, group, packing, bits):
    """Where among ``count`` values whole groups of four-bit codes begin and end that can be looked
    up; nowhere, where they can't."""
    if bits != 4 or packing not in (LOW_NIBBLES, HIGH_NIBBLES) or group % A_TURN:
        return 0, 0
    begin = -first % group
    groups = (count - begin) // group
    return (begin, begin + groups * group) if groups > 0 else (0, 0)


@inlined_exactly
def _tile(start, count, begin, end):
    """Where the tile at ``start`` begins and ends, if ``begin`` to ``end`` is done already."""
    if start == begin:
        start = end
    return start, min(start + TILE, begin if start < begin else count)


@inlined_exactly
def _sixteen(kind, stands, codes, out):
    """What the sixteen codes of four bits stand for."""
    for code in range(u64(16)):
        codes[code] = u8(code)
    _numbers(codes, kind, u64(16), stands, out)


def decode_by_block(
    stored,
    packing,
    bits,
    kind,
    first,
    count,
    columns,
    row_block,
    column_block,
    table,
    scales,
    zeros,
    rounding,
    room,
    values,
):
    """``(what the code stands for - zero) * scale``, rounded once: ``count`` values from element
    ``first`` on of a matrix, whose code begins a byte.

    Groups are blocks of rows and columns; ``scales`` and ``zeros`` begin with those of the first
    element's row of blocks. ``table`` has 256 entries. ``room`` is of ``ROOM`` float32.
    """
    grid = u64(columns), u64(row_block), u64(column_block)
    begun = u64(first) // grid[0] // grid[1]
    down = (u64(first) + u64(count) - u64(1)) // grid[0] // grid[1] - begun + u64(1)
    groups = down * ((grid[0] + grid[2] - u64(1)) // grid[2])
    raw = carray(stored, (count * bits + 7) // 8, u8)
    scale, zero = carray(scales, groups, f32), carray(zeros, groups, f32)
    stands = carray(table, 256, f32)
    floats = carray(room, ROOM, f32)
    numbers, scaled = floats[:TILE], floats[TILE : 2 * TILE]
    unpacked, pairs = floats[2 * TILE : 3 * TILE].view(u8), floats[3 * TILE :]
    words, halves = carray(values, count, f32), carray(values, count, u16)
    begin = end = 0
    if row_block == 1 and columns == column_block:
        begin, end = _whole_groups(first, count, columns, packing, bits)
    if begin < end:
        _sixteen(kind, stands, unpacked, numbers)
        begun_group = (first + begin) // columns - first // columns
        if not scaled_groups(
            rounding,
            raw.ctypes.data + begin // 2,
            numbers.ctypes.data,
            scale.ctypes.data + 4 * begun_group,
            zero.ctypes.data + 4 * begun_group,
            words.ctypes.data + (4 if rounding == AS_F32 else 2) * begin,
            (end - begin) // columns,
            columns // A_TURN,
            1 if packing == HIGH_NIBBLES else 0,
        ):
            begin = end = 0
    in_pairs = kind == TABLE and packing in (LOW_NIBBLES, HIGH_NIBBLES)
    if in_pairs and end - begin < count:
        pair_table(stands, packing, pairs)
    start = 0
    while True:
        start, stop = _tile(start, count, begin, end)
        if start == count:
            return 0
        n = u64(stop - start)
        codes = raw[start * bits // 8 : (stop * bits + 7) // 8]
        if in_pairs:
            numbers_of_pairs(codes, pairs, numbers)
        else:
            codes = as_octets(codes, packing, bits, unpacked)
            _numbers(codes, kind, n, stands, numbers)
        out = words[start:stop] if rounding == AS_F32 else scaled
        _scaled(numbers, u64(first + start), n, grid, begun, scale, zero, out)
        if rounding != AS_F32:
            _rounded(scaled, n, rounding, halves[start:stop])
        start = stop


def decode_by_column(
    stored,
    packing,
    bits,
    first,
    count,
    columns,
    order,
    across,
    scales,
    zeros,
    rounding,
    room,
    values,
):
    """As ``decode_by_block`` for codes that stand for themselves, where the group of each column
    is in ``order`` and each row has ``across`` of them."""
    begun = u64(first) // u64(columns)
    rows = (u64(first) + u64(count) - u64(1)) // u64(columns) - begun + u64(1)
    raw = carray(stored, (count * bits + 7) // 8, u8)
    scale, zero = carray(scales, rows * u64(across), f32), carray(zeros, rows * u64(across), f32)
    group = carray(order, columns, u32)
    floats = carray(room, ROOM, f32)
    numbers, scaled = floats[:TILE], floats[TILE : 2 * TILE]
    unpacked = floats[2 * TILE : 3 * TILE].view(u8)
    words, halves = carray(values, count, f32), carray(values, count, u16)
    for start in range(0, count, TILE):
        stop = min(start + TILE, count)
        n = u64(stop - start)
        codes = raw[start * bits // 8 : (stop * bits + 7) // 8]
        _numbers(as_octets(codes, packing, bits, unpacked), UNSIGNED, n, scale, numbers)
        out = words[start:stop] if rounding == AS_F32 else scaled
        begin = u64(first + start)
        _scaled_by_column(
            numbers, begin, n, u64(columns), begun, group, u64(across), scale, zero, out
        )
        if rounding != AS_F32:
            _rounded(scaled, n, rounding, halves[start:stop])
    return 0


@inlined_exactly
def _affine(numbers, first, count, group, begun, scale, bias, rounding, out):
    """``number * scale + bias``, product and sum each rounded; a rounded sum is in the lower
    half of its word."""
    words = out.view(u32)
    at = u64(0)
    g = first // group
    stop = (g + u64(1)) * group - first
    while at < count:
        end = min(stop, count)
        run = end - at
        s, b = scale[g - begun], bias[g - begun]
        if rounding == AS_F32:
            for i in range(run):
                product = numbers[at + u64(i)] * s
                out[at + u64(i)] = product + b
        elif rounding == AS_BF16:
            for i in range(run):
                product = u32(bf16_bits(numbers[at + u64(i)] * s) << u32(16)).view(f32)
                words[at + u64(i)] = bf16_bits(product + b)
        else:
            for i in range(run):
                product = of_f16(f16_bits(numbers[at + u64(i)] * s))
                words[at + u64(i)] = f16_bits(product + b)
        at = end
        stop += group
        g += u64(1)


def decode_affine(
    stored, packing, bits, first, count, group, scales, biases, rounding, room, values
):
    """``code * scale + bias``, product and sum each rounded, with a scale and a bias for each
    ``group`` of elements; those given begin with the first element's. The rest as
    ``decode_by_block`` has it."""
    begun = u64(first) // u64(group)
    groups = (u64(first) + u64(count) - u64(1)) // u64(group) - begun + u64(1)
    raw = carray(stored, (count * bits + 7) // 8, u8)
    scale, bias = carray(scales, groups, f32), carray(biases, groups, f32)
    floats = carray(room, ROOM, f32)
    numbers, scaled = floats[:TILE], floats[TILE : 2 * TILE]
    unpacked = floats[2 * TILE : 3 * TILE].view(u8)
    whole, halves = carray(values, count, f32), carray(values, count, u16)
    begin, end = _whole_groups(first, count, group, packing, bits)
    if begin < end:
        _sixteen(UNSIGNED, scale, unpacked, numbers)
        begun_group = (first + begin) // group - first // group
        if not affine_groups(
            rounding,
            raw.ctypes.data + begin // 2,
            numbers.ctypes.data,
            scale.ctypes.data + 4 * begun_group,
            bias.ctypes.data + 4 * begun_group,
            whole.ctypes.data + (4 if rounding == AS_F32 else 2) * begin,
            (end - begin) // group,
            group // A_TURN,
            1 if packing == HIGH_NIBBLES else 0,
        ):
            begin = end = 0
    start = 0
    while True:
        start, stop = _tile(start, count, begin, end)
        if start == count:
            return 0
        n = u64(stop - start)
        codes = raw[start * bits // 8 : (stop * bits + 7) // 8]
        _numbers(as_octets(codes, packing, bits, unpacked), UNSIGNED, n, scale, numbers)
        out = whole[start:stop] if rounding == AS_F32 else scaled
        _affine(numbers, u64(first + start), n, u64(group), begun, scale, bias, rounding, out)
        if rounding != AS_F32:
            rounded, narrow = scaled.view(u32), halves[start:stop]
            for i in range(n):
                narrow[u64(i)] = u16(rounded[u64(i)])
        start = stop
