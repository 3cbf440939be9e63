"""MLX: codes of 2 to 8 bits in words along each row, with a scale and a bias for each group.

``weight`` U32 [out, in · bits / 32], ``scales`` and ``biases`` [out, in / group]. Bits and group
are the config's, of the model or of the one module: shapes tell their product alone. Without biases
a byte is a power of two, and codes are four-bit floats (MXFP4).
"""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    as_bytes,
    require_fit,
    require_numbers,
    shape_words,
)
from modeldiff.checkpoints.quantised.nibbles import MX
from modeldiff.checkpoints.recipes.affine_codes import AffineCodes
from modeldiff.checkpoints.recipes.groups import StoredNumbers
from modeldiff.checkpoints.recipes.scaled_codes import Coding, Grid, ScaledCodes
from modeldiff.checkpoints.tensor import TensorInfo

_BITS = (2, 3, 4, 5, 6, 8)
_WORD = 32


def read_mlx(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    module, _, last = name.rpartition(".")
    codes = stored.tensors[name]
    scales = stored.beside(f"{module}.scales")
    if last != "weight" or codes.values != "U32" or not scales or len(codes.shape) < 2:
        return None
    (scale,) = scales
    fits = scale.shape[:-1] == codes.shape[:-1] and scale.elements and codes.elements
    require_fit(bool(fits), f"its scales of shape {shape_words(scale)} do not fit its codes")
    biases = stored.beside(f"{module}.biases")
    if not biases:
        return _mxfp4(name, codes, scale)
    (bias,) = biases
    require_numbers(scale, "F32", "F16", "BF16")
    require_numbers(bias, scale.values)
    require_fit(bias.shape == scale.shape, "its biases are not as many as its scales")
    bits, group = _settings(module, stored)
    columns = codes.shape[-1] * _WORD // bits
    require_fit(
        columns * bits == codes.shape[-1] * _WORD and columns == scale.shape[-1] * group,
        f"the config says {bits} bits in groups of {group:,}, which codes of shape "
        f"{shape_words(codes)} with scales of shape {shape_words(scale)} are not",
    )
    recipe = AffineCodes(
        f"MLX {bits} bit, groups of {group:,}",
        f"MLX{bits}-g{group}",
        as_bytes(codes),
        bits,
        group,
        scale,
        StoredNumbers(bias),
    )
    shape = (*codes.shape[:-1], columns)
    return TensorInfo.made(name, shape, scale.values, recipe)


def _settings(module: str, stored: NamedTensors) -> tuple[int, int]:
    """Bits and group of one module: its own, where the config has an entry for it."""
    own = stored.settings.entries.get(module)
    tables = ([own] if isinstance(own, Mapping) else []) + [stored.settings.entries]
    numbers = []
    for key in ("bits", "group_size"):
        counts = (stored.settings.count(key, of=table) for table in tables)
        numbers.append(next((count for count in counts if count is not None), 0))
    bits, group = numbers
    require_fit(
        bits in _BITS and group > 0, "no config says bits and group, which shapes do not tell"
    )
    return bits, group


def _mxfp4(name: str, codes: TensorInfo, scale: TensorInfo) -> TensorInfo:
    columns = codes.shape[-1] * 8
    fits = scale.values in ("U8", "F8_E8M0") and scale.shape[-1] * MX == columns
    require_fit(fits, "its biases are not there, and its scales are not those of MXFP4")
    recipe = ScaledCodes(
        "MXFP4",
        "MXFP4",
        as_bytes(codes),
        Coding("low nibbles", 4, "E2M1"),
        Grid.flat(MX),
        StoredNumbers(scale, kind="F8_E8M0"),
    )
    return TensorInfo.made(name, (*codes.shape[:-1], columns), "F32", recipe)
