"""One run of a pair, sixteen elements at a time, while the run before it is counted.

Counting is bound by the store: whatever the tables look like, one counter a cycle. The arithmetic
is bound by the vector units, which stand still while a block is counted. So the two are woven into
one loop, and the processor does both at once::

                  sixteen elements      sixteen elements
    vector units  r, sums, bracket      r, sums, bracket      ...   of this run
    store unit    count count count ... count count count ...       of the run before
                                        |
         out: this run's r  ------------+--->  ``previous`` of the next call

1. Load sixteen elements of each side, as the bits of float32: what is stored in sixteen bits is
   widened there and then.
2. Add to sixteen partial sums of each kind, and to counts of zeros and of changed signs.
3. Divide: ``r``, exactly; a filler in its place where nothing changed.
4. Store ``r`` in ``out``; append those within the bracket to ``kept`` (AVX-512 can compress them),
   or note in ``masks`` which those are.
5. Count sixteen ``r`` of ``previous``, a half of a word each: its key.

After the run the sixteen partial sums become one, halves added to halves: the same bits with any
processor that can fuse a product into a sum. Whether float32 had room for them the caller sees by
their size. ``element_loop.plain_run`` is the same without the weaving, element by element, for any
values and any length; the tests hold one to the other.

LLVM instructions, made with llvmlite's builder, because the weaving is an order of instructions,
which no loop in Python can say.
"""

# What Numba compiles has its types from Numba's inference, and llvmlite has none.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from modeldiff.changes.kernels.bins import BF16, F16, F32, KEYS32, RUN, TABLES
from modeldiff.native.vector_code import (
    BITS,
    FLOATS,
    I16,
    I32,
    I64,
    LANES,
    call_function,
    every,
)

_STEP = 4
"""Vectors of a turn of the loop: enough to hide how long a division takes."""
_FILLER = KEYS32 << 16
_ROW = KEYS32 + 64

STORED: Mapping[int, ir.Type] = {BF16: I16, F16: ir.HalfType(), F32: I32}
"""What a side's elements are loaded as, by how they are stored."""
_FLAGS = ir.VectorType(ir.IntType(1), LANES)

BASE_SQUARED, TARGET_SQUARED, PRODUCT, DELTA_SQUARED, ABS_DELTA = range(5)
LARGEST, LOWEST, HIGHEST, FLIPS, ZEROS = range(5, 10)
"""Places in ``sums``: five float32, then five words; ``LARGEST`` is the bits of a float32."""


def can_compress() -> bool:
    """Whether the processor packs the chosen words of a vector into memory fast: with AVX-512, but
    not those of AMD, where it takes five times as long as the rest of the run."""
    packs = llvm.get_host_cpu_features().get("avx512f", False)
    return packs and not llvm.get_host_cpu_name().startswith("znver")


_NOTHING = ir.Constant(FLOATS, [0.0] * LANES)


class _Lanes:
    """Sixteen elements after sixteen: the instructions of a loop, and what it carries along."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def call(self, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
        """Calls one of LLVM's own functions, declared where it is not yet."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}")
        return self.builder.call(function, arguments)

    def load(self, elements: ir.Value, index: ir.Value) -> ir.Value:
        """Sixteen elements as the bits of float32, stored in one of ``STORED``."""
        b, word = self.builder, elements.type.pointee
        at = b.bitcast(b.gep(elements, [index]), ir.VectorType(word, LANES).as_pointer())
        words = b.load(at, align=1)
        if word == STORED[F16]:
            return b.bitcast(b.fpext(words, FLOATS), BITS)
        return words if word == I32 else b.shl(b.zext(words, BITS), every(16))

    def everywhere(self, word: ir.Value) -> ir.Value:
        undefined = ir.Constant(BITS, ir.Undefined)
        first = self.builder.insert_element(undefined, word, I32(0))
        return self.builder.shuffle_vector(first, undefined, every(0))

    def absolute(self, values: ir.Value) -> ir.Value:
        return self.call(f"fabs.v{LANES}f32", FLOATS, values)

    def add_product(self, one: ir.Value, other: ir.Value, sums: ir.Value) -> ir.Value:
        return self.call(f"fmuladd.v{LANES}f32", FLOATS, one, other, sums)

    def extreme(self, kind: str, one: ir.Value, other: ir.Value) -> ir.Value:
        return self.call(f"{kind}.v{LANES}i32", BITS, one, other)

    def is_zero(self, values: ir.Value) -> ir.Value:
        return self.builder.fcmp_ordered("==", values, _NOTHING)

    def count(self, flags: ir.Value, counts: ir.Value) -> ir.Value:
        return self.builder.sub(counts, self.builder.sext(flags, BITS))

    def reduce(self, kind: str, values: ir.Value) -> ir.Value:
        return self.call(f"vector.reduce.{kind}.v{LANES}i32", I32, values)

    def append(self, words, chosen, flags, kept, size):
        """Stores the chosen words behind ``size`` others; how many there are then."""
        self.call(
            f"masked.compressstore.v{LANES}i32",
            ir.VoidType(),
            words,
            self.builder.gep(kept, [size]),
            chosen,
        )
        many = self.call("ctpop.i16", I16, flags)
        return self.builder.add(size, self.builder.zext(many, I64))

    def total(self, sums: ir.Value) -> ir.Value:
        """Halves added to halves, until one is left: the same order on every processor."""
        b, lanes = self.builder, LANES
        while lanes > 1:
            lanes //= 2
            parts = [
                b.shuffle_vector(
                    sums,
                    sums,
                    ir.Constant(ir.VectorType(I32, lanes), list(range(first, first + lanes))),
                )
                for first in (0, lanes)
            ]
            sums = b.fadd(*parts)
        return b.extract_element(sums, I32(0))


