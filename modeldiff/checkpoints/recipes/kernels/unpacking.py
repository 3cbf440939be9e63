"""Codes of two to eight bits to a byte each, or two at once to what they stand for."""

# What Numba compiles has its types from Numba's inference.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from modeldiff.checkpoints.recipes.kernels.stages import (
    HIGH_NIBBLES,
    LOW_NIBBLES,
    QUARTERS,
    STREAM,
)
from modeldiff.native.numba_types import inlined_exactly, u8, u64


@inlined_exactly
def _low_nibbles(raw, out):
    """Two codes a byte, the first in the low half."""
    for i in range(u64(raw.size)):
        out[u64(2) * u64(i)] = raw[u64(i)] & u8(15)
        out[u64(2) * u64(i) + u64(1)] = raw[u64(i)] >> u8(4)


@inlined_exactly
def _high_nibbles(raw, out):
    """Two codes a byte, the first in the high half."""
    for i in range(u64(raw.size)):
        out[u64(2) * u64(i)] = raw[u64(i)] >> u8(4)
        out[u64(2) * u64(i) + u64(1)] = raw[u64(i)] & u8(15)


@inlined_exactly
def _quarters(raw, out):
    """Four codes a byte, the lowest bits first."""
    for i in range(u64(raw.size)):
        for k in range(u64(4)):
            out[u64(4) * u64(i) + u64(k)] = (raw[u64(i)] >> u8(u64(2) * u64(k))) & u8(3)


@inlined_exactly
def _bit_stream(raw, bits, out):
    """Codes one after the other, the lowest bits first: eight in ``bits`` bytes."""
    mask = u64((u64(1) << u64(bits)) - u64(1))
    for i in range(u64(raw.size) // u64(bits)):
        eight = u64(0)
        for k in range(u64(bits)):
            eight |= u64(raw[u64(i) * u64(bits) + u64(k)]) << (u64(8) * u64(k))
        for k in range(u64(8)):
            out[u64(8) * u64(i) + u64(k)] = u8((eight >> (u64(bits) * u64(k))) & mask)


@inlined_exactly
def as_octets(raw, packing, bits, out):
    """The codes of whole bytes, a byte each: in ``out``, or where they are if they are so."""
    if packing == LOW_NIBBLES:
        _low_nibbles(raw, out)
    elif packing == HIGH_NIBBLES:
        _high_nibbles(raw, out)
    elif packing == QUARTERS:
        _quarters(raw, out)
    elif packing == STREAM:
        _bit_stream(raw, bits, out)
    else:
        return raw
    return out


@inlined_exactly
def pair_table(table, packing, pairs):
    """What both codes of each byte stand for."""
    for byte in range(u64(256)):
        low, high = table[byte & u64(15)], table[byte >> u64(4)]
        first = low if packing == LOW_NIBBLES else high
        pairs[u64(2) * byte] = first
        pairs[u64(2) * byte + u64(1)] = high if packing == LOW_NIBBLES else low


@inlined_exactly
def numbers_of_pairs(raw, pairs, out):
    """What the codes of whole bytes stand for: a look-up for two."""
    both, found = out.view(u64), pairs.view(u64)
    for i in range(u64(raw.size)):
        both[u64(i)] = found[raw[u64(i)]]
