"""torchao's tensors as it takes them apart: ``_weight_qdata``, ``_weight_scale``, and zero points.

Up to 0.14 the names had a colon (``weight:qdata``). Bytes are INT8, FP8, MXFP8 or integers of fewer
bits (``IntxUnpackedToInt8Tensor``), pairs in a byte MXFP4 or NVFP4; how many bits an integer has
the file's ``__metadata__`` says. Scales of the last three may stand in a kernel's tiles, which
shapes tell. Codes in the tiles of a kernel (``Int4TilePackedTo4dTensor``) are not read, nor is what
kernels of other makers pack (``Int4Tensor``, ``Int4PlainInt32Tensor``).
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    as_bytes,
    require_fit,
    require_numbers,
    rounding_of,
    shape_words,
)
from modeldiff.checkpoints.quantised.nibbles import MX, NV
from modeldiff.checkpoints.quantised.octets import (
    FLOAT8,
    mxfp8_names,
    scaled_octets,
    zero_points,
)
from modeldiff.checkpoints.quantised.unread import INSTEAD
from modeldiff.checkpoints.recipes.groups import Groups, StoredNumbers, TiledNumbers
from modeldiff.checkpoints.recipes.scaled_codes import Coding, Grid, ScaledCodes
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.text.quoting import quoted

_DATA = "qdata"
_READ = frozenset({"Int8Tensor", "Float8Tensor", "IntxUnpackedToInt8Tensor", "MXTensor"})
_READ_PAIRS = frozenset({"MXTensor", "NVFP4Tensor"})
_INTEGER = re.compile(r"int([1-8])", re.ASCII)
_LONGEST = 1 << 16


def read_torchao(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    codes = stored.tensors[name]
    if not name.endswith(_DATA) or codes.values not in ("I8", "U8", *FLOAT8):
        return None
    stem = name.removesuffix(_DATA)
    module, dot, last = stem.rpartition(".")
    marked = last.startswith("_") and last.endswith("_")
    parameter = last[1:-1] if marked else last.removesuffix(":")
    scales = stored.beside(f"{stem}scale")
    if not parameter or parameter == last or not scales or len(codes.shape) < 2:
        return None
    weight = f"{module}{dot}{parameter}"
    require_fit(
        not stored.beside(f"{stem}act_pre_scale"),
        "its inputs are scaled before it, so that its values are not the model's",
    )
    kind, bits = _described(weight, stored)
    (scale,) = scales
    if codes.values == "U8":
        require_fit(kind in ("", *_READ_PAIRS), _unread(kind))
        return _read_pairs(weight, stem, codes, scale, stored)
    require_fit(kind in ("", *_READ), _unread(kind))
    recipe = _read_octets(codes, scale, stored)
    if codes.values == "I8":
        zeros = stored.beside(f"{stem}zero_point")
        zero = zero_points(scale, *zeros)
        recipe = replace(recipe, zeros=zero, rounding=rounding_of(scale))
    if bits < 8:
        group = recipe.grid.block_columns
        whole = group == codes.shape[-1]
        words = f"{bits}-bit integers, " + ("a scale a row" if whole else f"groups of {group:,}")
        recipe = replace(recipe, words=words, stored=f"INT{bits}" + ("" if whole else f"-g{group}"))
    return TensorInfo.made(weight, codes.shape, recipe.rounding, recipe)


def _unread(kind: str) -> str:
    return f"codes as torchao packs {quoted(kind)} are not read ({INSTEAD})"


def _read_octets(codes: TensorInfo, scale: TensorInfo, stored: NamedTensors) -> ScaledCodes:
    if scale.values != "F8_E8M0":
        alike = scale.elements == 1 or len(scale.shape) == len(codes.shape)
        rows = scale.shape[:-1] == codes.shape[:-1] or codes.values != "I8"
        require_fit(
            scale.elements == 1 or (alike and rows),
            f"its scale of shape {shape_words(scale)} does not fit codes of shape "
            f"{shape_words(codes)}",
        )
        return scaled_octets(codes, scale, stored)
    numbers = _group_scales(codes.shape, scale, MX)
    kind, words = mxfp8_names(codes)
    coding = Coding("octets", 8, codes.values)
    return ScaledCodes(words, kind, as_bytes(codes), coding, Grid.flat(MX), numbers)


def _read_pairs(
    weight: str, stem: str, codes: TensorInfo, scale: TensorInfo, stored: NamedTensors
) -> TensorInfo:
    """MXFP4 and NVFP4, by the type of their scales."""
    require_numbers(scale, "F8_E8M0", "F8_E4M3")
    kind, group = ("MXFP4", MX) if scale.values == "F8_E8M0" else ("NVFP4", NV)
    shape = (*codes.shape[:-1], 2 * codes.shape[-1])
    whole = stored.beside(f"{stem}per_tensor_scale")
    for one in whole:
        require_numbers(one, "F32")
        require_fit(one.elements == 1, "its scales' own scale is not one number")
    numbers = _group_scales(shape, scale, group, whole[0] if whole else None)
    coding = Coding("low nibbles", 4, "E2M1")
    also = stored.beside(f"{stem}act_per_tensor_scale")
    recipe = ScaledCodes(kind, kind, as_bytes(codes), coding, Grid.flat(group), numbers, also=also)
    return TensorInfo.made(weight, shape, "F32", recipe)


def _group_scales(
    shape: tuple[int, ...], scale: TensorInfo, group: int, whole: TensorInfo | None = None
) -> Groups:
    """A scale for each group of a matrix, in the order of groups or in the tiles of a kernel."""
    rows, across = shape[-2], shape[-1] // group
    numbers = StoredNumbers(scale, whole=whole)
    if not shape[-1] % group and scale.shape == (*shape[:-1], across):
        return numbers
    tiled = TiledNumbers(numbers, rows, across)
    fits = not shape[-1] % group and len(shape) == 2 and scale.elements == tiled.stored_elements
    require_fit(fits, f"its scale of shape {shape_words(scale)} does not fit its codes")
    return tiled


def _described(weight: str, stored: NamedTensors) -> tuple[str, int]:
    """What the file calls the kind of tensor, and the bits of its integers; empty and 8 where it
    does not say."""
    text = stored.metadata.get(weight, "")
    try:
        said = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return "", 8
    kind, data = said.get("_type"), said.get("_data")
    if not isinstance(kind, str) or len(kind) > 100:
        return "", 8
    target = data.get("target_dtype") if isinstance(data, dict) else None
    named = target.get("_data") if isinstance(target, dict) else None
    match = _INTEGER.fullmatch(named) if isinstance(named, str) else None
    return kind, int(match[1]) if match else 8
