"""bitsandbytes' NF4 and FP4: codes in blocks of the flat tensor, the first in the high half.

``weight`` U8 [n / 2, 1], ``weight.absmax`` a scale a block (codes of scales where they are
quantised, too), ``weight.quant_map`` what codes stand for. The shape and the size of a block are in
a JSON text, ``weight.quant_state.bitsandbytes__nf4``; it is read for one matrix of each kind.
"""

from __future__ import annotations

from math import prod
from typing import Any

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    Unfit,
    as_bytes,
    called_alike,
    require_fit,
    require_numbers,
)
from modeldiff.checkpoints.recipes.groups import (
    MAX_BLOCK,
    MAX_STATE,
    Groups,
    StoredNumbers,
    TwiceQuantised,
    parse_state,
)
from modeldiff.checkpoints.recipes.scaled_codes import Coding, Grid, ScaledCodes
from modeldiff.checkpoints.tensor import TensorInfo, TensorUnreadable

_KINDS = ("nf4", "fp4")
_MOST_DIMENSIONS = 8


def read_bitsandbytes(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    codes = stored.tensors[name]
    scales = stored.beside(f"{name}.absmax")
    if not scales or codes.recipe is not None:
        return None
    (scale,) = scales
    states = {
        kind: found
        for kind in _KINDS
        if (found := stored.beside(f"{name}.quant_state.bitsandbytes__{kind}"))
    }
    require_fit(len(states) == 1, "its quant_state is not there")
    ((kind, (state,)),) = states.items()
    tables = stored.beside(f"{name}.quant_map")
    require_fit(len(tables) == 1, "its quant_map is not there")
    require_numbers(tables[0], "F32")
    require_fit(codes.values == "U8" and state.values == "U8", "its codes are no bytes")
    entries = _state(name, codes, state, stored)
    shape, block = _shape(entries), entries.get("blocksize")
    sound = type(block) is int and 0 < block <= MAX_BLOCK and block % 2 == 0
    require_fit(sound, "its blocks have no size")
    assert isinstance(block, int)
    require_fit(
        -(-prod(shape) // 2) == codes.elements and scale.elements == -(-prod(shape) // block),
        f"its quant_state says the shape {list(shape)} in blocks of {block:,}, which its "
        f"{codes.elements:,} bytes and {scale.elements:,} scales are not",
    )
    numbers, twice = _scales(name, scale, state, stored)
    label = kind.upper()
    words = f"{label}, blocks of {block:,}" + (", scales quantised too" if twice else "")
    recipe = ScaledCodes(
        words,
        f"{label}-g{block}",
        as_bytes(codes),
        Coding("high nibbles", 4, label, tables[0]),
        Grid.flat(block),
        numbers,
        also=(state,),
    )
    return TensorInfo.made(name, shape, "F32", recipe)


def _scales(
    name: str, scale: TensorInfo, state: TensorInfo, stored: NamedTensors
) -> tuple[Groups, bool]:
    """Where scales come from, and whether they were quantised."""
    if scale.values != "U8":
        require_numbers(scale, "F32")
        return StoredNumbers(scale), False
    nested = stored.beside(f"{name}.nested_quant_map", f"{name}.nested_absmax")
    require_fit(len(nested) == 2, "its scales are codes, and what they are read with is not there")
    table, outer = nested
    require_numbers(table, "F32")
    require_numbers(outer, "F32")
    require_fit(table.elements == 256, "the table of its scales is no table of bytes")
    return TwiceQuantised(scale, table, outer, state), True


def _state(name: str, codes: TensorInfo, state: TensorInfo, stored: NamedTensors) -> dict[str, Any]:
    """The description of this matrix, or of one that is called and sized alike."""
    key = f"bitsandbytes {called_alike(name)} {codes.elements}"
    if key not in stored.known:
        try:
            stored.known[key] = parse_state(stored.peek(state, min(state.elements, MAX_STATE)))
        except TensorUnreadable as error:
            raise Unfit(str(error)) from None
    entries: dict[str, Any] = stored.known[key]
    return entries


def _shape(entries: dict[str, Any]) -> tuple[int, ...]:
    shape = entries.get("shape")
    if not isinstance(shape, list) or not 0 < len(shape) <= _MOST_DIMENSIONS:
        raise Unfit("its quant_state says no shape")
    if not all(type(size) is int and 0 < size < 1 << 40 for size in shape):
        raise Unfit("its quant_state says no shape")
    return tuple(shape)
