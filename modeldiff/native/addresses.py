"""Addresses as numbers, in what Numba compiles: code made by hand takes them."""

# What Numba compiles has its types from Numba's inference, and llvmlite has none.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from modeldiff.native.vector_code import I64


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