_STARTS = {
    **dict.fromkeys(("base", "target", "product", "delta", "size"), _NOTHING),
    "largest": every(0),
    "lowest": every(_FILLER),
    "highest": every(0),
    "flips": every(0),
    "zeros": every(0),
}
"""What the loop carries from turn to turn, in the order of ``sums``."""
_REDUCED = {"largest": "umax", "lowest": "umin", "highest": "smax", "flips": "add", "zeros": "add"}


def _loop(
    builder: ir.IRBuilder,
    starts: Mapping[str, ir.Value],
    step: int,
    turn: Callable[[ir.Value, dict[str, ir.Value]], None],
) -> dict[str, ir.Value]:
    """A loop over the elements of a run, ``step`` a turn; what it carries, in the end. ``turn``
    makes the instructions of one, from its first element and what is carried, which it replaces."""
    before = builder.block
    loop, after = builder.append_basic_block("run"), builder.append_basic_block("run_done")
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(I64)
    index.add_incoming(I64(0), before)
    carried = {}
    for name, start in starts.items():
        carried[name] = builder.phi(start.type)
        carried[name].add_incoming(start, before)
    now = dict(carried)
    turn(index, now)
    following = builder.add(index, I64(step))
    index.add_incoming(following, loop)
    for name, phi in carried.items():
        phi.add_incoming(now[name], loop)
    builder.cbranch(builder.icmp_unsigned("<", following, I64(RUN)), loop, after)
    builder.position_at_end(after)
    return now


def _store(builder: ir.IRBuilder, sums: ir.Value, place: int, value: ir.Value) -> None:
    at = builder.gep(sums, [I64(place)])
    builder.store(value, builder.bitcast(at, value.type.as_pointer()))


def _measure_lanes(
    lanes: _Lanes, now: dict[str, ir.Value], x_bits: ir.Value, y_bits: ir.Value, slot: int
) -> ir.Value:
    """Adds sixteen elements to what is carried; their ``r``, or fillers."""
    b = lanes.builder
    x, y = b.bitcast(x_bits, FLOATS), b.bitcast(y_bits, FLOATS)
    delta = b.fsub(y, x)
    size = lanes.absolute(delta)
    now["base"] = lanes.add_product(x, x, now["base"])
    now["target"] = lanes.add_product(y, y, now["target"])
    now["product"] = lanes.add_product(y, x, now["product"])
    now["delta"] = lanes.add_product(delta, delta, now["delta"])
    now["size"] = b.fadd(now["size"], size)
    now["largest"] = lanes.extreme("umax", now["largest"], b.bitcast(size, BITS))
    zero = lanes.is_zero(x)
    other_sign = b.icmp_signed("<", b.xor(x_bits, y_bits), every(0))
    neither_zero = b.not_(b.or_(zero, lanes.is_zero(y)))
    now["zeros"] = lanes.count(zero, now["zeros"])
    now["flips"] = lanes.count(b.and_(other_sign, neither_zero), now["flips"])
    r = b.bitcast(lanes.absolute(b.fdiv(delta, x)), BITS)
    fillers = [_FILLER + (slot * LANES + lane << 16) for lane in range(LANES)]
    r = b.select(b.fcmp_ordered("==", x, y), ir.Constant(BITS, fillers), r)
    now["lowest"] = lanes.extreme("umin", now["lowest"], r)
    now["highest"] = lanes.extreme("smax", now["highest"], r)
    return r


