"""One run of a pair, sixteen elements at a time, while the run before it is counted.

Counting is bound by the store: whatever the tables look like, one counter a cycle. The arithmetic
is bound by the vector units, which stand still while a block is counted. So the two are woven into
one loop, and the processor does both at once::

                  sixteen elements      sixteen elements
    vector units  r, sums, bracket      r, sums, bracket      ...   of this run
    store unit    count count count ... count count count ...       of the run before
                                        |
         out: this run's r  ------------+--->  ``previous`` of the next call

1. Load sixteen elements of each side, as the bits of float32.
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

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from modeldiff.changes.kernels.bins import KEYS32, RUN, TABLES

LANES = 16
_STEP = 4
"""Vectors of a turn of the loop: enough to hide how long a division takes."""
_FILLER = KEYS32 << 16
_ROW = KEYS32 + 64

_I1, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (1, 16, 32, 64))
_FLOAT = ir.FloatType()
_BITS = ir.VectorType(_I32, LANES)
_FLOATS = ir.VectorType(_FLOAT, LANES)
_FLAGS = ir.VectorType(_I1, LANES)

BASE_SQUARED, TARGET_SQUARED, PRODUCT, DELTA_SQUARED, ABS_DELTA = range(5)
LARGEST, LOWEST, HIGHEST, FLIPS, ZEROS = range(5, 10)
"""Places in ``sums``: five float32, then five words; ``LARGEST`` is the bits of a float32."""


def can_compress() -> bool:
    """Whether the processor packs the chosen words of a vector into memory fast: with AVX-512, but
    not those of AMD, where it takes five times as long as the rest of the run."""
    packs = llvm.get_host_cpu_features().get("avx512f", False)
    return packs and not llvm.get_host_cpu_name().startswith("znver")


def _every(value: int) -> ir.Constant:
    return ir.Constant(_BITS, [value] * LANES)


_NOTHING = ir.Constant(_FLOATS, [0.0] * LANES)


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
        """Sixteen elements as the bits of float32; stored as float32, or as bfloat16."""
        b, word = self.builder, elements.type.pointee
        at = b.bitcast(b.gep(elements, [index]), ir.VectorType(word, LANES).as_pointer())
        words = b.load(at, align=1)
        return words if word == _I32 else b.shl(b.zext(words, _BITS), _every(16))

    def everywhere(self, word: ir.Value) -> ir.Value:
        undefined = ir.Constant(_BITS, ir.Undefined)
        first = self.builder.insert_element(undefined, word, _I32(0))
        return self.builder.shuffle_vector(first, undefined, _every(0))

    def absolute(self, values: ir.Value) -> ir.Value:
        return self.call(f"fabs.v{LANES}f32", _FLOATS, values)

    def add_product(self, one: ir.Value, other: ir.Value, sums: ir.Value) -> ir.Value:
        return self.call(f"fmuladd.v{LANES}f32", _FLOATS, one, other, sums)

    def extreme(self, kind: str, one: ir.Value, other: ir.Value) -> ir.Value:
        return self.call(f"{kind}.v{LANES}i32", _BITS, one, other)

    def is_zero(self, values: ir.Value) -> ir.Value:
        return self.builder.fcmp_ordered("==", values, _NOTHING)

    def count(self, flags: ir.Value, counts: ir.Value) -> ir.Value:
        return self.builder.sub(counts, self.builder.sext(flags, _BITS))

    def reduce(self, kind: str, values: ir.Value) -> ir.Value:
        return self.call(f"vector.reduce.{kind}.v{LANES}i32", _I32, values)

    def append(self, words, chosen, flags, kept, size):
        """Stores the chosen words behind ``size`` others; how many there are then."""
        self.call(
            f"masked.compressstore.v{LANES}i32",
            ir.VoidType(),
            words,
            self.builder.gep(kept, [size]),
            chosen,
        )
        many = self.call("ctpop.i16", _I16, flags)
        return self.builder.add(size, self.builder.zext(many, _I64))

    def total(self, sums: ir.Value) -> ir.Value:
        """Halves added to halves, until one is left: the same order on every processor."""
        b, lanes = self.builder, LANES
        while lanes > 1:
            lanes //= 2
            parts = [
                b.shuffle_vector(
                    sums,
                    sums,
                    ir.Constant(ir.VectorType(_I32, lanes), list(range(first, first + lanes))),
                )
                for first in (0, lanes)
            ]
            sums = b.fadd(*parts)
        return b.extract_element(sums, _I32(0))


_STARTS = {
    **dict.fromkeys(("base", "target", "product", "delta", "size"), _NOTHING),
    "largest": _every(0),
    "lowest": _every(_FILLER),
    "highest": _every(0),
    "flips": _every(0),
    "zeros": _every(0),
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
    index = builder.phi(_I64)
    index.add_incoming(_I64(0), before)
    carried = {}
    for name, start in starts.items():
        carried[name] = builder.phi(start.type)
        carried[name].add_incoming(start, before)
    now = dict(carried)
    turn(index, now)
    following = builder.add(index, _I64(step))
    index.add_incoming(following, loop)
    for name, phi in carried.items():
        phi.add_incoming(now[name], loop)
    builder.cbranch(builder.icmp_unsigned("<", following, _I64(RUN)), loop, after)
    builder.position_at_end(after)
    return now


def _store(builder: ir.IRBuilder, sums: ir.Value, place: int, value: ir.Value) -> None:
    at = builder.gep(sums, [_I64(place)])
    builder.store(value, builder.bitcast(at, value.type.as_pointer()))


def _call(
    builder: ir.IRBuilder,
    name: str,
    parameters: Sequence[ir.Type],
    body: Callable[[ir.IRBuilder], None],
    arguments: Sequence[ir.Value],
) -> ir.Value:
    """Calls a function of its own, made where the module has none of this name yet: so its loop is
    compiled once, alone with the registers, and is promised that its pointers do not overlap."""
    module = builder.module
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(_I64, parameters), name)
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


def _measure_lanes(
    lanes: _Lanes, now: dict[str, ir.Value], x_bits: ir.Value, y_bits: ir.Value, slot: int
) -> ir.Value:
    """Adds sixteen elements to what is carried; their ``r``, or fillers."""
    b = lanes.builder
    x, y = b.bitcast(x_bits, _FLOATS), b.bitcast(y_bits, _FLOATS)
    delta = b.fsub(y, x)
    size = lanes.absolute(delta)
    now["base"] = lanes.add_product(x, x, now["base"])
    now["target"] = lanes.add_product(y, y, now["target"])
    now["product"] = lanes.add_product(y, x, now["product"])
    now["delta"] = lanes.add_product(delta, delta, now["delta"])
    now["size"] = b.fadd(now["size"], size)
    now["largest"] = lanes.extreme("umax", now["largest"], b.bitcast(size, _BITS))
    zero = lanes.is_zero(x)
    other_sign = b.icmp_signed("<", b.xor(x_bits, y_bits), _every(0))
    neither_zero = b.not_(b.or_(zero, lanes.is_zero(y)))
    now["zeros"] = lanes.count(zero, now["zeros"])
    now["flips"] = lanes.count(b.and_(other_sign, neither_zero), now["flips"])
    r = b.bitcast(lanes.absolute(b.fdiv(delta, x)), _BITS)
    fillers = [_FILLER + (slot * LANES + lane << 16) for lane in range(LANES)]
    r = b.select(b.fcmp_ordered("==", x, y), ir.Constant(_BITS, fillers), r)
    now["lowest"] = lanes.extreme("umin", now["lowest"], r)
    now["highest"] = lanes.extreme("smax", now["highest"], r)
    return r


def make_vector_run(
    x_width: int, y_width: int, bracket: bool, compress: bool
) -> Callable[..., Any]:
    """The run for sides of 16 bits (bfloat16) or 32 (float32) an element.

    The function takes addresses, as numbers: of the sides' elements, of ``out`` and ``previous``
    (RUN words each), of the tables, of ``sums`` (ten words), ``kept`` and ``masks`` (a bit an
    element), the bracket's ``low`` and ``width``, and how many words were kept before; it returns
    how many are kept then. Without ``bracket`` none are; without ``compress`` masks are written
    in place of words.
    """

    name = f"vector_run_{x_width}_{y_width}{'_bracket' * bracket}"
    x_word, y_word = ir.IntType(x_width), ir.IntType(y_width)
    parameters = [
        *(word.as_pointer() for word in (x_word, y_word, _I32, _I32, _I32, _I32, _I32, _I16)),
        *(_I32, _I32, _I64),
    ]

    def body(b: ir.IRBuilder) -> None:
        x, y, out, previous, first_table, sums, kept, masks, low, width, size = b.function.args
        lanes = _Lanes(b)
        keys = b.bitcast(previous, _I16.as_pointer())
        tables = [b.gep(first_table, [_I64(table * _ROW)]) for table in range(TABLES)]
        lows, widths = lanes.everywhere(low), lanes.everywhere(width)

        def turn(index, now):
            for step in range(_STEP):
                at = b.add(index, _I64(step * LANES))
                r = _measure_lanes(lanes, now, lanes.load(x, at), lanes.load(y, at), step)
                b.store(r, b.bitcast(b.gep(out, [at]), _BITS.as_pointer()), align=4)
                if bracket:
                    inside = b.icmp_unsigned("<", b.sub(r, lows), widths)
                    flags = b.bitcast(inside, _I16)
                    if compress:
                        now["kept"] = lanes.append(r, inside, flags, kept, now["kept"])
                    else:
                        b.store(flags, b.gep(masks, [b.udiv(at, _I64(LANES))]))
                for lane in range(LANES):
                    half = b.gep(keys, [b.add(b.shl(at, _I64(1)), _I64(2 * lane + 1))])
                    counter = b.gep(tables[lane % TABLES], [b.zext(b.load(half), _I64)])
                    b.store(b.add(b.load(counter), _I32(1)), counter)

        now = _loop(b, {**_STARTS, "kept": size}, _STEP * LANES, turn)
        for place, each in enumerate(_STARTS):
            kind = _REDUCED.get(each)
            total = lanes.reduce(kind, now[each]) if kind else lanes.total(now[each])
            _store(b, sums, place, total)
        b.ret(now["kept"])

    def generate(context, builder, signature, arguments):
        return _call(builder, name, parameters, body, arguments)

    @intrinsic
    def vector_run(typing, x, y, out, previous, tables, sums, kept, masks, low, width, size):
        return types.int64(*[types.int64] * 8, types.uint32, types.uint32, types.int64), generate

    return vector_run


def make_equal_run(width: int) -> Callable[..., Any]:
    """For runs of two sides of so many bits an element: whether they are the same bits, and if so
    the sum of squares and the zeros, at their places in ``sums`` as the vector run leaves them.

    The function takes the addresses of the sides' elements and of ``sums``. Most runs that differ
    do so in their first elements, and are left there.
    """
    name = f"equal_run_{width}"
    parameters = [*[ir.IntType(width).as_pointer()] * 2, _I32.as_pointer()]

    def body(b: ir.IRBuilder) -> None:
        x, y, sums = b.function.args
        lanes = _Lanes(b)

        def look(index, now):
            for step in range(_STEP):
                at = b.add(index, _I64(step * LANES))
                x_bits, y_bits = lanes.load(x, at), lanes.load(y, at)
                values = b.bitcast(x_bits, _FLOATS)
                now["differing"] = b.or_(now["differing"], b.xor(x_bits, y_bits))
                now["base"] = lanes.add_product(values, values, now["base"])
                now["zeros"] = lanes.count(lanes.is_zero(values), now["zeros"])

        def is_equal(now):
            return b.icmp_signed("==", lanes.reduce("or", now["differing"]), _I32(0))

        start = {"differing": _every(0), "base": _NOTHING, "zeros": _every(0)}
        first = dict(start)
        look(_I64(0), first)
        with b.if_then(b.not_(is_equal(first)), likely=True):
            b.ret(_I64(0))
        now = _loop(b, start, _STEP * LANES, look)
        _store(b, sums, BASE_SQUARED, lanes.total(now["base"]))
        _store(b, sums, ZEROS, lanes.reduce("add", now["zeros"]))
        b.ret(b.zext(is_equal(now), _I64))

    def generate(context, builder, signature, arguments):
        return _call(builder, name, parameters, body, arguments)

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
        return builder.ptrtoint(at, _I64)

    return types.int64(values), generate


def _pointer_to(typing, address):
    """The pointer to where an ``address_of`` is."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


# Numba's types for intrinsics are those of their makers, not of their callers.
address_of: Callable[[Any], Any] = intrinsic(_address_of)
pointer_to: Callable[[Any], Any] = intrinsic(_pointer_to)
