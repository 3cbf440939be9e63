"""compressed-tensors' integers of a few bits, packed into words along each row.

``weight_packed`` [out, in · bits / 32], ``weight_scale`` [out, groups]; ``weight_zero_point``,
where zero is not in the middle, is packed along the outputs; ``weight_g_idx`` is the group of each
input where groups are no runs. How many bits a code has is told by the shape that is stored beside
it (``weight_shape``), or by the config.
"""

from __future__ import annotations

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    Unfit,
    as_bytes,
    require_fit,
    require_numbers,
    rounding_of,
    shape_words,
)
from modeldiff.checkpoints.recipes.code_kernels import packing_of
from modeldiff.checkpoints.recipes.groups import Groups, PackedDown, SameOfAll, StoredNumbers
from modeldiff.checkpoints.recipes.scaled_codes import Coding, Grid, ScaledCodes
from modeldiff.checkpoints.tensor import TensorInfo

_PACKED = "_packed"
_BITS = range(2, 9)
_WORD = 32


def read_packed(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    codes = stored.tensors[name]
    if not name.endswith(_PACKED) or codes.values != "I32" or len(codes.shape) != 2:
        return None
    weight = name.removesuffix(_PACKED)
    scales = stored.beside(f"{weight}_scale")
    if not scales or not codes.elements:
        return None
    (scale,) = scales
    require_numbers(scale, "F32", "F16", "BF16")
    rows = codes.shape[0]
    bits, columns = _bits(weight, codes, scale, stored)
    groups = scale.shape[1] if len(scale.shape) == 2 else 0
    fits = scale.shape[:1] == (rows,) and groups and not columns % groups
    require_fit(bool(fits), f"its scale of shape {shape_words(scale)} does not fit its codes")
    orders = stored.beside(f"{weight}_g_idx")
    group = columns // groups
    for order in orders:
        require_fit(order.values == "I32" and order.shape == (columns,), "its g_idx does not fit")
    also = stored.beside(f"{weight}_shape")
    kind = f"INT{bits}" + (f"-g{group}" if groups > 1 else "")
    words = f"{bits}-bit integers, " + (f"groups of {group:,}" if groups > 1 else "a scale a row")
    recipe = ScaledCodes(
        words,
        kind,
        as_bytes(codes),
        Coding(packing_of(bits), bits, "unsigned"),
        Grid(columns, 1, group) if orders else Grid.of(columns, (1, group)),
        StoredNumbers(scale),
        _zeros(weight, bits, scale, stored),
        rounding_of(scale),
        orders[0] if orders else None,
        also=also,
    )
    return TensorInfo.made(weight, (rows, columns), recipe.rounding, recipe)


def _zeros(weight: str, bits: int, scale: TensorInfo, stored: NamedTensors) -> Groups:
    """Where zero is among the codes: in the middle, unless it is stored."""
    packed = stored.beside(f"{weight}_zero_point")
    if not packed:
        return SameOfAll(float(1 << bits - 1))
    (words,) = packed
    rows, groups = scale.shape
    require_fit(
        words.values == "I32" and words.shape == (-(-rows * bits // _WORD), groups),
        f"its zero points of shape {shape_words(words)} do not fit its scales",
    )
    return PackedDown(words, bits, groups)


def _bits(
    weight: str, codes: TensorInfo, scale: TensorInfo, stored: NamedTensors
) -> tuple[int, int]:
    """Bits of a code and the columns of values. Raises ``Unfit`` where nothing tells."""
    room = codes.shape[1] * _WORD
    shapes = stored.beside(f"{weight}_shape")
    if shapes and shapes[0].values in ("I64", "I32") and shapes[0].elements == 2:
        key = f"packed {codes.shape} {scale.shape}"
        if key not in stored.known:
            width = 8 if shapes[0].values == "I64" else 4
            raw = stored.peek(shapes[0], 2 * width)
            stored.known[key] = tuple(
                int.from_bytes(raw[at : at + width], "little") for at in (0, width)
            )
        rows, columns = stored.known[key]
        require_fit(
            rows == codes.shape[0] and columns > 0 and room % columns == 0,
            f"its weight_shape says [{rows:,}, {columns:,}], which its codes of shape "
            f"{shape_words(codes)} do not hold",
        )
        bits = room // columns
        require_fit(bits in _BITS, f"a code would have {bits:,} bits")
        return bits, columns
    settings = stored.settings
    named = {settings.count("num_bits", of=group) for group in settings.weight_groups()}
    fitting = [bits for bits in _BITS if bits in named and room % bits == 0]
    if len(fitting) != 1:
        raise Unfit("neither a weight_shape nor the config says how many bits a code has")
    return fitting[0], room // fitting[0]
