"""GPTQ and AWQ: words [in, out], with scales and zero points for groups of inputs.

GPTQ packs inputs (``qweight`` [in · bits / 32, out], ``g_idx`` the group of each input), AWQ eight
outputs ([in, out / 8]). ``qzeros`` [groups, out · bits / 32] and ``scales`` [groups, out] are
alike. GPTQ's first form stores zero points less one. Which form it is, the numbers tell where codes
are symmetric, as nearly all have the same zero point then; else the config does.
"""

from __future__ import annotations

import numpy as np

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    require_fit,
    require_numbers,
    rounding_of,
    shape_words,
)
from modeldiff.checkpoints.quantised.unread import require_known_packing
from modeldiff.checkpoints.recipes.column_codes import ColumnCodes
from modeldiff.checkpoints.recipes.groups import unpacked_words
from modeldiff.checkpoints.tensor import TensorInfo

_WORD = 32
_BITS = (2, 3, 4, 8)
_MOST_INPUTS = 1 << 22
_LOOKED_AT = 1 << 14
_NEARLY_ALL = 0.9


def read_columns(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    module, dot, last = name.rpartition(".")
    codes = stored.tensors[name]
    scales = stored.beside(f"{module}{dot}scales")
    if last != "qweight" or not scales:
        return None
    require_known_packing(stored)
    (scale,) = scales
    require_fit(codes.values == "I32", f"its codes are stored as {codes.dtype}")
    require_numbers(scale, "F32", "F16", "BF16")
    two = len(codes.shape) == len(scale.shape) == 2 and codes.elements and scale.elements
    require_fit(bool(two), "its codes and scales are no matrices")
    outputs = scale.shape[1]
    awq = codes.shape[1] != outputs
    zeros = stored.beside(f"{module}{dot}qzeros")
    bits = _bits(codes, outputs, zeros, stored, awq=awq)
    rest = codes.shape[0] * (1 if awq else _WORD) % (1 if awq else bits)
    inputs = codes.shape[0] if awq else codes.shape[0] * _WORD // bits
    require_fit(not rest and inputs <= _MOST_INPUTS, f"its codes are of shape {shape_words(codes)}")
    for zero in zeros:
        fits = zero.values == "I32" and zero.shape == (scale.shape[0], -(-outputs * bits // _WORD))
        require_fit(fits, f"its qzeros of shape {shape_words(zero)} do not fit its scales")
    group = _group(inputs, scale, stored)
    orders = () if awq else stored.beside(f"{module}{dot}g_idx")
    for order in orders:
        require_fit(order.values == "I32" and order.shape == (inputs,), "its g_idx does not fit")
    method = "AWQ" if awq else "GPTQ"
    more = 0 if awq or not zeros else _added_to_zeros(zeros[0], bits, stored)
    runs = f"groups of {group:,}" if group < inputs else "a scale a column"
    recipe = ColumnCodes(
        f"{method} {bits} bit, {runs}",
        f"{method}{bits}" + (f"-g{group}" if group < inputs else ""),
        codes,
        bits,
        "outputs" if awq else "inputs",
        (outputs, inputs),
        group,
        scale,
        zeros[0] if zeros else None,
        more,
        rounding_of(scale),
        orders[0] if orders else None,
    )
    return TensorInfo.made(f"{module}{dot}weight", recipe.shape, recipe.rounding, recipe)


def _bits(
    codes: TensorInfo,
    outputs: int,
    zeros: tuple[TensorInfo, ...],
    stored: NamedTensors,
    *,
    awq: bool,
) -> int:
    """Bits of a code: as many as the words of AWQ's outputs, or of the zero points, have room for.
    Raises ``Unfit``."""
    if awq:
        fits = codes.shape[1] * 8 == outputs
        require_fit(
            fits, f"codes of shape {shape_words(codes)} are not {outputs:,} outputs of 4 bits"
        )
        return 4
    said = stored.settings.count("bits")
    if zeros and len(zeros[0].shape) == 2:
        room = zeros[0].shape[1] * _WORD
        fitting = [bits for bits in _BITS if -(-outputs * bits // _WORD) * _WORD == room]
        bits = said if said in fitting else fitting[0] if fitting else 0
        require_fit(bits > 0, f"its qzeros of shape {shape_words(zeros[0])} do not fit its scales")
        if said is not None and said != bits:
            stored.note(
                f"The config says that codes have {said} bits; by the shapes they have {bits}, and "
                "are read so."
            )
        return bits
    require_fit(said in _BITS, "neither zero points nor the config say how many bits a code has")
    return said or 0


def _group(inputs: int, scale: TensorInfo, stored: NamedTensors) -> int:
    """Inputs in a group. Raises ``Unfit``."""
    groups = scale.shape[0]
    said = stored.settings.count("group_size", "q_group_size")
    if said is not None and -(-inputs // said) == groups:
        return said
    require_fit(inputs % groups == 0, f"{groups:,} groups do not divide {inputs:,} inputs")
    if said is not None:
        stored.note(
            f"The config says groups of {said:,}; by the shapes there are groups of "
            f"{inputs // groups:,}, and they are read so."
        )
    return inputs // groups


def _added_to_zeros(zeros: TensorInfo, bits: int, stored: NamedTensors) -> int:
    """What is to be added to stored zero points: 1 for GPTQ's first form, 0 for its second."""
    said = 0 if stored.settings.word("checkpoint_format") == "gptq_v2" else 1
    key = f"zero points of {bits} bits"
    if key not in stored.known:
        stored.known[key] = _by_numbers(zeros, bits, stored)
    told: int | None = stored.known[key]
    if told is None:
        return said
    if told != said:
        forms = {1: "first form, less one", 0: "second form, as they are"}
        stored.note(
            f"By the config GPTQ's zero points are stored in the {forms[said]}; the numbers are of "
            f"the {forms[told]}, and are read so."
        )
    return told


def _by_numbers(zeros: TensorInfo, bits: int, stored: NamedTensors) -> int | None:
    """The same by the zero points of one matrix; None where they are not alike."""
    rows = max(min(zeros.shape[0], _LOOKED_AT // zeros.shape[1]), 1)
    words = min(rows * zeros.shape[1], _LOOKED_AT)
    raw = np.frombuffer(stored.peek(zeros, 4 * words), np.uint32)
    whole = raw[: raw.size // zeros.shape[1] * zeros.shape[1]].reshape(-1, zeros.shape[1])
    if not whole.size:
        return None
    counts = np.bincount(unpacked_words(whole, bits).reshape(-1), minlength=1 << bits)
    typical = int(counts.argmax())
    if counts[typical] < _NEARLY_ALL * counts.sum():
        return None
    return {(1 << bits - 1): 0, (1 << bits - 1) - 1: 1}.get(typical)