def make_vector_run(x_code: int, y_code: int, bracket: bool, compress: bool) -> Callable[..., Any]:
    """The run for sides that are stored so: each one of ``STORED``.

    The function takes addresses, as numbers: of the sides' elements, of ``out`` and ``previous``
    (RUN words each), of the tables, of ``sums`` (ten words), ``kept`` and ``masks`` (a bit an
    element), the bracket's ``low`` and ``width``, and how many words were kept before; it returns
    how many are kept then. Without ``bracket`` none are; without ``compress`` masks are written
    in place of words.
    """

    name = f"vector_run_{x_code}_{y_code}{'_bracket' * bracket}"
    x_word, y_word = STORED[x_code], STORED[y_code]
    parameters = [
        *(word.as_pointer() for word in (x_word, y_word, I32, I32, I32, I32, I32, I16)),
        *(I32, I32, I64),
    ]

    def body(b: ir.IRBuilder) -> None:
        x, y, out, previous, first_table, sums, kept, masks, low, width, size = b.function.args
        lanes = _Lanes(b)
        keys = b.bitcast(previous, I16.as_pointer())
        tables = [b.gep(first_table, [I64(table * _ROW)]) for table in range(TABLES)]
        lows, widths = lanes.everywhere(low), lanes.everywhere(width)

        def turn(index, now):
            for step in range(_STEP):
                at = b.add(index, I64(step * LANES))
                r = _measure_lanes(lanes, now, lanes.load(x, at), lanes.load(y, at), step)
                b.store(r, b.bitcast(b.gep(out, [at]), BITS.as_pointer()), align=4)
                if bracket:
                    inside = b.icmp_unsigned("<", b.sub(r, lows), widths)
                    flags = b.bitcast(inside, I16)
                    if compress:
                        now["kept"] = lanes.append(r, inside, flags, kept, now["kept"])
                    else:
                        b.store(flags, b.gep(masks, [b.udiv(at, I64(LANES))]))
                for lane in range(LANES):
                    half = b.gep(keys, [b.add(b.shl(at, I64(1)), I64(2 * lane + 1))])
                    counter = b.gep(tables[lane % TABLES], [b.zext(b.load(half), I64)])
                    b.store(b.add(b.load(counter), I32(1)), counter)

        now = _loop(b, {**_STARTS, "kept": size}, _STEP * LANES, turn)
        for place, each in enumerate(_STARTS):
            kind = _REDUCED.get(each)
            total = lanes.reduce(kind, now[each]) if kind else lanes.total(now[each])
            _store(b, sums, place, total)
        b.ret(now["kept"])

    def generate(context, builder, signature, arguments):
        return call_function(builder, name, parameters, body, arguments)

    @intrinsic
    def vector_run(typing, x, y, out, previous, tables, sums, kept, masks, low, width, size):
        return types.int64(*[types.int64] * 8, types.uint32, types.uint32, types.int64), generate

    return vector_run


def make_equal_run(code: int) -> Callable[..., Any]:
    """For runs of two sides that are both stored so: whether they are the same bits, and if so
    the sum of squares and the zeros, at their places in ``sums`` as the vector run leaves them.

    The function takes the addresses of the sides' elements and of ``sums``. Most runs that differ
    do so in their first elements, and are left there.
    """
    name = f"equal_run_{code}"
    parameters = [*[STORED[code].as_pointer()] * 2, I32.as_pointer()]

    def body(b: ir.IRBuilder) -> None:
        x, y, sums = b.function.args
        lanes = _Lanes(b)

        def look(index, now):
            for step in range(_STEP):
                at = b.add(index, I64(step * LANES))
                x_bits, y_bits = lanes.load(x, at), lanes.load(y, at)
                values = b.bitcast(x_bits, FLOATS)
                now["differing"] = b.or_(now["differing"], b.xor(x_bits, y_bits))
                now["base"] = lanes.add_product(values, values, now["base"])
                now["zeros"] = lanes.count(lanes.is_zero(values), now["zeros"])

        def is_equal(now):
            return b.icmp_signed("==", lanes.reduce("or", now["differing"]), I32(0))

        start = {"differing": every(0), "base": _NOTHING, "zeros": every(0)}
        first = dict(start)
        look(I64(0), first)
        with b.if_then(b.not_(is_equal(first)), likely=True):
            b.ret(I64(0))
        now = _loop(b, start, _STEP * LANES, look)
        _store(b, sums, BASE_SQUARED, lanes.total(now["base"]))
        _store(b, sums, ZEROS, lanes.reduce("add", now["zeros"]))
        b.ret(b.zext(is_equal(now), I64))

    def generate(context, builder, signature, arguments):
        return call_function(builder, name, parameters, body, arguments)

    @intrinsic
    def equal_run(typing, x, y, sums):
        return types.int64(types.int64, types.int64, types.int64), generate

    return equal_run


def _address_of(typing, values):
    """Where an array or what a pointer points to begins, as a number."""

    def generate(context, builder, signature, arguments):
        at = arguments[0]
        if isinstance(values, types.Array):
            at = context.make_array(values)(context, builder, at).data
        return builder.ptrtoint(at, I64)

    return types.int64(values), generate


def _pointer_to(typing, address):
    """The pointer to where an ``address_of`` is."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


# Numba's types for intrinsics are those of their makers, not of their callers.
address_of: Callable[[Any], Any] = intrinsic(_address_of)
pointer_to: Callable[[Any], Any] = intrinsic(_pointer_to)
