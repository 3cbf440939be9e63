"""Four-bit floats, two in a byte: MXFP4 and NVFP4, whoever wrote them.

MXFP4 has a power of two for 32 values: gpt-oss (``_blocks``, ``_scales``), compressed-tensors
(``weight_packed``) and DeepSeek-V4 (``weight`` with ``scale``). NVFP4 has an FP8 scale for 16
values and one float32 for all, by which it is multiplied (modelopt's ``weight_scale_2``) or divided
(compressed-tensors' ``weight_global_scale``).
"""

from __future__ import annotations

from math import prod

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    as_bytes,
    require_fit,
    require_numbers,
    shape_words,
)
from modeldiff.checkpoints.quantised.octets import ENDS, is_fp4_pair
from modeldiff.checkpoints.recipes.groups import Groups, StoredNumbers
from modeldiff.checkpoints.recipes.scaled_codes import Coding, Grid, ScaledCodes
from modeldiff.checkpoints.tensor import TensorInfo

MX, NV = 32, 16
_BLOCKS, _SCALES, _PACKED = "_blocks", "_scales", "_packed"
_BYTES = ("U8", "I8")
_POWERS = ("U8", "F8_E8M0")
_SECOND = "_scale_2"


def read_nibbles(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix, or the stack of experts, whose codes are called ``name``; None where they are
    not of this method. Raises ``Unfit``."""
    codes = stored.tensors[name]
    if codes.values not in _BYTES or len(codes.shape) < 2 or not codes.elements:
        return None
    if name.endswith(_BLOCKS):
        return _read_blocks(name, codes, stored)
    weight = name.removesuffix(_PACKED)
    module, _, last = weight.rpartition(".")
    names = [weight + end for end in ENDS] + ([f"{module}.scale"] if last == "weight" else [])
    scales = stored.beside(*names)
    if not scales:
        return None
    scale = scales[0]
    shape = (*codes.shape[:-1], 2 * codes.shape[-1])
    also = stored.beside(f"{weight}_shape")
    second = stored.beside(weight + _SECOND, f"{weight}_global_scale")
    if scale.values == "F8_E4M3":
        return _read_nvfp4(weight, codes, shape, scale, second, also)
    if is_fp4_pair(codes, scale):
        return _mxfp4(weight, codes, shape, scale, also)
    require_fit(name == weight, f"its scale of shape {shape_words(scale)} does not fit its codes")
    return None


def _read_blocks(name: str, codes: TensorInfo, stored: NamedTensors) -> TensorInfo | None:
    weight = name.removesuffix(_BLOCKS)
    scales = stored.beside(weight + _SCALES)
    if not scales:
        return None
    (scale,) = scales
    require_fit(
        codes.shape[-1] * 2 == MX and scale.shape == codes.shape[:-1],
        f"its scales of shape {shape_words(scale)} do not fit blocks of shape {shape_words(codes)}",
    )
    shape = (*codes.shape[:-2], codes.shape[-2] * MX)
    return _mxfp4(weight, codes, shape, scale, ())


def _mxfp4(
    weight: str,
    codes: TensorInfo,
    shape: tuple[int, ...],
    scale: TensorInfo,
    also: tuple[TensorInfo, ...],
) -> TensorInfo:
    require_numbers(scale, *_POWERS)
    return _made(weight, "MXFP4", codes, shape, StoredNumbers(scale, kind="F8_E8M0"), MX, also)


def _read_nvfp4(
    weight: str,
    codes: TensorInfo,
    shape: tuple[int, ...],
    scale: TensorInfo,
    second: tuple[TensorInfo, ...],
    also: tuple[TensorInfo, ...],
) -> TensorInfo:
    require_fit(
        scale.shape == (*shape[:-1], shape[-1] // NV) and not shape[-1] % NV,
        f"its scale of shape {shape_words(scale)} does not fit its codes",
    )
    require_fit(len(second) == 1, "its scales' own scale is not there")
    (whole,) = second
    require_numbers(whole, "F32", "F16", "BF16")
    require_fit(prod(whole.shape) == 1, "its scales' own scale is not one number")
    divides = not whole.name.endswith(_SECOND)
    scales = StoredNumbers(scale, whole=whole, divides=divides)
    return _made(weight, "NVFP4", codes, shape, scales, NV, also)


def _made(
    weight: str,
    kind: str,
    codes: TensorInfo,
    shape: tuple[int, ...],
    scales: Groups,
    group: int,
    also: tuple[TensorInfo, ...],
) -> TensorInfo:
    coding = Coding("low nibbles", 4, "E2M1")
    recipe = ScaledCodes(kind, kind, as_bytes(codes), coding, Grid.flat(group), scales, also=also)
    return TensorInfo.made(weight, shape, "F32", recipe)
