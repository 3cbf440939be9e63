"""Which pair is looked at, and at what of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modeldiff.architectures import Place
from modeldiff.changes import ChangeImage, RowChanges, SingularValues, UnitChanges

DrillDownKind = Literal["units", "rows", "image", "spectrum"]
"""``units``: heads or blocks of neurons. ``rows``: each token. ``image``: the matrix as blocks.
``spectrum``: the singular values of the change."""

DrillDownResult = UnitChanges | RowChanges | ChangeImage | SingularValues
"""What they show, in this order."""


@dataclass(frozen=True)
class DrillDown:
    """One kind of look at the pair of one place."""

    place: Place
    kind: DrillDownKind
