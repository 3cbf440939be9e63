"""The heatmap's readings, straight from a change table, and what was drawn of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from modeldiff.architectures import Architecture
from modeldiff.changes import ChangeTable
from modeldiff.drawings import Heatmap, HeatmapOptions, Metric, gather_cells
from modeldiff.drawings.heatmap.stored import stored_as

_PLAIN = HeatmapOptions()


def heatmap_of(
    table: ChangeTable,
    base: Architecture,
    target: Architecture,
    metric: Metric,
    options: HeatmapOptions = _PLAIN,
) -> Heatmap:
    """The heatmap of a comparison."""
    cells = gather_cells(table, base, target, experts=options.experts)
    return Heatmap.of_cells(cells, metric, options)


def frame_of_readings(heatmap: Heatmap) -> pd.DataFrame:
    """A row a reading, with its cell's place and how it is stored."""
    rows: list[dict[str, Any]] = [
        {
            **{
                name: getattr(one.cell, name)
                for name in ("layer", "column", "expert", "rank", "region", "group", "kind", "part")
            },
            **{
                name: getattr(one, name)
                for name in ("value", "mark", "place", "shown", "text", "note", "description")
            },
            **{
                name: getattr(stored_as(one.cell), name)
                for name in ("base_name", "target_name", "base_shape", "target_shape")
            },
        }
        for one in heatmap.readings
    ]
    columns = ["layer", "column", "expert", "rank", "region", "value", "mark", "place"]
    frame = pd.DataFrame(rows, columns=None if rows else columns)
    return frame.astype({"layer": "Int64", "expert": "Int64", "value": "float64"})


def heatmap_frame(
    table: ChangeTable,
    base: Architecture,
    target: Architecture,
    metric: Metric,
    *,
    experts: str = "",
) -> pd.DataFrame:
    """The readings of a comparison as a frame; ``experts`` names a column to unfold."""
    return frame_of_readings(
        heatmap_of(table, base, target, metric, HeatmapOptions(experts=experts))
    )


def in_cells(frame: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are cells, and no margins."""
    return ~frame["region"].isin(["layer", "column"])


@dataclass(frozen=True)
class DrawnCell:
    """A cell as it was drawn: its classes, what is written in it, and its box."""

    css: tuple[str, ...]
    words: str
    x: float
    y: float
    width: float
    height: float
    label: str


def drawn_cells(svg: str) -> dict[int, DrawnCell]:
    """Every cell of a drawing, by its position."""
    cells: dict[int, DrawnCell] = {}
    for element in ElementTree.fromstring(svg).iter():
        at = element.get("data-cell")
        if at is None:
            continue
        rect = next(child for child in element if child.tag.endswith("rect"))
        x, y, width, height = (float(rect.get(name) or 0) for name in ("x", "y", "width", "height"))
        assert int(at) not in cells, "a cell is drawn twice"
        cells[int(at)] = DrawnCell(
            tuple((element.get("class") or "").split()),
            " ".join("".join(child.itertext()) for child in element if child.tag.endswith("text")),
            x,
            y,
            width,
            height,
            element.get("aria-label") or "",
        )
    return cells
