"""Groups of four-bit codes: a group's sixteen values are computed once, and looked up by its codes.

One vector holds the sixteen values, or two do, and an order of them that is not known before, which
one instruction makes, is what sixteen codes stand for. Where the processor has none, nothing is
done here. LLVM instructions, as no loop in Python becomes that one.
"""

# What Numba compiles has its types from Numba's inference, and llvmlite has none.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from modeldiff.checkpoints.recipes.kernels.stages import AS_BF16, AS_F16, AS_F32
from modeldiff.native.numba_types import inlined_exactly
from modeldiff.native.vector_code import (
    BITS,
    FLOATS,
    I16,
    I32,
    I64,
    LANES,
    as_bfloats,
    as_halves,
    call_function,
    every,
    has_permutes,
    looked_up,
)

A_TURN = 2 * LANES
"""Values that are looked up together; a group has to be some times as many."""
_OCTETS = ir.VectorType(ir.IntType(8), LANES)
_PAIRS = [lane // 2 + LANES * (lane % 2) for lane in range(A_TURN)]


def _every(b: ir.IRBuilder, number: ir.Value) -> ir.Value:
    one = b.insert_element(ir.Constant(FLOATS, ir.Undefined), number, I32(0))
    return b.shuffle_vector(one, one, every(0))


def _without_payload(b: ir.IRBuilder, number: ir.Value) -> ir.Value:
    nothing = b.bitcast(I32(0x7FC00000), ir.FloatType())
    return b.select(b.fcmp_ordered("==", number, number), number, nothing)


def _rounded(b: ir.IRBuilder, values: ir.Value, rounding: int) -> ir.Value:
    """As words: rounded ones in the lower half."""
    if rounding == AS_F32:
        return b.bitcast(values, BITS)
    if rounding == AS_BF16:
        return b.zext(as_bfloats(b, values), BITS)
    return b.zext(as_halves(b, values, by_processor=False), BITS)  # NaN may be any in a table


def _as_floats(b: ir.IRBuilder, words: ir.Value, rounding: int) -> ir.Value:
    if rounding == AS_F32:
        return b.bitcast(words, FLOATS)
    if rounding == AS_BF16:
        return b.bitcast(b.shl(words, every(16)), FLOATS)
    return b.fpext(
        b.bitcast(b.trunc(words, ir.VectorType(I16, LANES)), ir.VectorType(ir.HalfType(), LANES)),
        FLOATS,
    )


def _make_groups(affine: bool, rounding: int) -> Callable[..., Any]:
    """The values of ``groups`` groups of ``turns`` times thirty-two codes.

    The function takes addresses, as numbers: of the first group's codes, of the sixteen
    ``numbers`` that they stand for, of the first group's ``scale`` and ``beside`` it its bias or
    zero point, and of ``out``. It returns whether it did anything.
    """
    name = f"sixteen_values_{'affine' if affine else 'scaled'}_{rounding}"
    word = I32 if rounding == AS_F32 else I16
    number = ir.FloatType().as_pointer()
    places = [ir.IntType(8).as_pointer(), number, number, number, word.as_pointer()]

    def table_of(b, numbers, scale, beside):
        if affine:
            product = _rounded(b, b.fmul(numbers, _every(b, scale)), rounding)
            total = b.fadd(_as_floats(b, product, rounding), _every(b, beside))
            return _rounded(b, total, rounding)
        scale, beside = (_every(b, _without_payload(b, each)) for each in (scale, beside))
        return _rounded(b, b.fmul(b.fsub(numbers, beside), scale), rounding)

    def store_pairs(b, firsts, seconds, at):
        if rounding == AS_F32:
            run = b.shuffle_vector(firsts, seconds, ir.Constant(ir.VectorType(I32, A_TURN), _PAIRS))
        else:  # the second of two neighbours is the upper half of their word
            run = b.or_(firsts, b.shl(seconds, every(16)))
        b.store(run, b.bitcast(at, run.type.as_pointer()), align=word.width // 8)

    def body(b: ir.IRBuilder) -> None:
        stored, sixteen, scales, besides, out, groups, turns, high_first = b.function.args
        numbers = b.load(b.bitcast(sixteen, FLOATS.as_pointer()), align=4)
        before = b.block
        group_loop, turn_loop, group_end, after = (
            b.append_basic_block(each) for each in ("group", "turn", "next", "done")
        )
        swapped = b.icmp_unsigned("!=", high_first, I64(0))
        b.branch(group_loop)
        b.position_at_end(group_loop)
        group = b.phi(I64)
        group.add_incoming(I64(0), before)
        scale, beside = (b.load(b.gep(each, [group])) for each in (scales, besides))
        table = table_of(b, numbers, scale, beside)
        begun = b.mul(group, turns)
        b.branch(turn_loop)
        b.position_at_end(turn_loop)
        turn = b.phi(I64)
        turn.add_incoming(I64(0), group_loop)
        place = b.add(begun, turn)
        at = b.gep(stored, [b.mul(place, I64(LANES))])
        codes = b.zext(b.load(b.bitcast(at, _OCTETS.as_pointer()), align=1), BITS)
        low = looked_up(b, table, b.and_(codes, every(15)))
        high = looked_up(b, table, b.lshr(codes, every(4)))
        firsts, seconds = b.select(swapped, high, low), b.select(swapped, low, high)
        store_pairs(b, firsts, seconds, b.gep(out, [b.mul(place, I64(A_TURN))]))
        following = b.add(turn, I64(1))
        turn.add_incoming(following, turn_loop)
        b.cbranch(b.icmp_unsigned("<", following, turns), turn_loop, group_end)
        b.position_at_end(group_end)
        next_group = b.add(group, I64(1))
        group.add_incoming(next_group, group_end)
        b.cbranch(b.icmp_unsigned("<", next_group, groups), group_loop, after)
        b.position_at_end(after)
        b.ret(I64(1))

    def generate(context, builder, signature, arguments):
        if not has_permutes():
            return I64(0)
        return call_function(builder, name, [*places, I64, I64, I64], body, arguments)

    @intrinsic
    def decode(typing, stored, sixteen, scales, besides, out, groups, turns, high_first):
        return types.int64(*[types.int64] * 8), generate

    return decode


def _by_rounding(affine):
    f32, f16, bf16 = (_make_groups(affine, rounding) for rounding in (AS_F32, AS_F16, AS_BF16))

    @inlined_exactly
    def decode(rounding, stored, sixteen, scales, besides, out, groups, turns, high_first):
        if rounding == AS_F16:
            return f16(stored, sixteen, scales, besides, out, groups, turns, high_first)
        if rounding == AS_BF16:
            return bf16(stored, sixteen, scales, besides, out, groups, turns, high_first)
        return f32(stored, sixteen, scales, besides, out, groups, turns, high_first)

    return decode


affine_groups, scaled_groups = _by_rounding(True), _by_rounding(False)
"""Whole groups, by addresses; 0 where nothing was done. See ``_make_groups``."""
