"""What is to be said of tensors that an adapter updates."""

from __future__ import annotations

from modeldiff.checkpoints.tensor import TensorInfo

MERGED_HERE = "with an adapter's update, merged here"


def merged_note(tensor: TensorInfo) -> str:
    """That a tensor is base's with an update, and which; empty where it is stored as it is."""
    recipe = tensor.recipe
    if recipe is None:
        return ""
    from modeldiff.checkpoints.recipes.adapted.low_rank import LowRankUpdate
    from modeldiff.checkpoints.recipes.adapted.trained_whole import AddedVector, ReplacedRows

    if isinstance(recipe, LowRankUpdate | AddedVector | ReplacedRows):
        return f"{MERGED_HERE} ({recipe.words})"
    return ""
