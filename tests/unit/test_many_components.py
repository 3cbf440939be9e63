"""More components than a picture has room for."""

from __future__ import annotations

from modeldiff.architectures.place import Place
from modeldiff.changes import ChangeTable, Pair
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.drawings.heatmap.cells import MOST_CELLS, MOST_COLUMNS, gather_cells
from modeldiff.drawings.heatmap.picture import Heatmap
from modeldiff.drawings.style.metrics import METRICS

TENSOR = TensorInfo.stored("a", "BF16", (1, 2), "f", 0, 4)


def table(*places: Place) -> ChangeTable:
    return ChangeTable.of_pairs(Pair(place, "compared", TENSOR, TENSOR) for place in places)


def test_the_first_are_drawn_and_the_others_counted() -> None:
    changes = table(*(Place(None, f"c{number}") for number in range(MOST_COLUMNS + 7)))
    cells = gather_cells(changes)
    assert [cell.column for cell in cells] == [f"c{n}" for n in range(MOST_COLUMNS)]
    assert cells.left_out == 7
    heatmap = Heatmap.of_cells(cells, METRICS[0])
    assert heatmap.guide.startswith("7 more components are not drawn")


def test_a_component_of_too_many_layers_leaves_room_for_others() -> None:
    long = (Place(layer, "long") for layer in range(MOST_CELLS))
    cells = gather_cells(table(*long, Place(0, "short")))
    assert {cell.column for cell in cells if cell.region == "grid"} == {"long"}
    assert cells.left_out == 1
    longer = (Place(layer, "long") for layer in range(MOST_CELLS + 1))
    cells = gather_cells(table(*longer, Place(0, "short")))
    assert {cell.column for cell in cells if cell.region == "grid"} == {"short"}


def test_a_report_has_all() -> None:
    changes = table(*(Place(None, f"c{number}") for number in range(MOST_COLUMNS + 7)))
    assert len(gather_cells(changes, all_columns=True)) == MOST_COLUMNS + 7
