"""How to go through values so that no stored byte is read twice, however large the tensor."""

from __future__ import annotations

from modeldiff.checkpoints.recipes.column_codes import ColumnCodes, panel_elements
from modeldiff.checkpoints.recipes.stacked.stacked_codes import StackedCodes
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Walk:
    """Elements that lie ``run`` apart are in the same words, and are wanted one soon after the
    other; 0 where each lies for itself. Of the first ``sampled`` elements a sample costs nothing:
    what is read for it is kept for those that come next. ``heavy``: that is so much that it is not
    to be read before it is needed."""

    run: int
    sampled: int
    heavy: bool = False

    def beside(self, other: Walk) -> Walk:
        """That of two tensors of as many elements, which are read together."""
        runs = [each.run for each in (self, other) if each.run]
        sampled = min(self.sampled, other.sampled)
        return Walk(min(runs, default=0), sampled, self.heavy or other.heavy)


def walk_of(tensor: TensorInfo) -> Walk:
    """As the recipe that the ``tensor`` is made by has it, or one of those it takes values of."""
    walk, recipe = Walk(0, tensor.elements), tensor.recipe
    if recipe is None:
        return walk
    if isinstance(recipe, ColumnCodes):
        return Walk(0, panel_elements(recipe), heavy=True)
    if isinstance(recipe, StackedCodes) and recipe.parts > 1:
        return Walk(recipe.each, tensor.elements)
    for operand in recipe.operands:
        if operand.elements == tensor.elements:
            walk = walk.beside(walk_of(operand))
    return walk
