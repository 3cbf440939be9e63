"""Codes of two to eight bits, unpacked to a byte each and turned into values by groups.

A format's own packing is undone by one kernel, its arithmetic by another, a tile at a time so that
what lies between them stays in the processor's cache. Every kernel returns 0.
"""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from numba import carray

from modeldiff.native.numba_types import f32, i8, inlined_exactly, u8, u16, u32, u64


def low_nibbles(stored, nbytes, codes):
    """Two codes a byte, the first in the low half."""
    raw, out = carray(stored, nbytes, u8), carray(codes, 2 * nbytes, u8)
    for i in range(u64(nbytes)):
        out[u64(2) * u64(i)] = raw[u64(i)] & u8(15)
        out[u64(2) * u64(i) + u64(1)] = raw[u64(i)] >> u8(4)
    return 0


def high_nibbles(stored, nbytes, codes):
    """Two codes a byte, the first in the high half."""
    raw, out = carray(stored, nbytes, u8), carray(codes, 2 * nbytes, u8)
    for i in range(u64(nbytes)):
        out[u64(2) * u64(i)] = raw[u64(i)] >> u8(4)
        out[u64(2) * u64(i) + u64(1)] = raw[u64(i)] & u8(15)
    return 0


def quarters(stored, nbytes, codes):
    """Four codes a byte, the lowest bits first."""
    raw, out = carray(stored, nbytes, u8), carray(codes, 4 * nbytes, u8)
    for i in range(u64(nbytes)):
        for k in range(u64(4)):
            out[u64(4) * u64(i) + u64(k)] = (raw[u64(i)] >> u8(u64(2) * u64(k))) & u8(3)
    return 0


def bit_stream(stored, nbytes, bits, codes):
    """Codes one after the other, the lowest bits first: eight in ``bits`` bytes."""
    count = nbytes // bits
    raw, out = carray(stored, nbytes, u8), carray(codes, 8 * count, u8)
    mask = u64((u64(1) << u64(bits)) - u64(1))
    for i in range(u64(count)):
        eight = u64(0)
        for k in range(u64(bits)):
            eight |= u64(raw[u64(i) * u64(bits) + u64(k)]) << (u64(8) * u64(k))
        for k in range(u64(8)):
            out[u64(8) * u64(i) + u64(k)] = u8((eight >> (u64(bits) * u64(k))) & mask)
    return 0


def turn_words(words, rows, columns, turned):
    """The transpose of a matrix of words, block by block: a row of one is a line of cache."""
    given, out = carray(words, rows * columns, u32), carray(turned, rows * columns, u32)
    for first in range(u64(0), u64(rows), u64(16)):
        last = min(first + u64(16), u64(rows))
        for begin in range(u64(0), u64(columns), u64(16)):
            end = min(begin + u64(16), u64(columns))
            for column in range(begin, end):
                for row in range(first, last):
                    out[column * u64(rows) + row] = given[row * u64(columns) + column]
    return 0


