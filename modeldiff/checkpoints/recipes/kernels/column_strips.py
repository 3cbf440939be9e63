"""Codes stored [in, out] to values [out, in]: sixteen outputs at a time, thirty-two inputs a turn.

In the file sixteen neighbouring outputs of one input stand in a row, and so do their scales and
zero points: a vector each, whatever group an input is of. What was made of sixteen inputs is
turned in registers, sixteen vectors to sixteen, and stored as runs of a row::

     words, sixteen outputs             values of one input       sixteen inputs of one output
    +---------------------+   shifts    +---------------------+   turned   +------------------+
    | eight inputs a word | ----------> | (code - zero) * s   | ---------> | a run of the row |
    +---------------------+   0, 4, 8…  +---------------------+            +------------------+

LLVM instructions, as the turning is an order of shuffles, which no loop in Python can say.
"""

# What Numba compiles has its types from Numba's inference, and llvmlite has none.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from modeldiff.checkpoints.recipes.kernels.stages import (
    AS_BF16,
    AS_F16,
    AS_F32,
    AWQ_ORDER,
    INPUTS_A_TURN,
)
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
    has_halves,
    transposed,
)

_WORD = 32
_TILE = 128
"""Inputs whose words are gone through for all outputs, while they are in the nearest cache."""
_AHEAD = 4
"""Turns that go by until words that are asked for are needed."""
_TWO_WORDS = ir.VectorType(I32, 2)
_AWQ_SHIFTS = ir.Constant(BITS, [4 * AWQ_ORDER[lane % 8] for lane in range(LANES)])
_FROM_WORD = ir.Constant(BITS, [lane // 8 for lane in range(LANES)])


def _load(b: ir.IRBuilder, at: ir.Value, kind: ir.Type) -> ir.Value:
    return b.load(b.bitcast(at, kind.as_pointer()), align=4)


def _prefetch(b: ir.IRBuilder, words: ir.Value, stride: ir.Value, rows: int) -> None:
    """Asks for the words of a later turn: each is in a page of its own, where the processor does
    not look ahead by itself."""
    pointer = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, I32, I32, I32])
    function = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
    for row in range(_AHEAD * rows, (_AHEAD + 1) * rows):
        at = b.gep(words, [b.mul(I64(row), stride)])
        b.call(function, [b.bitcast(at, pointer), I32(0), I32(3), I32(1)])


def _codes_by_inputs(b: ir.IRBuilder, bits: int, words: ir.Value, stride: ir.Value) -> list[Any]:
    """The codes of thirty-two inputs, which follow each other in ``bits`` words of each output."""
    stored = [_load(b, b.gep(words, [b.mul(I64(k), stride)]), BITS) for k in range(bits)]
    codes = []
    for place in range(INPUTS_A_TURN):
        word, shift = divmod(place * bits, _WORD)
        code = b.lshr(stored[word], every(shift))
        if shift + bits > _WORD:  # the rest of it is the lowest of the next word
            code = b.or_(code, b.shl(stored[word + 1], every(_WORD - shift)))
        codes.append(b.and_(code, every((1 << bits) - 1)))
    return codes


def _codes_by_outputs(b: ir.IRBuilder, words: ir.Value, stride: ir.Value) -> list[Any]:
    """The codes of thirty-two inputs, each of which has two words for its sixteen outputs."""
    codes = []
    for place in range(INPUTS_A_TURN):
        two = _load(b, b.gep(words, [b.mul(I64(place), stride)]), _TWO_WORDS)
        spread = b.shuffle_vector(two, two, _FROM_WORD)
        codes.append(b.and_(b.lshr(spread, _AWQ_SHIFTS), every(15)))
    return codes


