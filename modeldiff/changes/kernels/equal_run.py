"""A run of two sides that are the same bits: one sum says all."""

# What Numba compiles has its types from Numba's inference, and llvmlite has none.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from modeldiff.changes.kernels.bins import BF16
from modeldiff.changes.kernels.run_builder import (
    BFLOATS_PAIRED,
    LOADED_AS,
    NO_SUMS,
    STEPS_A_TURN,
    VECTORS_A_STEP,
    CarriedVectors,
    RunBuilder,
    every_word,
    loop_over_run,
)
from modeldiff.changes.kernels.vector_run import BASE_SQUARED, ZEROS, store_sums
from modeldiff.native.vector_code import I32, I64, LANES, call_function

_DIFFERING = "differing"


def make_equal_run(code: int) -> Callable[..., Any]:
    """For runs of two sides that are both stored so: whether they are the same bits, and if so
    the sum of squares and the zeros, at their places in ``sums`` as the vector run leaves them.

    The function takes the addresses of the sides' elements and of ``sums``. Most runs that differ
    do so in their first elements, and are left there.
    """
    name = f"equal_run_{code}"
    parameters = [*[LOADED_AS[code].as_pointer()] * 2, I32.as_pointer()]
    paired = BFLOATS_PAIRED and code == BF16

    def body(b: ir.IRBuilder) -> None:
        x, y, sums = b.function.args
        lanes = RunBuilder(b)

        def look(index: ir.Value, now: CarriedVectors) -> None:
            for step in range(STEPS_A_TURN):
                at = b.add(index, I64(step * LANES))
                for side in (x, y):
                    lanes.ask_ahead(side, at, step)
                words = [lanes.load(side, at, paired) for side in (x, y)]
                for part, (values, _) in enumerate(lanes.floats(*words)):
                    differing = b.xor(words[0][part], words[1][part])
                    now[_DIFFERING][0] = b.or_(now[_DIFFERING][0], differing)
                    squares = now[BASE_SQUARED]
                    squares[part] = lanes.add_product(values, values, squares[part])
                    now[ZEROS][0] = lanes.count(lanes.is_zero(words[0][part]), now[ZEROS][0])

        def is_equal(now: CarriedVectors) -> ir.Value:
            return b.icmp_signed("==", lanes.reduce("or", now.pop(_DIFFERING)[0]), I32(0))

        starts: CarriedVectors = {
            _DIFFERING: [every_word(0)],
            BASE_SQUARED: [NO_SUMS] * VECTORS_A_STEP,
            ZEROS: [every_word(0)],
        }
        first = {name: list(vectors) for name, vectors in starts.items()}
        look(I64(0), first)
        with b.if_then(b.not_(is_equal(first)), likely=True):
            b.ret(I64(0))
        now = loop_over_run(b, starts, look)
        equal = is_equal(now)
        store_sums(lanes, now, sums, paired)
        b.ret(b.zext(equal, I64))

    def generate(context, builder, signature, arguments):
        return call_function(builder, name, parameters, body, arguments)

    @intrinsic
    def equal_run(typing, x, y, sums):
        return types.int64(types.int64, types.int64, types.int64), generate

    return equal_run