def outputs_of_words(turned, first, count, inputs, codes):
    """AWQ's codes from element ``first`` of [out, in] on: a row of words holds eight outputs, in
    the order 0 2 4 6 1 3 5 7, for each input."""
    row = u64(first) // u64(inputs)
    column = u64(first) - row * u64(inputs)
    last = (u64(first) + u64(count) - u64(1)) // u64(inputs)
    words = carray(turned, (last // u64(8) + u64(1)) * u64(inputs), u32)
    out = carray(codes, count, u8)
    at = u64(0)
    while at < u64(count):
        run = min(u64(inputs) - column, u64(count) - at)
        k = row & u64(7)
        shift = u32(u64(4) * ((k >> u64(1)) + u64(4) * (k & u64(1))))
        begin = (row >> u64(3)) * u64(inputs) + column
        for i in range(u64(run)):
            out[at + u64(i)] = u8((words[begin + u64(i)] >> shift) & u32(15))
        at += run
        column = u64(0)
        row += u64(1)
    return 0


@inlined_exactly
def _e4m3(code):
    """The value of FP8's E4M3, by its bits: with the exponent moved, or as a fraction alone."""
    magnitude = u32(code & u8(0x7F))
    normal = u32((magnitude << u32(20)) + u32(120 << 23)).view(f32)
    small = f32(magnitude) * f32(2.0**-9)
    value = normal if magnitude >= u32(8) else small
    bits = u32(f32(value).view(u32))
    if magnitude == u32(0x7F):
        bits = u32(0x7FC00000)
    return u32(bits | (u32(code & u8(0x80)) << u32(24))).view(f32)


def scaled(
    codes, kind, first, count, columns, row_block, column_block, table, scales, zeros, values
):
    """``(what the code stands for - zero) * scale``, element ``first`` and on of a matrix.

    A code stands for the ``table``'s entry (``kind`` 0), for itself (1), for itself as a signed
    number (2) or for a float, E4M3 (3). Groups are blocks of rows and columns; ``scales`` and
    ``zeros`` begin with those of the first element's row of blocks.
    """
    across = (columns + column_block - 1) // column_block
    row = u64(first) // u64(columns)
    down = (u64(first) + u64(count) - u64(1)) // u64(columns) // u64(row_block) - row // u64(
        row_block
    )
    groups = (down + u64(1)) * u64(across)
    code = carray(codes, count, u8)
    stands = carray(table, 256, f32)
    scale, zero = carray(scales, groups, f32), carray(zeros, groups, f32)
    out = carray(values, count, f32)
    begun = row // u64(row_block)
    column = u64(first) - row * u64(columns)
    at = u64(0)
    while at < u64(count):
        group = column // u64(column_block)
        stop = min((group + u64(1)) * u64(column_block), u64(columns))
        run = min(stop - column, u64(count) - at)
        g = (row // u64(row_block) - begun) * u64(across) + group
        s, z = scale[g], zero[g]
        if kind == 0:
            for i in range(u64(run)):
                out[at + u64(i)] = (stands[code[at + u64(i)]] - z) * s
        elif kind == 1:
            for i in range(u64(run)):
                out[at + u64(i)] = (f32(code[at + u64(i)]) - z) * s
        elif kind == 2:
            for i in range(u64(run)):
                out[at + u64(i)] = (f32(i8(code[at + u64(i)])) - z) * s
        else:
            for i in range(u64(run)):
                out[at + u64(i)] = (_e4m3(code[at + u64(i)]) - z) * s
        at += run
        column += run
        if column == u64(columns):
            column = u64(0)
            row += u64(1)
    return 0


def scaled_by_column(codes, first, count, columns, groups, across, scales, zeros, values):
    """As ``scaled`` for codes that stand for themselves, where the group of each column is in
    ``groups``: each row has ``across`` of them."""
    row = u64(first) // u64(columns)
    rows = (u64(first) + u64(count) - u64(1)) // u64(columns) - row + u64(1)
    code, group = carray(codes, count, u8), carray(groups, columns, u32)
    scale, zero = carray(scales, rows * u64(across), f32), carray(zeros, rows * u64(across), f32)
    out = carray(values, count, f32)
    column = u64(first) - row * u64(columns)
    at = u64(0)
    base = u64(0)
    while at < u64(count):
        run = min(u64(columns) - column, u64(count) - at)
        for i in range(u64(run)):
            g = base + u64(group[column + u64(i)])
            out[at + u64(i)] = (f32(code[at + u64(i)]) - zero[g]) * scale[g]
        at += run
        base += u64(across)
        column = u64(0)
    return 0


@inlined_exactly
def _bf16(value):
    """A float32 rounded to bfloat16, half to even."""
    bits = u32(f32(value).view(u32))
    rounded = u32(bits + u32(0x7FFF) + ((bits >> u32(16)) & u32(1))) >> u32(16)
    quiet = (bits >> u32(16)) | u32(0x40)
    return u16(quiet) if u32(bits & u32(0x7FFFFFFF)) > u32(0x7F800000) else u16(rounded)


@inlined_exactly
def _f16(value):
    """A float32 rounded to half precision, half to even."""
    bits = u32(f32(value).view(u32))
    sign = (bits >> u32(16)) & u32(0x8000)
    magnitude = u32(bits & u32(0x7FFFFFFF))
    # A normal one: the exponent moved by 112, and what is cut off rounded.
    odd = (magnitude >> u32(13)) & u32(1)
    normal = u32(u32(magnitude - u32(0x38000000)) + u32(0xFFF) + odd) >> u32(13)
    # Below 2**-14: adding one half lets the addition round at the last bit there is, 2**-24.
    small = u32(f32(u32(magnitude).view(f32) + f32(0.5)).view(u32)) - u32(0x3F000000)
    half = small if magnitude < u32(0x38800000) else normal
    if magnitude >= u32(0x477FF000):
        half = u32(0x7C00)
    if magnitude > u32(0x7F800000):
        half = u32(0x7E00)
    return u16(sign | half)


def to_bf16(values, count, halves):
    """Rounded to bfloat16."""
    value, out = carray(values, count, f32), carray(halves, count, u16)
    for i in range(u64(count)):
        out[u64(i)] = _bf16(value[u64(i)])
    return 0


def to_f16(values, count, halves):
    """Rounded to half precision."""
    value, out = carray(values, count, f32), carray(halves, count, u16)
    for i in range(u64(count)):
        out[u64(i)] = _f16(value[u64(i)])
    return 0


@inlined_exactly
def _of_bf16(half):
    return u32(u32(half) << u32(16)).view(f32)


@inlined_exactly
def _of_f16(half):
    # Exponent and fraction moved into place are the value times 2**-112, exactly.
    bits = u32(half)
    wide = u32(u32(bits & u32(0x7FFF)) << u32(13))
    value = f32(wide.view(f32) * f32(2.0**112))
    magnitude = u32(f32(value).view(u32))
    if wide >= u32(0x0F800000):
        magnitude = u32(wide | u32(0x7F800000))
    return u32(magnitude | u32(u32(bits & u32(0x8000)) << u32(16))).view(f32)


def affine(codes, first, count, group, scales, biases, values):
    """``code * scale + bias`` in float32, a scale and a bias for each ``group`` of elements;
    those given begin with the first element's."""
    begun = u64(first) // u64(group)
    groups = (u64(first) + u64(count) - u64(1)) // u64(group) - begun + u64(1)
    code, out = carray(codes, count, u8), carray(values, count, f32)
    scale, bias = carray(scales, groups, f32), carray(biases, groups, f32)
    at = u64(0)
    while at < u64(count):
        g = (u64(first) + at) // u64(group)
        run = min((g + u64(1)) * u64(group) - u64(first) - at, u64(count) - at)
        s, b = scale[g - begun], bias[g - begun]
        for i in range(u64(run)):
            product = f32(code[at + u64(i)]) * s
            out[at + u64(i)] = product + b
        at += run
    return 0


def affine_bf16(codes, first, count, group, scales, biases, halves):
    """As ``affine``, with product and sum each rounded to bfloat16."""
    begun = u64(first) // u64(group)
    groups = (u64(first) + u64(count) - u64(1)) // u64(group) - begun + u64(1)
    code, out = carray(codes, count, u8), carray(halves, count, u16)
    scale, bias = carray(scales, groups, f32), carray(biases, groups, f32)
    at = u64(0)
    while at < u64(count):
        g = (u64(first) + at) // u64(group)
        run = min((g + u64(1)) * u64(group) - u64(first) - at, u64(count) - at)
        s, b = scale[g - begun], bias[g - begun]
        for i in range(u64(run)):
            product = _of_bf16(_bf16(f32(code[at + u64(i)]) * s))
            out[at + u64(i)] = _bf16(product + b)
        at += run
    return 0


def affine_f16(codes, first, count, group, scales, biases, halves):
    """As ``affine``, with product and sum each rounded to half precision."""
    begun = u64(first) // u64(group)
    groups = (u64(first) + u64(count) - u64(1)) // u64(group) - begun + u64(1)
    code, out = carray(codes, count, u8), carray(halves, count, u16)
    scale, bias = carray(scales, groups, f32), carray(biases, groups, f32)
    at = u64(0)
    while at < u64(count):
        g = (u64(first) + at) // u64(group)
        run = min((g + u64(1)) * u64(group) - u64(first) - at, u64(count) - at)
        s, b = scale[g - begun], bias[g - begun]
        for i in range(u64(run)):
            product = _of_f16(_f16(f32(code[at + u64(i)]) * s))
            out[at + u64(i)] = _f16(product + b)
        at += run
    return 0
