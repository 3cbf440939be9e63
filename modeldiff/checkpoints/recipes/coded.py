"""Which tensors hold codes that the kernels of quantised safetensors decode."""

from __future__ import annotations

from modeldiff.checkpoints.recipes.affine_codes import AffineCodes
from modeldiff.checkpoints.recipes.column_codes import ColumnCodes
from modeldiff.checkpoints.recipes.scaled_codes import ScaledCodes
from modeldiff.checkpoints.recipes.stacked.shifted_codes import ShiftedCodes
from modeldiff.checkpoints.tensor import TensorInfo


def has_codes(tensor: TensorInfo | None) -> bool:
    """Whether ``CODE_KERNELS`` decode this tensor, or a part of what it is made of."""
    recipe = tensor.recipe if tensor is not None else None
    if isinstance(recipe, AffineCodes | ColumnCodes | ScaledCodes | ShiftedCodes):
        return True
    return recipe is not None and any(map(has_codes, recipe.operands))
