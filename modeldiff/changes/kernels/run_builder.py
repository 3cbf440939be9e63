"""Sixteen elements of a run at a time, in as many vectors as this processor takes for them.

A loop over a run adds to sixteen partial sums of each kind, whatever the width of a vector is, so
that sums are the same bits on every processor; see ``RunBuilder.total``.

=========== ===== ======= ====== =========
processor   width vectors passes registers
=========== ===== ======= ====== =========
AVX-512     16    1       1      32
AVX2        8     2       2      16
any other   4     4       2      32 on ARM
=========== ===== ======= ====== =========
"""

# What Numba compiles has its types from Numba's inference, and llvmlite has none.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils

from modeldiff.changes.kernels.bins import BF16, F16, F32, RUN
from modeldiff.native.vector_code import I16, I32, I64, LANES


def _width() -> int:
    features = llvm.get_host_cpu_features()
    if features.get("avx512f", False):
        return 16
    return 8 if features.get("avx2", False) else 4


VECTOR_WIDTH = _width()
"""Words of 32 bits in a vector of this processor."""
VECTORS_A_STEP = LANES // VECTOR_WIDTH
"""Vectors that sixteen elements fill."""
STEPS_A_TURN = 4 // VECTORS_A_STEP
"""Sixteen elements each, of a turn of a loop. Four vectors are enough to hide how long a division
takes."""
RUN_PASSES = 1 if VECTOR_WIDTH == LANES else 2
"""How often the elements of a run are gone through: twice where the registers could not hold all
sums at once, so that they would be written to memory and read again for each element."""
BFLOATS_PAIRED = VECTOR_WIDTH == 8
"""Whether the two bfloat16 of a word are widened where they stand, which takes one instruction
each: the first vector has the even elements then, the second the odd ones."""
SIGNS_IN_HALVES = VECTOR_WIDTH < LANES
"""Whether zeros and signs are looked at in sixteen bits, where both sides are stored so: half the
work, but for AVX-512, where it gains nothing."""

VECTOR_WORDS, VECTOR_FLOATS = (
    ir.VectorType(I32, VECTOR_WIDTH),
    ir.VectorType(ir.FloatType(), VECTOR_WIDTH),
)
_AHEAD = 1024
"""So many elements before they are loaded, memory is asked for them: the bytes of a mapped file,
or of a buffer that is larger than the cache, arrive as they are needed, where the processor's own
guesses end with every page."""
_LINE = 64
NO_SUMS = ir.Constant(VECTOR_FLOATS, [0.0] * VECTOR_WIDTH)
LOADED_AS: Mapping[int, ir.Type] = {BF16: I16, F16: ir.HalfType(), F32: I32}
"""What a side's elements are loaded as, by how they are stored."""

CarriedVectors = dict[int | str, list[ir.Value]]
"""What a loop carries from turn to turn: vectors, VECTORS_A_STEP of them for float32, by their
place in ``sums`` or by name."""


def every_word(value: int) -> ir.Constant:
    """A vector of the same word."""
    return ir.Constant(VECTOR_WORDS, [value] * VECTOR_WIDTH)