def _make_strip(bits: int, by_outputs: bool, rounding: int) -> Callable[..., Any]:
    """The values of sixteen outputs for ``turns`` times thirty-two inputs.

    The function takes addresses, as numbers: of the first input's word of the first output, of the
    ``order`` of groups from the first input on, of the first output's ``scales`` and ``zeros``, and
    of ``out``. Rows of words are ``stride`` words, of scales ``across`` numbers, and of ``out``
    ``height`` values long.
    """
    name = f"column_strip_{bits}_{'outputs' if by_outputs else 'inputs'}_{rounding}"
    word = I32 if rounding == AS_F32 else I16
    number = ir.FloatType().as_pointer()
    places = [I32.as_pointer(), I32.as_pointer(), number, number, word.as_pointer()]
    halves = has_halves()

    def round_all(b, values):
        if rounding == AS_F32:
            return b.bitcast(values, BITS)
        if rounding == AS_BF16:
            return as_bfloats(b, values)
        return as_halves(b, values, by_processor=halves)

    def body(b: ir.IRBuilder) -> None:
        words, order, scales, zeros, out, stride, across, height, turns = b.function.args
        row = ir.VectorType(word, LANES)
        before = b.block
        loop, after = b.append_basic_block("turn"), b.append_basic_block("done")
        b.branch(loop)
        b.position_at_end(loop)
        turn = b.phi(I64)
        turn.add_incoming(I64(0), before)
        first = b.mul(turn, I64(INPUTS_A_TURN))
        below = first if by_outputs else b.mul(turn, I64(bits))
        at = b.gep(words, [b.mul(below, stride)])
        _prefetch(b, at, stride, INPUTS_A_TURN if by_outputs else bits)
        codes = (
            _codes_by_outputs(b, at, stride)
            if by_outputs
            else _codes_by_inputs(b, bits, at, stride)
        )
        for half in range(0, INPUTS_A_TURN, LANES):
            values = []
            for place in range(half, half + LANES):
                group = b.zext(b.load(b.gep(order, [b.add(first, I64(place))])), I64)
                start = [b.mul(group, across)]
                scale, zero = (_load(b, b.gep(each, start), FLOATS) for each in (scales, zeros))
                number = b.sitofp(codes[place], FLOATS)
                values.append(round_all(b, b.fmul(b.fsub(number, zero), scale)))
            column = b.add(first, I64(half))
            for output, run in enumerate(transposed(b, values)):
                place = b.gep(out, [b.add(b.mul(I64(output), height), column)])
                b.store(run, b.bitcast(place, row.as_pointer()), align=word.width // 8)
        following = b.add(turn, I64(1))
        turn.add_incoming(following, loop)
        b.cbranch(b.icmp_unsigned("<", following, turns), loop, after)
        b.position_at_end(after)
        b.ret(I64(0))

    def generate(context, builder, signature, arguments):
        return call_function(builder, name, [*places, I64, I64, I64, I64], body, arguments)

    @intrinsic
    def strip(typing, words, order, scales, zeros, out, stride, across, height, turns):
        return types.int64(*[types.int64] * 9), generate

    return strip


def _by_rounding(bits, by_outputs):
    f32, f16, bf16 = (
        _make_strip(bits, by_outputs, rounding) for rounding in (AS_F32, AS_F16, AS_BF16)
    )

    @inlined_exactly
    def strip(rounding, words, order, scales, zeros, out, stride, across, height, turns):
        if rounding == AS_F16:
            return f16(words, order, scales, zeros, out, stride, across, height, turns)
        if rounding == AS_BF16:
            return bf16(words, order, scales, zeros, out, stride, across, height, turns)
        return f32(words, order, scales, zeros, out, stride, across, height, turns)

    return strip


_two, _three, _four, _eight = (_by_rounding(bits, False) for bits in (2, 3, 4, 8))
_awq = _by_rounding(4, True)


@inlined_exactly
def _strip(
    by_outputs, bits, rounding, words, order, scales, zeros, out, stride, across, height, turns
):
    if by_outputs:
        return _awq(rounding, words, order, scales, zeros, out, stride, across, height, turns)
    if bits == 2:
        return _two(rounding, words, order, scales, zeros, out, stride, across, height, turns)
    if bits == 3:
        return _three(rounding, words, order, scales, zeros, out, stride, across, height, turns)
    if bits == 4:
        return _four(rounding, words, order, scales, zeros, out, stride, across, height, turns)
    return _eight(rounding, words, order, scales, zeros, out, stride, across, height, turns)


def decode_columns(
    words,
    stride,
    by_outputs,
    bits,
    order,
    scales,
    zeros,
    across,
    first_output,
    outputs,
    first_input,
    inputs,
    rounding,
    height,
    out,
):
    """``(code - zero) * scale``, rounded once, of some outputs and inputs: at least sixteen and
    thirty-two of them.

    All places are addresses, as numbers: of a matrix of ``words``, ``stride`` in a row, of the
    group of each input, of a row of ``across`` scales and zeros for each group. ``out`` gets rows
    of inputs, ``height`` values apart. With eight outputs a word (``by_outputs``), outputs begin
    and end with one. The last strip and turn go back to where they are whole.
    """
    width = 4 if rounding == AS_F32 else 2
    for start in range(0, inputs, _TILE):
        # What is less than a turn is decoded with some of the tile before it.
        size = max(min(_TILE, inputs - start), INPUTS_A_TURN)
        begin = min(start, inputs - size)
        for strip in range(0, outputs, LANES):
            row = min(strip, outputs - LANES)
            output = first_output + row
            for part in range(2):
                turns = 1 if part else size // INPUTS_A_TURN
                column = begin + (size - INPUTS_A_TURN if part else 0)
                if part and size % INPUTS_A_TURN == 0:
                    continue
                source = first_input + column
                if by_outputs:
                    place = source * stride + output // 8
                else:
                    place = source * bits // _WORD * stride + output
                _strip(
                    by_outputs,
                    bits,
                    rounding,
                    words + 4 * place,
                    order + 4 * source,
                    scales + 4 * output,
                    zeros + 4 * output,
                    out + width * (row * height + column),
                    stride,
                    across,
                    height,
                    turns,
                )
    return 0
