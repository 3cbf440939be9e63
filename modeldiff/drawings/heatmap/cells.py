"""What the heatmap's cells are, before a metric is chosen: tensors gathered and merged once.

A cell is a place's column in a layer; several experts are one cell, unless their column is to be
unfolded. Beside the cells stand each layer's and each column's own statistics: histograms and sums
added, nothing averaged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import chain, islice
from typing import Literal, Self

from modeldiff.architectures import Architecture, Place
from modeldiff.architectures.config.parameter_counts import part_of
from modeldiff.architectures.place import LayerNumbers
from modeldiff.changes import Change, ChangeTable, Pair, Statistics
from modeldiff.changes.statistics.merge_cache import merged
from modeldiff.processes.late_dataclass import dataclass

MOST_CELLS = 8_000
"""Cells that a picture may have: more could not be told apart."""
MOST_COLUMNS = 1_000
"""Components that a picture may have. No known model has half as many; made-up names can be a
component each, and a page of all of them would be a hundred megabytes."""

CellRegion = Literal["above", "grid", "below", "layer", "column"]
"""Where a cell stands: outside the layers before or after them, in the grid, or in its margin as a
layer's or a column's own."""


@dataclass(frozen=True)
class GatheredCell:
    """One cell: its tensors' ``rows`` of the change table, and their merged statistics.

    ``rank`` is the column's number in data order, ``group`` the sublayer it belongs to, ``kind``
    what it is (matrices, norms, vectors), ``part`` its part of the model. ``expert`` is None for
    folded experts. A margin's cell has the rows of all that it merges.
    """

    layer: int | None
    column: str
    expert: int | None
    region: CellRegion
    rank: int
    group: str
    kind: str
    part: str
    rows: tuple[Change, ...]
    statistics: Statistics | None

    @property
    def layer_label(self) -> str:
        """What people call the layer; empty outside the layers and for several of them."""
        if self.layer is None:
            return ""
        return " / ".join(dict.fromkeys(row.pair.place.layer_label for row in self.rows))

    @property
    def numbers(self) -> LayerNumbers:
        """The layer's number on each side."""
        return self.rows[0].pair.place.numbers

    @property
    def aligned(self) -> bool:
        """Whether its layer met another one by content, or none, and not by its number."""
        return self.rows[0].pair.place.layers is not None


class GatheredCells(tuple[GatheredCell, ...]):
    """Cells as ``gather_cells`` gives them; ``left_out`` is how many columns are not among them."""

    left_out: int

    def __new__(cls, cells: Iterable[GatheredCell] = (), left_out: int = 0) -> Self:
        made = super().__new__(cls, cells)
        made.left_out = left_out
        return made


def gather_cells(
    table: ChangeTable, *architectures: Architecture, experts: str = "", all_columns: bool = False
) -> GatheredCells:
    """The cells layer by layer, those outside the layers first, and the margins last.

    Within a layer they stand in the order of data. ``architectures`` are base's and target's, by
    which columns belong to sublayers; without them each goes by what its name has in front.
    ``experts`` names a column whose experts are to be cells of their own; then there are only
    these, and their margins. Of more columns than a picture may have, and of columns of more cells,
    those that come first are there, unless ``all_columns`` are asked for.
    """
    trained = _drawn_columns(table, architectures)
    drawn = trained if all_columns or experts else _first_columns(table, trained)
    groups: dict[str, str] = {}
    # Where names are no model's there is no graph that would be worth the while.
    if all_columns or len(drawn) == len(trained):
        for architecture in reversed(architectures):
            groups |= _groups(architecture)
    rank = {column: number for number, column in enumerate(table.columns)}
    shown = [cell for cell in table.cells if cell[1] in drawn and experts in ("", cell[1])]
    shown.sort(key=lambda cell: (-1 if cell[0] is None else cell[0], rank[cell[1]]))
    cells = []
    for layer, column in shown:
        rows = table.cell(layer, column)
        place = rows[0].pair.place
        region: CellRegion = "grid" if layer is not None else "above"
        if layer is None and table.order.ends(place):
            region = "below"
        group = "" if layer is None else groups.get(column, place.node.rpartition(".")[0])
        alike = region, rank[column], group, _kind(rows[0].pair), _part(place)
        if experts:
            cells += [
                GatheredCell(layer, column, own[0].pair.place.expert, *alike, own, statistics)
                for own, statistics in _one_an_expert(table, rows)
            ]
        else:
            statistics = table.merged("cell")[layer, column]
            cells.append(GatheredCell(layer, column, None, *alike, rows, statistics))
    return GatheredCells((*cells, *_margins(cells, experts)), len(trained) - len(drawn))


