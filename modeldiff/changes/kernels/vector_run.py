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
   widened there and then (``lanes`` says how they lie in vectors).
2. Add to sixteen partial sums of each kind, and to counts of zeros and of changed signs.
3. Divide: ``r``, exactly; a filler in its place where nothing changed.
4. Store ``r`` in ``out``; append those within the bracket to ``kept`` (AVX-512 can compress them),
   or note in ``masks`` which those are.
5. Count sixteen ``r`` of ``previous``, a half of a word each: its key.

Where a processor has sixteen registers, which can't hold all that is summed, a run is gone through
twice: once for the squares, once for the changes, and half of ``previous`` is counted in each.

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

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from modeldiff.changes.kernels.bins import BF16, F32, KEYS32, TABLES
from modeldiff.changes.kernels.run_builder import (
    BFLOATS_PAIRED,
    LOADED_AS,
    NO_SUMS,
    RUN_PASSES,
    SIGNS_IN_HALVES,
    STEPS_A_TURN,
    VECTOR_WIDTH,
    VECTOR_WORDS,
    VECTORS_A_STEP,
    CarriedVectors,
    RunBuilder,
    every_word,
    loop_over_run,
)
from modeldiff.native.vector_code import HALVES, I16, I32, I64, LANES, call_function

_FILLER = KEYS32 << 16
_ROW = KEYS32 + 64
_SIGN = 1 << 31

BASE_SQUARED, TARGET_SQUARED, PRODUCT, DELTA_SQUARED, ABS_DELTA = range(5)
LARGEST, LOWEST, HIGHEST, FLIPS, ZEROS = range(5, 10)
"""Places in ``sums``: five float32, then five words; ``LARGEST`` is the bits of a float32."""


def can_compress() -> bool:
    """Whether the processor packs the chosen words of a vector into memory fast: with AVX-512, but
    not those of AMD, where it takes five times as long as the rest of the run."""
    packs = llvm.get_host_cpu_features().get("avx512f", False)
    return packs and not llvm.get_host_cpu_name().startswith("znver")


_SUMS = [NO_SUMS] * VECTORS_A_STEP
_SQUARES: CarriedVectors = {BASE_SQUARED: _SUMS, TARGET_SQUARED: _SUMS, PRODUCT: _SUMS}
_CHANGES: CarriedVectors = {
    DELTA_SQUARED: _SUMS,
    ABS_DELTA: _SUMS,
    LARGEST: [every_word(0)],
    LOWEST: [every_word(_FILLER)],
    HIGHEST: [every_word(0)],
}
_KEPT = "kept"
_REDUCED: dict[int | str, str] = {
    LARGEST: "umax",
    LOWEST: "umin",
    HIGHEST: "smax",
    FLIPS: "add",
    ZEROS: "add",
}


def store_sums(lanes: RunBuilder, now: CarriedVectors, sums: ir.Value, paired: bool) -> None:
    """Makes one number of each that a loop carried under its place in ``sums``, and puts it there.
    ``paired`` is as ``RunBuilder.total`` has it."""
    b = lanes.builder
    for place, vectors in now.items():
        if place != _KEPT:
            kind = _REDUCED.get(place)
            total = lanes.reduce(kind, vectors[0]) if kind else lanes.total(vectors, paired)
            b.store(total, b.bitcast(b.gep(sums, [I64(place)]), total.type.as_pointer()))


