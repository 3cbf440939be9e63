"""Instructions made by hand, with llvmlite's builder, where no loop in Python can say them.

Half precision is converted by the processor's own instructions, where it has them: of others LLVM
would make calls to functions of the C runtime, which not every one has.
"""

# What llvmlite builds has no types.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils

LANES = 16
"""Elements that are worked on together."""
I16, I32, I64 = (ir.IntType(bits) for bits in (16, 32, 64))
BITS = ir.VectorType(I32, LANES)
HALVES = ir.VectorType(I16, LANES)
FLOATS = ir.VectorType(ir.FloatType(), LANES)


def every(value: int) -> ir.Constant:
    """Sixteen times the same word."""
    return ir.Constant(BITS, [value] * LANES)


def has_halves() -> bool:
    """Whether the processor converts vectors of half precision to float32 and back."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return True
    return bool(llvm.get_host_cpu_features().get("f16c", False))


def has_permutes() -> bool:
    """Whether the processor brings words into an order that it is told in a vector, sixteen of them
    with AVX-512, eight with AVX2, and has halves, too."""
    features = llvm.get_host_cpu_features()
    return bool(features.get("avx2", False) and features.get("f16c", False))


def looked_up(b: ir.IRBuilder, table: ir.Value, codes: ir.Value) -> ir.Value:
    """Of sixteen words those that sixteen codes name by their lowest four bits. Where
    ``has_permutes``."""
    if llvm.get_host_cpu_features().get("avx512f", False):
        return _permuted(b, "avx512.permvar.si.512", table, codes)
    half = LANES // 2
    lower, upper = (_part(b, table, first) for first in (0, half))
    found = []
    for first in (0, half):
        own = _part(b, codes, first)
        # An instruction looks at the lowest three bits; the fourth, as a sign, chooses between two.
        fourth = b.icmp_signed("<", b.shl(own, own.type([28] * half)), own.type([0] * half))
        low, high = (_permuted(b, "avx2.permd", words, own) for words in (lower, upper))
        found.append(b.select(fourth, high, low))
    both = ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))
    return b.shuffle_vector(*found, both)


def _permuted(b: ir.IRBuilder, name: str, table: ir.Value, codes: ir.Value) -> ir.Value:
    kind = ir.FunctionType(table.type, [table.type, codes.type])
    return b.call(
        cgutils.get_or_insert_function(b.module, kind, f"llvm.x86.{name}"), [table, codes]
    )


def _part(b: ir.IRBuilder, words: ir.Value, first: int) -> ir.Value:
    order = ir.Constant(ir.VectorType(I32, LANES // 2), list(range(first, first + LANES // 2)))
    return b.shuffle_vector(words, words, order)


def as_halves(b: ir.IRBuilder, values: ir.Value, *, by_processor: bool) -> ir.Value:
    """Sixteen float32 rounded to half precision, half to even, as the bits of it. NaN has to have
    nothing in its fraction but the first bit."""
    if by_processor:
        rounded = b.fptrunc(values, ir.VectorType(ir.HalfType(), LANES))
        return b.bitcast(rounded, HALVES)
    bits = b.bitcast(values, BITS)
    sign = b.and_(b.lshr(bits, every(16)), every(0x8000))
    magnitude = b.and_(bits, every(0x7FFFFFFF))
    # A normal one: the exponent moved by 112, and what is cut off rounded.
    odd = b.and_(b.lshr(magnitude, every(13)), every(1))
    moved = b.add(b.add(magnitude, every(0x100000000 - 0x38000000 + 0xFFF)), odd)
    normal = b.lshr(moved, every(13))
    # Below 2**-14: adding one half lets the addition round at the last bit there is, 2**-24.
    half = ir.Constant(FLOATS, [0.5] * LANES)
    small = b.bitcast(b.fadd(b.bitcast(magnitude, FLOATS), half), BITS)
    found = b.select(
        b.icmp_unsigned("<", magnitude, every(0x38800000)),
        b.sub(small, every(0x3F000000)),
        normal,
    )
    infinite = b.icmp_unsigned(">=", magnitude, every(0x477FF000))
    found = b.select(infinite, every(0x7C00), found)
    found = b.select(b.icmp_unsigned(">", magnitude, every(0x7F800000)), every(0x7E00), found)
    return b.trunc(b.or_(sign, found), HALVES)


def as_bfloats(b: ir.IRBuilder, values: ir.Value) -> ir.Value:
    """Sixteen float32 rounded to bfloat16, half to even, as the bits of it. NaN as ``as_halves``
    has it."""
    bits = b.bitcast(values, BITS)
    odd = b.and_(b.lshr(bits, every(16)), every(1))
    rounded = b.lshr(b.add(b.add(bits, odd), every(0x7FFF)), every(16))
    return b.trunc(rounded, HALVES)


def transposed(b: ir.IRBuilder, rows: Sequence[ir.Value]) -> list[ir.Value]:
    """The columns of sixteen vectors. Shuffled four times, each with the one eight places on, as
    two halves of a pack of cards."""
    low = [lane // 2 + LANES * (lane % 2) for lane in range(LANES)]
    masks = [
        ir.Constant(ir.VectorType(I32, LANES), [lane + first for lane in low])
        for first in (0, LANES // 2)
    ]
    now = list(rows)
    for _ in range(4):
        now = [
            b.shuffle_vector(now[place], now[place + LANES // 2], mask)
            for place in range(LANES // 2)
            for mask in masks
        ]
    return now


def call_function(
    builder: ir.IRBuilder,
    name: str,
    parameters: Sequence[ir.Type],
    body: Callable[[ir.IRBuilder], None],
    arguments: Sequence[ir.Value],
) -> ir.Value:
    """Calls a function of its own, made where the module has none of this name yet: so its loop is
    compiled once, alone with the registers, and is promised that its pointers do not overlap.

    ``body`` makes its instructions, which return an int64. Pointers among the ``arguments`` are
    given as numbers.
    """
    module = builder.module
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(I64, parameters), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        for argument in function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        body(ir.IRBuilder(function.append_basic_block()))
    values = [
        builder.inttoptr(value, kind) if isinstance(kind, ir.PointerType) else value
        for value, kind in zip(arguments, parameters, strict=True)
    ]
    return builder.call(function, values)