def _first_columns(table: ChangeTable, columns: Set[str]) -> Set[str]:
    """Those of the ``columns`` that come first, as many as a picture has room for."""
    counts = Counter(column for _, column in table.cells)
    first: set[str] = set()
    room = MOST_CELLS
    for column in islice((each for each in table.columns if each in columns), MOST_COLUMNS):
        if counts[column] <= room:
            room -= counts[column]
            first.add(column)
    return columns if len(first) == len(columns) else first


def _one_an_expert(
    table: ChangeTable, rows: Sequence[Change]
) -> Iterator[tuple[tuple[Change, ...], Statistics | None]]:
    for row in rows:
        if row.pair.place.expert is not None:
            yield (row,), table.statistics([row])


def _margins(cells: Sequence[GatheredCell], experts: str) -> list[GatheredCell]:
    """A cell for each layer (where a column's experts are unfolded: for all of them in it), and for
    each column of the grid."""
    grid = [cell for cell in cells if cell.region == "grid"]
    by_layer: dict[int, list[GatheredCell]] = {}
    by_column: dict[tuple[str, int | None], list[GatheredCell]] = {}
    for cell in grid:
        if cell.layer is not None:
            by_layer.setdefault(cell.layer, []).append(cell)
        by_column.setdefault((cell.column, cell.expert), []).append(cell)
    margins = [
        _margin(members, "layer", layer, experts, None)
        for layer, members in sorted(by_layer.items())
    ]
    margins += [
        _margin(members, "column", None, column, expert)
        for (column, expert), members in by_column.items()
    ]
    return margins


def _margin(
    members: Sequence[GatheredCell],
    region: CellRegion,
    layer: int | None,
    column: str,
    expert: int | None,
) -> GatheredCell:
    first = members[0]
    known = [cell.statistics for cell in members if cell.statistics is not None]
    return GatheredCell(
        layer,
        column,
        expert,
        region,
        first.rank,
        first.group,
        first.kind,
        first.part,
        tuple(chain.from_iterable(cell.rows for cell in members)),
        merged(known),
    )


def _kind(one: Pair) -> str:
    tensor = one.base or one.target
    if part_of(one.place) == "norms":
        return "norms"
    return "matrices" if tensor is None or len(tensor.shape) > 1 else "vectors"


def _part(place: Place) -> str:
    """The part of the model whose scale a place shares when parts have scales of their own."""
    if place.parameter == "bias":
        return "biases"
    part = part_of(place)
    return {
        "embedding": "embedding and head",
        "head": "embedding and head",
        "mlp": "MLP",
        "experts": "MLP",
        "mixer": "state space",
        "other": "others",
    }.get(part, part)


def _drawn_columns(table: ChangeTable, architectures: Sequence[Architecture]) -> Set[str]:
    """All columns but those of buffers alone."""
    trained = {column for each in architectures for column in (*each.columns, *each.outside)}
    return trained | {row.pair.place.column for row in table if row.pair.status != "buffer"}


def _groups(architecture: Architecture) -> dict[str, str]:
    """The sublayer of each column, by name; what no sublayer holds goes by its own first part."""
    node_by_column = {p.place.column: p.place.node for p in architecture.parameters}
    sublayer_of = {
        node.id: sublayer.name
        for kind in reversed(architecture.layer_kinds)
        for sublayer in kind.sublayers
        for row in sublayer.rows
        for node in row
    }
    return {
        column: sublayer_of.get(node) or node.partition(".")[0]
        for column, node in node_by_column.items()
    }
