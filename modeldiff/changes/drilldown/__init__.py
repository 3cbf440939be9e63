"""What lies behind one row of a change table, from a new read of that one pair.

``measure_units`` cuts a matrix into heads or blocks of neurons, ``expert_changes`` picks a layer's
experts from rows that are there, ``measure_rows`` tells the tokens of an embedding or head apart,
``measure_image`` draws the matrix as blocks, and ``measure_singular_values`` says of what rank the
change is. Each reads the pair through buffers of fixed size, reports progress and can be stopped
from there; holds a matrix in memory only where singular values need it.
"""

from modeldiff.changes.drilldown.image import ChangeImage, measure_image
from modeldiff.changes.drilldown.rows import RowChanges, measure_rows
from modeldiff.changes.drilldown.spectrum.singular_values import (
    measure_singular_values,
    spectrum_plan,
)
from modeldiff.changes.drilldown.spectrum.spectrum import RoundingNoise, SingularValues
from modeldiff.changes.drilldown.units import (
    UnitChanges,
    Units,
    expert_changes,
    measure_units,
    units_between,
    units_of,
)

__all__ = [
    "ChangeImage",
    "RoundingNoise",
    "RowChanges",
    "SingularValues",
    "UnitChanges",
    "Units",
    "expert_changes",
    "measure_image",
    "measure_rows",
    "measure_singular_values",
    "measure_units",
    "spectrum_plan",
    "units_between",
    "units_of",
]