class _Run:
    """The instructions of a run's loops, in a function whose arguments are these."""

    def __init__(self, lanes: RunBuilder, x_code: int, y_code: int, bracket: bool, compress: bool):
        self.lanes, self.bracket, self.compress = lanes, bracket, compress
        self.paired = BFLOATS_PAIRED and x_code == y_code == BF16
        self.halves = SIGNS_IN_HALVES and F32 not in (x_code, y_code)
        b = lanes.builder
        x, y, self.out, previous, first_table, self.sums, self.kept, masks, low, width, size = (
            b.function.args
        )
        self.sides, self.size = (x, y), size
        self.keys = b.bitcast(previous, I16.as_pointer())
        self.tables = [b.gep(first_table, [I64(table * _ROW)]) for table in range(TABLES)]
        self.masks = b.bitcast(masks, ir.IntType(VECTOR_WIDTH).as_pointer())
        # AVX-512 alone compares unsigned words at once; moved by half their range, signed will do.
        moved = I32(0 if RUN_PASSES == 1 else _SIGN)
        self.lows = lanes.everywhere(b.add(low, moved))
        self.widths = lanes.everywhere(b.xor(width, moved))

    def make(self) -> None:
        """All instructions; they return how many words are kept."""
        counts = [ir.Constant(HALVES, [0] * LANES) if self.halves else every_word(0)]
        squares: CarriedVectors = {**_SQUARES, FLIPS: counts, ZEROS: counts}
        changes: CarriedVectors = {**_CHANGES, _KEPT: [self.size]}
        if RUN_PASSES == 1:
            now = self._pass({**squares, **changes}, (self._add_squares, self._add_changes), 0)
        else:
            now = self._pass(squares, (self._add_squares,), 0)
            now |= self._pass(changes, (self._add_changes,), 1)
        store_sums(self.lanes, now, self.sums, self.paired)
        self.lanes.builder.ret(now[_KEPT][0])

    def _pass(
        self,
        starts: CarriedVectors,
        added: tuple[Callable[[ir.Value, CarriedVectors, int], None], ...],
        number: int,
    ) -> CarriedVectors:
        """One of RUN_PASSES loops over the run, which counts its share of the run before."""
        b, share = self.lanes.builder, LANES // RUN_PASSES

        def turn(index: ir.Value, now: CarriedVectors) -> None:
            for step in range(STEPS_A_TURN):
                at = b.add(index, I64(step * LANES))
                if number == 0:  # the second loop finds them in the cache
                    for side in self.sides:
                        self.lanes.ask_ahead(side, at, step)
                for add in added:
                    add(at, now, step)
                self._count(at, range(number * share, (number + 1) * share))

        return loop_over_run(b, starts, turn)

    def _add_squares(self, at: ir.Value, now: CarriedVectors, step: int) -> None:
        """Adds squares and products of sixteen elements, and counts their zeros and signs."""
        lanes = self.lanes
        words = [lanes.load(side, at, self.paired) for side in self.sides]
        for part, (x, y) in enumerate(lanes.floats(*words)):
            for place, one, other in (
                (BASE_SQUARED, x, x),
                (TARGET_SQUARED, y, y),
                (PRODUCT, y, x),
            ):
                now[place][part] = lanes.add_product(one, other, now[place][part])
        if self.halves:
            words = [[lanes.vector(side, at, HALVES)] for side in self.sides]
        for x, y in zip(*words, strict=True):
            self._count_signs(now, x, y)

    def _count_signs(self, now: CarriedVectors, x: ir.Value, y: ir.Value) -> None:
        """Counts zeros of base and changed signs, of words of float32 or of sixteen bits."""
        lanes, b = self.lanes, self.lanes.builder
        zero = lanes.is_zero(x)
        other_sign = b.icmp_signed("<", b.xor(x, y), ir.Constant(x.type, [0] * x.type.count))
        neither_zero = b.not_(b.or_(zero, lanes.is_zero(y)))
        now[ZEROS][0] = lanes.count(zero, now[ZEROS][0])
        now[FLIPS][0] = lanes.count(b.and_(other_sign, neither_zero), now[FLIPS][0])

    def _add_changes(self, at: ir.Value, now: CarriedVectors, step: int) -> None:
        """Adds what sixteen elements changed by; stores their ``r``, and which are kept."""
        lanes, b = self.lanes, self.lanes.builder
        words = [lanes.load(side, at, self.paired) for side in self.sides]
        for part, (x, y) in enumerate(lanes.floats(*words)):
            delta = b.fsub(y, x)
            size = lanes.absolute(delta)
            now[DELTA_SQUARED][part] = lanes.add_product(delta, delta, now[DELTA_SQUARED][part])
            now[ABS_DELTA][part] = b.fadd(now[ABS_DELTA][part], size)
            now[LARGEST][0] = lanes.extreme("umax", now[LARGEST][0], b.bitcast(size, VECTOR_WORDS))
            r = b.bitcast(lanes.absolute(b.fdiv(delta, x)), VECTOR_WORDS)
            first = step * LANES + part * VECTOR_WIDTH
            fillers = [_FILLER + (first + lane << 16) for lane in range(VECTOR_WIDTH)]
            r = b.select(b.fcmp_ordered("==", x, y), ir.Constant(VECTOR_WORDS, fillers), r)
            now[LOWEST][0] = lanes.extreme("umin", now[LOWEST][0], r)
            now[HIGHEST][0] = lanes.extreme("smax", now[HIGHEST][0], r)
            place = b.add(at, I64(part * VECTOR_WIDTH)) if part else at
            b.store(r, b.bitcast(b.gep(self.out, [place]), VECTOR_WORDS.as_pointer()), align=4)
            if self.bracket:
                self._keep(place, now, r)

    def _keep(self, place: ir.Value, now: CarriedVectors, r: ir.Value) -> None:
        """Appends those within the bracket to ``kept``, or notes which they are."""
        b = self.lanes.builder
        is_below = b.icmp_unsigned if RUN_PASSES == 1 else b.icmp_signed
        inside = is_below("<", b.sub(r, self.lows), self.widths)
        flags = b.bitcast(inside, ir.IntType(VECTOR_WIDTH))
        if self.compress:
            now[_KEPT] = [self.lanes.append(r, inside, flags, self.kept, now[_KEPT][0])]
        else:
            b.store(flags, b.gep(self.masks, [b.udiv(place, I64(VECTOR_WIDTH))]))

    def _count(self, at: ir.Value, counted: range) -> None:
        """Counts these of sixteen elements of the run before."""
        b = self.lanes.builder
        for lane in counted:
            half = b.gep(self.keys, [b.add(b.shl(at, I64(1)), I64(2 * lane + 1))])
            counter = b.gep(self.tables[lane % TABLES], [b.zext(b.load(half), I64)])
            b.store(b.add(b.load(counter), I32(1)), counter)