class RunBuilder:
    """Instructions for sixteen elements, made with ``builder``."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def call(self, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
        """Calls one of LLVM's own functions, declared where it is not yet."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}")
        return self.builder.call(function, arguments)

    def vector(self, elements: ir.Value, index: ir.Value, kind: ir.VectorType) -> ir.Value:
        """A vector of this type from memory, where an element begins."""
        b = self.builder
        return b.load(b.bitcast(b.gep(elements, [index]), kind.as_pointer()), align=1)

    def load(self, elements: ir.Value, index: ir.Value, paired: bool) -> list[ir.Value]:
        """Sixteen elements, stored in one of ``LOADED_AS``, as the bits of float32; ``paired`` are
        the even ones and the odd ones of as many words."""
        b, word = self.builder, elements.type.pointee
        if paired:
            words = self.vector(elements, index, VECTOR_WORDS)
            return [b.shl(words, every_word(16)), b.and_(words, every_word(0xFFFF0000))]
        found = []
        for part in range(VECTORS_A_STEP):
            at = b.add(index, I64(part * VECTOR_WIDTH)) if part else index
            words = self.vector(elements, at, ir.VectorType(word, VECTOR_WIDTH))
            if word == LOADED_AS[F16]:
                found.append(b.bitcast(b.fpext(words, VECTOR_FLOATS), VECTOR_WORDS))
            else:
                found.append(
                    words if word == I32 else b.shl(b.zext(words, VECTOR_WORDS), every_word(16))
                )
        return found

    def ask_ahead(self, elements: ir.Value, index: ir.Value, step: int) -> None:
        """Asks for the elements that a loop comes to later, a line of the cache at a time; ``step``
        says which sixteen elements of a turn begin at ``index``. Nothing need be there."""
        b, word = self.builder, elements.type.pointee
        nbytes = LANES * (4 if word == I32 else 2)
        if step * nbytes % _LINE == 0:
            ahead = b.gep(elements, [b.add(index, I64(_AHEAD))])
            at = b.bitcast(ahead, ir.IntType(8).as_pointer())
            read, keep, data = I32(0), I32(3), I32(1)
            self.call("prefetch.p0", ir.VoidType(), at, read, keep, data)

    def floats(self, *sides: list[ir.Value]) -> Iterator[tuple[ir.Value, ...]]:
        """The sides' vectors of words as float32, those of the same elements together."""
        for words in zip(*sides, strict=True):
            yield tuple(self.builder.bitcast(word, VECTOR_FLOATS) for word in words)

    def everywhere(self, word: ir.Value) -> ir.Value:
        """A vector of this word."""
        undefined = ir.Constant(VECTOR_WORDS, ir.Undefined)
        first = self.builder.insert_element(undefined, word, I32(0))
        return self.builder.shuffle_vector(first, undefined, every_word(0))

    def absolute(self, values: ir.Value) -> ir.Value:
        """Without signs."""
        return self.call(f"fabs.v{VECTOR_WIDTH}f32", VECTOR_FLOATS, values)

    def add_product(self, one: ir.Value, other: ir.Value, sums: ir.Value) -> ir.Value:
        """``one * other + sums``, rounded once."""
        return self.call(f"fmuladd.v{VECTOR_WIDTH}f32", VECTOR_FLOATS, one, other, sums)

    def extreme(self, kind: str, one: ir.Value, other: ir.Value) -> ir.Value:
        """The smaller or larger words: ``umin``, ``umax``, ``smax``."""
        return self.call(f"{kind}.v{VECTOR_WIDTH}i32", VECTOR_WORDS, one, other)

    def is_zero(self, words: ir.Value) -> ir.Value:
        """Which are zero, of either sign: bits of float32, or of one of sixteen bits."""
        b = self.builder
        if words.type == VECTOR_WORDS:
            return b.fcmp_ordered("==", b.bitcast(words, VECTOR_FLOATS), NO_SUMS)
        ones, zeros = (ir.Constant(words.type, [bit] * words.type.count) for bit in (1, 0))
        return b.icmp_signed("==", b.shl(words, ones), zeros)

    def count(self, flags: ir.Value, counts: ir.Value) -> ir.Value:
        """Adds one where a flag is set."""
        return self.builder.sub(counts, self.builder.sext(flags, counts.type))

    def reduce(self, kind: str, words: ir.Value) -> ir.Value:
        """One word of 32 bits of a vector of words."""
        word, many = words.type.element, words.type.count
        found = self.call(f"vector.reduce.{kind}.v{many}i{word.width}", word, words)
        return found if word == I32 else self.builder.zext(found, I32)

    def append(
        self, words: ir.Value, chosen: ir.Value, flags: ir.Value, kept: ir.Value, size: ir.Value
    ) -> ir.Value:
        """Stores the chosen words behind ``size`` others; how many there are then. ``flags`` are
        those of ``chosen``, a bit each."""
        at = self.builder.gep(kept, [size])
        self.call(f"masked.compressstore.v{VECTOR_WIDTH}i32", ir.VoidType(), words, at, chosen)
        many = self.call(f"ctpop.i{VECTOR_WIDTH}", flags.type, flags)
        return self.builder.add(size, self.builder.zext(many, I64))

    def total(self, sums: list[ir.Value], paired: bool) -> ir.Value:
        """Sixteen sums, halves added to halves until one is left: the same order on every
        processor. ``paired`` are those of the even elements, then of the odd ones."""
        b, lanes = self.builder, LANES
        parts = list(sums)
        while len(parts) > 1:
            both = range(2 * parts[0].type.count)
            parts = [
                self._chosen(one, other, both)
                for one, other in zip(parts[::2], parts[1::2], strict=True)
            ]
        (all_sums,) = parts
        if paired:
            places = [lane // 2 + lane % 2 * (LANES // 2) for lane in range(LANES)]
            all_sums = self._chosen(all_sums, all_sums, places)
        while lanes > 1:
            lanes //= 2
            halves = (
                self._chosen(all_sums, all_sums, range(first, first + lanes))
                for first in (0, lanes)
            )
            all_sums = b.fadd(*halves)
        return b.extract_element(all_sums, I32(0))

    def _chosen(self, one: ir.Value, other: ir.Value, places: Iterable[int]) -> ir.Value:
        chosen = list(places)
        order = ir.Constant(ir.VectorType(I32, len(chosen)), chosen)
        return self.builder.shuffle_vector(one, other, order)


def loop_over_run(
    builder: ir.IRBuilder, starts: CarriedVectors, turn: Callable[[ir.Value, CarriedVectors], None]
) -> CarriedVectors:
    """A loop over the elements of a run, STEPS_A_TURN times sixteen a turn; what it carries, in the
    end. ``turn`` makes the instructions of one, from its first element and what is carried, which
    it replaces."""
    before = builder.block
    loop, after = builder.append_basic_block("run"), builder.append_basic_block("run_done")
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(I64)
    index.add_incoming(I64(0), before)
    carried: CarriedVectors = {}
    for name, values in starts.items():
        carried[name] = [builder.phi(start.type) for start in values]
        for phi, start in zip(carried[name], values, strict=True):
            phi.add_incoming(start, before)
    now = {name: list(phis) for name, phis in carried.items()}
    turn(index, now)
    following = builder.add(index, I64(STEPS_A_TURN * LANES))
    index.add_incoming(following, loop)
    for name, phis in carried.items():
        for phi, value in zip(phis, now[name], strict=True):
            phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_unsigned("<", following, I64(RUN)), loop, after)
    builder.position_at_end(after)
    return now
