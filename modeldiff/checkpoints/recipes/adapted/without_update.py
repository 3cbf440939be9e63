"""What an adapter was put on."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from modeldiff.checkpoints.recipes.adapted.low_rank import LowRankUpdate
from modeldiff.checkpoints.recipes.adapted.trained_whole import AddedVector, ReplacedRows
from modeldiff.checkpoints.recipes.element_slice import ElementSlice, slice_elements
from modeldiff.checkpoints.selected_rows import SelectedRows, select_rows
from modeldiff.checkpoints.tensor import TensorInfo

_UPDATES = (LowRankUpdate, AddedVector, ReplacedRows)


def without_update(tensor: TensorInfo) -> TensorInfo | None:
    """The tensor without an adapter's updates on it, cut as it is; None where there are none, or
    it was replaced as a whole."""
    recipe = tensor.recipe
    if isinstance(recipe, _UPDATES):
        return without_update(recipe.base) or recipe.base
    if isinstance(recipe, ElementSlice):
        whole = without_update(recipe.tensor)
        if whole is not None:
            return slice_elements(whole, tensor.shape, recipe.first, recipe.strides, tensor.slice)
    if isinstance(recipe, SelectedRows):
        whole = without_update(recipe.tensor)
        return None if whole is None else select_rows(whole, recipe.numbers)
    return None


def rank_of_update(tensor: TensorInfo) -> int:
    """The rank of the low-rank update on a tensor, of several the sum; 0 where there is none."""
    recipe = tensor.recipe
    if isinstance(recipe, _UPDATES):
        own = recipe.rank if isinstance(recipe, LowRankUpdate) else 0
        return own + rank_of_update(recipe.base)
    return rank_of_update(recipe.tensor) if isinstance(recipe, ElementSlice | SelectedRows) else 0


def replaced_rows(tensor: TensorInfo) -> AbstractSet[int]:
    """The numbers of the rows of a tensor that an adapter trained anew: few among many others."""
    recipe = tensor.recipe
    if isinstance(recipe, _UPDATES):
        own = recipe.numbers if isinstance(recipe, ReplacedRows) else ()
        return {*own, *replaced_rows(recipe.base)}
    if isinstance(recipe, SelectedRows) and (within := replaced_rows(recipe.tensor)):
        return {row for row, number in enumerate(recipe.numbers.tolist()) if number in within}
    return frozenset()
