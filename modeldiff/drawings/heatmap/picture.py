"""The heatmap of one metric before it is drawn: readings, scales and lines, made once for drawings
of any size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from modeldiff.drawings.heatmap.cells import GatheredCell, GatheredCells
from modeldiff.drawings.heatmap.colour_scales import ColourScales, choose_colour_scales
from modeldiff.drawings.heatmap.faces import Face, faces, marks_of
from modeldiff.drawings.heatmap.lines import Lines, arrange_lines
from modeldiff.drawings.heatmap.options import HeatmapOptions
from modeldiff.drawings.heatmap.readings import Reading, heatmap_alt, in_picture, read_cells
from modeldiff.drawings.style.metrics import Metric
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted

_DEFAULT = HeatmapOptions()


@dataclass(frozen=True)
class Heatmap:
    """The readings of all cells and margins (of cells gathered with the same ``options.experts``),
    and all that follows from them. ``left_out`` components have no cells, as there are too many."""

    readings: tuple[Reading, ...]
    metric: Metric
    options: HeatmapOptions = _DEFAULT
    left_out: int = 0

    @classmethod
    def of_cells(
        cls,
        cells: Sequence[GatheredCell],
        metric: Metric,
        options: HeatmapOptions = _DEFAULT,
    ) -> Heatmap:
        """The heatmap of gathered cells."""
        left_out = cells.left_out if isinstance(cells, GatheredCells) else 0
        return cls(read_cells(cells, metric), metric, options, left_out)

    @cached_property
    def scales(self) -> ColourScales:
        """The colour scales, and whose they are."""
        return choose_colour_scales(self.readings, self.metric, self.options)

    @cached_property
    def faces(self) -> list[Face | None]:
        """What each cell looks like; None for margins."""
        return faces(self.readings, self.scales)

    @cached_property
    def marks(self) -> list[str]:
        """The marks that occur, in the order of the legend."""
        folded = {line.layer for line in self.lines.layers if not line.has_cells}
        return marks_of(self.readings, self.faces, folded)

    @cached_property
    def lines(self) -> Lines:
        """Layers and components in their order."""
        return arrange_lines(self.readings, self.metric, by_change=self.options.by_change)

    @cached_property
    def alt(self) -> str:
        """One sentence with the picture's facts, for who does not see it."""
        return heatmap_alt(self.readings, self.metric)

    @property
    def not_drawn(self) -> str:
        """How many components have no cells, in a sentence; empty where all have."""
        if not self.left_out:
            return ""
        return (
            f"{counted(self.left_out, 'more component')} "
            f"{'is' if self.left_out == 1 else 'are'} not drawn: the result's downloads and"
            " modeldiff diff --top have all of them."
        )

    @cached_property
    def guide(self) -> str:
        """How the colours are to be read, and what is not drawn, in sentences for below the
        picture."""
        guide = " ".join(filter(None, (self.not_drawn, self.scales.guide())))
        moved = [one for one in self.readings if in_picture(one) and one.moved]
        known = [one for one in moved if one.value is not None and one.resolution]
        below = [one for one in known if (one.value or 0.0) < (one.resolution or 0.0)]
        if self.metric.has_floor and known and len(below) > 0.8 * len(known):
            guide += (
                " Nearly all numbers lie below it: Relative Frobenius norm and Unchanged elements"
                " tell more here."
            )
        whole_layers = any(
            one.cell.region == "layer" and not one.cell.column for one in self.readings
        )
        if self.metric.by_size and whole_layers:
            guide += " In a whole layer's number the norms weigh much, whose values are large."
        return guide

    def position(self, layer: int | None, column: str, expert: int | None = None) -> int | None:
        """Where among the readings a cell is, or a margin's; None where there is none."""
        for at, one in enumerate(self.readings):
            if (one.cell.layer, one.cell.column, one.cell.expert) == (layer, column, expert):
                return at
        return None
