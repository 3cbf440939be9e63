"""torchao's tensors as it takes them apart: ``_weight_qdata``, ``_weight_scale``, and zero points.

Up to 0.14 the names had a colon (``weight:qdata``). INT8 and FP8 are read; codes in the tiles of a
kernel are not.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.checkpoints.quantised.named_tensors import NamedTensors, require_fit, rounding_of
from modeldiff.checkpoints.quantised.octets import FLOAT8, scaled_octets, zero_points
from modeldiff.checkpoints.tensor import TensorInfo

_DATA = "qdata"


def read_torchao(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    codes = stored.tensors[name]
    if not name.endswith(_DATA) or codes.values not in ("I8", *FLOAT8):
        return None
    stem = name.removesuffix(_DATA)
    module, dot, last = stem.rpartition(".")
    marked = last.startswith("_") and last.endswith("_")
    parameter = last[1:-1] if marked else last.removesuffix(":")
    scales = stored.beside(f"{stem}scale")
    if not parameter or parameter == last or not scales or len(codes.shape) < 2:
        return None
    require_fit(
        not stored.beside(f"{stem}act_pre_scale"),
        "its inputs are scaled before it, so that its values are not the model's",
    )
    recipe = scaled_octets(codes, scales[0], stored)
    if codes.values == "I8":
        zeros = stored.beside(f"{stem}zero_point")
        zero = zero_points(scales[0], *zeros)
        recipe = replace(recipe, zeros=zero, rounding=rounding_of(scales[0]))
    return TensorInfo.made(f"{module}{dot}{parameter}", codes.shape, recipe.rounding, recipe)