def make_vector_run(x_code: int, y_code: int, bracket: bool, compress: bool) -> Callable[..., Any]:
    """The run for sides that are stored so: each one of ``LOADED_AS``.

    The function takes addresses, as numbers: of the sides' elements, of ``out`` and ``previous``
    (RUN words each), of the tables, of ``sums`` (ten words), ``kept`` and ``masks`` (a bit a word
    of ``out``), the bracket's ``low`` and ``width``, and how many words were kept before; it
    returns how many are kept then. Without ``bracket`` none are; without ``compress`` masks are
    written in place of words. In ``out`` sixteen elements stand together, in any order.
    """
    name = f"vector_run_{x_code}_{y_code}{'_bracket' * bracket}"
    words = (LOADED_AS[x_code], LOADED_AS[y_code], I32, I32, I32, I32, I32, I16)
    parameters = [*(word.as_pointer() for word in words), I32, I32, I64]

    def body(b: ir.IRBuilder) -> None:
        _Run(RunBuilder(b), x_code, y_code, bracket, compress).make()

    def generate(context, builder, signature, arguments):
        return call_function(builder, name, parameters, body, arguments)

    @intrinsic
    def vector_run(typing, x, y, out, previous, tables, sums, kept, masks, low, width, size):
        return types.int64(*[types.int64] * 8, types.uint32, types.uint32, types.int64), generate

    return vector_run
