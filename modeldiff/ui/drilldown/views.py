"""The views of the registry's drill-downs, by the names of their kinds."""

from __future__ import annotations

from modeldiff.ui.drilldown.image import IMAGE_VIEW
from modeldiff.ui.drilldown.rows import ROWS_VIEW
from modeldiff.ui.drilldown.spectrum import SPECTRUM_VIEW
from modeldiff.ui.drilldown.units import UNITS_VIEW
from modeldiff.ui.drilldown.view import DrillDownView

VIEWS: dict[str, DrillDownView] = {
    "units": UNITS_VIEW,
    "rows": ROWS_VIEW,
    "image": IMAGE_VIEW,
    "spectrum": SPECTRUM_VIEW,
}
"""A kind without a view is one for programs: the app does not offer it."""
