"""What ``modeldiff fleet`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from modeldiff.cli.usage.shared_options import (
    add_cluster,
    add_json,
    add_layers,
    add_quiet,
    column_among,
    condition_on,
    row_count,
    shard,
)

if TYPE_CHECKING:
    from modeldiff.findings.conditions.expression import Condition


def add_fleet(command: argparse.ArgumentParser) -> None:
    """All of its arguments."""
    command.add_argument("base", metavar="BASE", help="the checkpoint to measure the change from")
    command.add_argument(
        "targets",
        metavar="TARGET",
        nargs="*",
        help="a checkpoint; a folder, for all checkpoints directly below it; or @FILE, a list with "
        "a reference a line",
    )
    command.add_argument(
        "--author",
        metavar="NAME",
        help="also all models of this owner at the Hub whose cards name BASE (owner/name) as what "
        "they were made of",
    )
    command.add_argument(
        "--shard",
        type=shard,
        metavar="I/N",
        help="only the I-th of N runs of the targets: run all N, on any machines that share the "
        "targets and the results (MODELDIFF_CACHE or MODELDIFF_SHARED), then once without it for "
        "the table",
    )
    add_layers(command)
    command.add_argument("--device", default="auto", help="where to measure, as for diff")
    add_cluster(command)
    command.add_argument(
        "--filter",
        type=_filter,
        metavar="CONDITION",
        help="only pairs for which this holds, such as 'unchanged_pct < 50 and name like "
        '"*dpo*"\'',
    )
    command.add_argument(
        "--sort",
        type=_column,
        metavar="COLUMN",
        help="order by a column of the table: numbers from the largest, texts from A (default: as "
        "named)",
    )
    command.add_argument("--reverse", action="store_true", help="reverse the order")
    command.add_argument("--top", type=row_count, metavar="N", help="only the first N")
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="also write the table to a .csv, .parquet, .json or .md file, or as a .html report "
        "with a small heatmap of each pair",
    )
    add_json(command)
    add_quiet(command)


def _filter(text: str) -> Condition:
    # Late, here and below: --help is answered at once.
    from modeldiff.results.fleet.rows import FLEET_COLUMNS

    return condition_on(text, FLEET_COLUMNS)


def _column(text: str) -> str:
    from modeldiff.results.fleet.rows import FLEET_COLUMNS

    return column_among(text, FLEET_COLUMNS)
