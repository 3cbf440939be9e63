"""What the heatmap's cells are, before a metric is chosen: tensors gathered and merged once.

A cell is a place's column in a layer; several experts are one cell, unless their column is to be
unfolded. Beside the cells stand each layer's and each column's own statistics: histograms and sums
added, nothing averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from modeldiff.architectures import Architecture, Place, merge_columns
from modeldiff.architectures.config.parameter_counts import part_of
from modeldiff.changes import Change, Pair, Statistics, pair
from modeldiff.changes.statistics.merge_cache import merged

CellRegion = Literal["above", "grid", "below", "layer", "column"]
"""Where a cell stands: outside the layers before or after them, in the grid, or in its margin as a
layer's or a column's own."""


@dataclass(frozen=True)
class GatheredCell:
    """One cell: its tensors' ``pairs`` with what is known of each, and their merged statistics.

    ``rank`` is the column's number in data order, ``group`` the sublayer it belongs to, ``kind``
    what it is (matrices, norms, vectors), ``part`` its part of the model. ``expert`` is None for
    folded experts. A margin's cell has the pairs of all that it merges.
    """

    layer: int | None
    column: str
    expert: int | None
    region: CellRegion
    rank: int
    group: str
    kind: str
    part: str
    pairs: tuple[tuple[Pair, Change | None], ...]
    statistics: Statistics | None


def gather_cells(
    changes: Iterable[Change], base: Architecture, target: Architecture, *, experts: str = ""
) -> tuple[GatheredCell, ...]:
    """The cells in data order: outside the layers first, then layer by layer, then the margins.

    ``changes`` may be any part of the comparison. ``experts`` names a column whose experts are to
    be cells of their own; then there are only these, and their margins.
    """
    measured = {_key(change.pair): change for change in changes}
    stored = {
        change.pair.base.name: change.statistics
        for change in measured.values()
        if change.statistics is not None and change.pair.base is not None
    }
    found: dict[tuple[int | None, str, int | None], list[tuple[Pair, Change | None]]] = {}
    for one in pair(base, target):
        place = one.place
        if experts and (place.column != experts or place.expert is None):
            continue
        key = (place.layer, place.column, place.expert if experts else None)
        found.setdefault(key, []).append((one, measured.get(_key(one))))
    columns = merge_columns(base.columns, target.columns)
    outside = merge_columns(base.outside, target.outside)
    groups = _groups(columns, target) | _groups(columns, base)
    below = {step.id for side in (base, target) for step in side.tail}
    rank = {column: number for number, column in enumerate((*outside, *columns))}

    def order(key: tuple[int | None, str, int | None]) -> tuple[int, int, int]:
        layer, column, expert = key
        return -1 if layer is None else layer, rank[column], -1 if expert is None else expert

    cells = []
    for layer, column, expert in sorted((k for k in found if k[1] in rank), key=order):
        pairs = found[layer, column, expert]
        place = pairs[0][0].place
        region: CellRegion = "grid" if layer is not None else "above"
        if layer is None and step_of(place) in below:
            region = "below"
        cells.append(
            GatheredCell(
                layer,
                column,
                expert,
                region,
                rank[column],
                "" if layer is None else groups.get(column, ""),
                _kind(pairs[0][0]),
                _part(place),
                tuple(pairs),
                _cell_statistics(pairs, stored),
            )
        )
    return (*cells, *_margins(cells, experts))


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
        tuple(chain.from_iterable(cell.pairs for cell in members)),
        merged(known),
    )


def _cell_statistics(
    pairs: Sequence[tuple[Pair, Change | None]], stored: Mapping[str, Statistics]
) -> Statistics | None:
    first = pairs[0][0]
    if first.status == "tied" and first.base is not None:
        # Measured once, where it is stored; shown at both places.
        return stored.get(first.base.name)
    return merged([c.statistics for _, c in pairs if c is not None and c.statistics is not None])


def _key(pair: Pair) -> tuple[str, str, bool]:
    """What tells a pair from all others: its names, which a tied one has in common with another."""
    return (
        pair.base.label if pair.base is not None else "",
        pair.target.label if pair.target is not None else "",
        pair.status == "tied",
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


def _groups(columns: Sequence[str], architecture: Architecture) -> dict[str, str]:
    """The sublayer of each column, by name; what no sublayer holds goes by its own first part."""
    step_by_column = {p.place.column: step_of(p.place) for p in architecture.parameters}
    sublayer_of = {
        step.id: sublayer.name
        for kind in reversed(architecture.layer_kinds)
        for sublayer in kind.sublayers
        for row in sublayer.rows
        for step in row
    }
    groups = {}
    for column in columns:
        step = step_by_column.get(column)
        if step is not None:
            groups[column] = sublayer_of.get(step) or step.partition(".")[0]
    return groups


def step_of(place: Place) -> str:
    """The id of the step that holds a place: the component, with its tower."""
    return f"{place.tower}.{place.component}" if place.tower else place.component
