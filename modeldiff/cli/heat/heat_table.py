"""The heatmap in a terminal: components down, layers across, colours where there are some."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

from modeldiff.changes import Change, ChangeTable, Statistics, Status
from modeldiff.cli.colour import Painted
from modeldiff.cli.heat.ramps import Ramps, choose_ramps
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import sentence_lines, shorten_middle
from modeldiff.drawings.heatmap.cells import MOST_COLUMNS
from modeldiff.drawings.style.metrics import METRICS, Metric
from modeldiff.drawings.style.value_scale import ValueScale, choose_value_scale
from modeldiff.findings.evidence import kind_of
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted, format_number

_PAGE = 120
"""Columns of a table that goes to no terminal."""
_MOST_CELLS = 200_000
"""Cells of the grid, with the empty ones: a hundred times a large model's. Made-up names may have
a layer and a component each, whose grid nobody could print."""
_MOST_BLOCKS = 2
"""With more blocks of layers than this, colours alone say more than numbers."""
_CHOICE = tuple(each for each in METRICS if each.key in ("median_pct", "rel_frobenius_pct"))
"""Where no median tells a change, as of a light fine-tune in bf16, the second one does."""
_SIGNS: Mapping[Status, str] = {
    "only_in_base": "−",
    "only_in_target": "+",
    "different_shape": "≠",
    "unreadable": "×",
    "quantised": "q",
}
_MEANINGS = {
    "=": "all elements are equal",
    "≈": "at least half of the compared elements are equal",
    "!": "has NaN or infinite values",
    "−": "only in base",
    "+": "only in target",
    "≠": "of another shape",
    "×": "unreadable",
    "q": "quantised",
    "·": "no such number",
}
_Scale = Literal["matrices", "norms, vectors"]


@dataclass(frozen=True)
class _Cell:
    text: str
    scale: _Scale
    value: float | None


def report_heat_table(changes: ChangeTable, terminal: Terminal) -> None:
    """The change of all layers and components, in as many blocks of layers as the width asks for,
    then the tensors outside the layers, the scales and the marks."""
    sheet = _Sheet(changes, terminal)
    if not sheet.layers or all(cell.value is None for cell in sheet.cells.values()):
        return
    terminal.heading(f"{sheet.metric.label} in %, layer by layer")
    terminal.painted(sheet.lines())
    if sheet.left_out:
        more = counted(sheet.left_out, "more component")
        terminal.line(f"… and {more}, listed above over all layers; --json lists every tensor.")
    marks = {cell.text[:1] for cell in sheet.cells.values()}
    meanings = [f"{sign} {words}" for sign, words in _MEANINGS.items() if sign in marks]
    if meanings:
        for line in sentence_lines("; ".join(meanings), terminal.width, 2):
            terminal.line(line)


class _Sheet:
    """What stands where, for one terminal."""

    def __init__(self, changes: ChangeTable, terminal: Terminal) -> None:
        self._changes = changes
        self._width = terminal.width or _PAGE
        self._coloured = terminal.colours in ("256", "truecolor")
        self._ramps: Ramps = choose_ramps(os.environ)
        merged = changes.merged("cell")
        self.metric = next(
            (each for each in _CHOICE if any(each.value(one) for one in merged.values())),
            _CHOICE[0],
        )
        self.cells = {
            key: _cell(changes.cell(*key), merged[key], self.metric)
            for key in changes.cells
            if any(row.pair.status != "buffer" for row in changes.cell(*key))
        }
        self.layers = sorted({layer for layer, _ in self.cells if layer is not None})
        layered = {column for layer, column in self.cells if layer is not None}
        columns = [column for column in changes.columns if column in layered]
        self._columns = columns[: _MOST_CELLS // max(len(self.layers), 1)]
        outside = [c for c in changes.columns if (None, c) in self.cells]
        self._outside = outside[:MOST_COLUMNS]
        self.left_out = len({*columns, *outside} - {*self._columns, *self._outside})
        names = [*self._columns, *self._outside, "layer"]
        self._names = max(map(len, names))
        if terminal.width is not None:
            self._names = min(self._names, max(self._width // 2, 8))

    @cached_property
    def _scales(self) -> Mapping[str, ValueScale]:
        """A scale for each of the two hues: unrelated norms are all near one value, so that what
        unrelated matrices would show is a mark on the matrices' scale alone."""
        values: dict[str, list[float]] = {}
        for cell in self.cells.values():
            if cell.value is not None:
                values.setdefault(cell.scale, []).append(cell.value)
        whole = self._changes.whole
        floor = [] if whole is None or whole.resolution_pct is None else [whole.resolution_pct]
        return {name: choose_value_scale(own, self.metric, floor) for name, own in values.items()}

    def lines(self) -> Iterator[list[Painted]]:
        """The table from top to bottom."""
        across, numbered = self._fit()
        room = max((self._width - self._names - 1) // across, 1)
        blocks = math.ceil(len(self.layers) / room)
        room = math.ceil(len(self.layers) / blocks)  # all blocks about as wide
        for start in range(0, len(self.layers), room):
            block = self.layers[start : start + room]
            yield [Painted("layer".ljust(self._names + 1)), *self._numbers(block, across)]
            for column in self._columns:
                cells = [self.cells.get((layer, column)) for layer in block]
                yield [self._name(column), *(self._painted(c, across, numbered) for c in cells)]
            yield [Painted("")]
        wide = max((len(self.cells[None, c].text) for c in self._outside), default=0) + 1
        for column in self._outside:
            yield [self._name(column), self._painted(self.cells[None, column], wide, True)]
        if self._coloured:
            yield from self._legend()

    def _fit(self) -> tuple[int, bool]:
        """How wide a cell is, and whether it holds its number."""
        grid = [cell for (layer, _), cell in self.cells.items() if layer is not None]
        numbered = max(len(cell.text) for cell in grid) + 1
        numbered = max(numbered, len(str(self.layers[-1])) + 1)
        room = max(self._width - self._names - 1, 1)
        if not self._coloured or math.ceil(len(self.layers) * numbered / room) <= _MOST_BLOCKS:
            return numbered, True
        return (2 if 2 * len(self.layers) <= room else 1), False

    def _numbers(self, block: Sequence[int], across: int) -> Iterator[Painted]:
        """The layers' numbers over their cells: all of them, or every fifth or tenth."""
        needed = len(str(self.layers[-1])) + 1
        every = next(n for n in (1, 5, 10) if n * across >= needed)
        if every == 1:
            yield from (Painted(str(self._number(layer)).rjust(across)) for layer in block)
            return
        text = ""
        for at, layer in enumerate(block):
            if at % every == 0 and len(text) <= at * across:
                text = text.ljust(at * across) + str(self._number(layer))
        yield Painted(text)

    def _number(self, layer: int) -> int | None:
        """What people call the layer: its number in base, or in target where base has none."""
        first = self._changes.layer_numbers(layer)[0]
        return first.target if first.base is None else first.base

    def _name(self, column: str) -> Painted:
        return Painted(f"{shorten_middle(column, self._names).ljust(self._names)} ")

    def _painted(self, cell: _Cell | None, across: int, numbered: bool) -> Painted:
        if cell is None:
            return Painted(" " * across)
        mark = cell.text[:1] if cell.text[:1] in _MEANINGS else ""
        shown = (cell.text if numbered else mark).rjust(across)
        return Painted(shown, "" if cell.value is None else self._ground(cell.scale, cell.value))

    def _ground(self, scale: str, value: float) -> str:
        ramp = self._ramps.heat if scale == "matrices" else self._ramps.second
        return ramp[round(self._scales[scale].heat(value) * (len(ramp) - 1))]

    def _legend(self) -> Iterator[list[Painted]]:
        for name, scale in self._scales.items():
            ramp = self._ramps.heat if name == "matrices" else self._ramps.second
            yield [
                Painted(f"{name.ljust(max(map(len, self._scales)))}  0 "),
                *(Painted(" " if self._width < 60 else "  ", ground) for ground in ramp),
                Painted(f" {'≥ ' if scale.clipped else ''}{scale.reach} %"),
            ]


def _cell(rows: Sequence[Change], statistics: Statistics | None, metric: Metric) -> _Cell:
    """A cell of the rows at one place: one, or one an expert."""
    scale: _Scale = "norms, vectors" if kind_of(rows[0]) in ("norms", "vectors") else "matrices"
    if statistics is None:
        return _Cell(_SIGNS.get(rows[0].pair.status, "·"), scale, None)
    broken = "!" if statistics.nonfinite_base or statistics.nonfinite_target else ""
    value, sums = metric.value(statistics), statistics.sums
    whole = all(r.pair.status in ("compared", "tied") and r.pair.shared is None for r in rows)
    if whole and not broken and sums is not None and sums.n and sums.unchanged == sums.n:
        return _Cell("=", scale, None)  # no colour: nearly equal is another thing
    if value is None:
        return _Cell(broken or "·", scale, None)
    shown = "≈" if value == 0 else format_number(value)
    return _Cell(f"{broken}{shown}", scale, value if math.isfinite(value) else None)
