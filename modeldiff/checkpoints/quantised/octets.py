"""A code a byte: FP8 and INT8 with a scale for the tensor, a row, a block or a group.

Names are DeepSeek's and transformers' (``weight_scale_inv``), compressed-tensors' and fbgemm's
(``weight_scale``), DeepSeek-V4's (``scale``) and bitsandbytes' (``SCB``). All multiply, whatever
they are called.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    as_bytes,
    require_fit,
    require_numbers,
    rounding_of,
    shape_words,
)
from modeldiff.checkpoints.recipes.groups import Groups, StoredNumbers, block_of
from modeldiff.checkpoints.recipes.scaled_codes import NO_ZEROS, Coding, Grid, ScaledCodes
from modeldiff.checkpoints.tensor import TensorInfo

FLOAT8 = ("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
PLAIN_SCALES = ("F32", "F16", "BF16")
ENDS = ("_scale_inv", "_scale")
_BITSANDBYTES = 0.007874015718698502
"""1/127 as bitsandbytes writes it: its codes are multiplied by it last."""
_MX = 32
_MOST_ACROSS = 1 << 20


def read_octets(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    codes = stored.tensors[name]
    if codes.values not in (*FLOAT8, "I8"):
        return None
    module, _, last = name.rpartition(".")
    names = [name + end for end in ENDS]
    names += [f"{module}.scale"] if last == "weight" else []
    names += [f"{module}.SCB"] if last == "weight" and codes.values == "I8" else []
    scales = stored.beside(*names)
    if not scales or len(codes.shape) < 2 or not codes.elements:
        return None
    scale = scales[0]
    if codes.values == "I8" and is_fp4_pair(codes, scale):
        return None
    require_fit(len(scales) == 1, "it has several scales")
    also = stored.beside(f"{name}_shape", f"{name}_format", f"{module}.weight_format")
    recipe = scaled_octets(codes, scale, stored, also=also)
    if scale.name.endswith(".SCB"):
        recipe = replace(recipe, stored="LLM.int8", factor=_BITSANDBYTES, words="bitsandbytes INT8")
    elif codes.values == "I8":
        zeros = stored.beside(f"{name}_zero_point")
        recipe = replace(recipe, zeros=zero_points(scale, *zeros), rounding=rounding_of(scale))
    return TensorInfo.made(name, codes.shape, recipe.rounding, recipe)


def is_fp4_pair(codes: TensorInfo, scale: TensorInfo) -> bool:
    """Whether a byte holds two four-bit floats: its powers of two stand for 32 of these."""
    powers = scale.values in ("F8_E8M0", "U8")
    return powers and scale.shape == (*codes.shape[:-1], codes.shape[-1] * 2 // _MX)


def zero_points(scale: TensorInfo, zero: TensorInfo | None = None) -> Groups:
    """Zero points as the scales lie, or zero. Raises ``Unfit``."""
    if zero is None:
        return NO_ZEROS
    require_numbers(zero, "I8", "I32", "I64", *PLAIN_SCALES)
    require_fit(zero.elements == scale.elements, "its zero points are not as many as its scales")
    return StoredNumbers(zero)


def scaled_octets(
    codes: TensorInfo, scale: TensorInfo, stored: NamedTensors, *, also: tuple[TensorInfo, ...] = ()
) -> ScaledCodes:
    """The recipe of ``codes``, [out, in] or a stack of such, times ``scale``. Raises ``Unfit``."""
    powers = scale.values == "U8" and codes.values in FLOAT8
    require_numbers(scale, *PLAIN_SCALES, "F8_E8M0", *(["U8"] if powers else []))
    block = _block(codes, scale, stored)
    columns = codes.shape[-1]
    require_fit(-(-columns // block[1]) <= _MOST_ACROSS, "a row has too many scales")
    name, words = _names(codes, scale, block)
    return ScaledCodes(
        words,
        name,
        as_bytes(codes),
        Coding("octets", 8, "signed" if codes.values == "I8" else codes.values),
        Grid.of(columns, block),
        StoredNumbers(scale, kind="F8_E8M0" if powers else ""),
        also=also,
    )


def _block(codes: TensorInfo, scale: TensorInfo, stored: NamedTensors) -> tuple[int, int]:
    """Rows and columns that share a scale: the config's, where they fit the shapes."""
    asked = stored.settings.block()
    if asked is not None and len(scale.shape) == len(codes.shape):
        counts = tuple(-(-size // each) for size, each in zip(codes.shape[-2:], asked, strict=True))
        whole = len(codes.shape) == 2 or not codes.shape[-2] % asked[0]
        if whole and scale.shape == (*codes.shape[:-2], *counts):
            return asked
    block = block_of(codes.shape, scale.shape)
    if block is None:
        require_fit(
            False,
            f"its scale of shape {shape_words(scale)} does not fit codes of shape "
            f"{shape_words(codes)}",
        )
    assert block is not None
    if asked is not None and 1 not in block and min(scale.shape, default=1) > 1:
        stored.note(
            f"The config says that blocks of {asked[0]:,}×{asked[1]:,} share a scale; by the "
            f"shapes they are of {block[0]:,}×{block[1]:,}, and are read so."
        )
    return block


def mxfp8_names(codes: TensorInfo) -> tuple[str, str]:
    """What codes of MXFP8 are called, in short and in words."""
    return ("MXFP8-E5M2", "MXFP8 (E5M2)") if "E5M2" in codes.values else ("MXFP8", "MXFP8")


def _names(codes: TensorInfo, scale: TensorInfo, block: tuple[int, int]) -> tuple[str, str]:
    if codes.values == "I8":
        name, words = "INT8", "INT8"
    else:
        e5m2 = "E5M2" in codes.values
        name, words = ("FP8-E5M2", "FP8 (E5M2)") if e5m2 else ("FP8", "FP8")
        if block == (1, _MX) and scale.values in ("U8", "F8_E8M0"):
            return mxfp8_names(codes)
    if scale.elements == 1:
        return name, f"{words}, one scale"
    if block == (1, codes.shape[-1]):
        return name, f"{words}, a scale a row"
    return name, f"{words}, {block[0]:,}×{block[1]:,} blocks"
