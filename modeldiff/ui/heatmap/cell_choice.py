"""Which cell of a heatmap is chosen: it stands in the address."""

from __future__ import annotations

from modeldiff.changes import ChangeTable
from modeldiff.drawings import HeatmapOptions
from modeldiff.findings.selection import ChosenCell, chosen_cell
from modeldiff.ui.session.url_state import View, change_view


def cell_in_view(view: View, options: HeatmapOptions, changes: ChangeTable) -> ChosenCell | None:
    """What the address chooses of a heatmap drawn with ``options``; None where nothing is."""
    expert = view.expert if options.experts and options.experts == view.component else None
    return chosen_cell(changes, view.layer, view.component, expert)


def keep_cell(cell: ChosenCell | None) -> None:
    """Carry a choice to the address: a cell, a whole layer or a column over all layers; or none.
    For callbacks."""
    change_view(
        layer=None if cell is None else cell.layer,
        component=(None if cell is None else cell.column) or None,
        expert=None if cell is None else cell.expert,
    )
