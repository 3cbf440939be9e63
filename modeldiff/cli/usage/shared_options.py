"""Options that several commands take, and how their values are read."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from modeldiff.changes import Shard
    from modeldiff.changes.measurer import Measurer
    from modeldiff.findings.conditions.expression import ColumnKind, Condition

_Value = TypeVar("_Value")


def add_pair(command: argparse.ArgumentParser) -> None:
    """``BASE TARGET``."""
    command.add_argument("base", metavar="BASE", help="the checkpoint to measure the change from")
    command.add_argument("target", metavar="TARGET", help="the checkpoint to measure the change to")


def add_layers(command: argparse.ArgumentParser) -> None:
    """How layers become partners."""
    command.add_argument(
        "--layers",
        choices=("auto", "position"),
        default="auto",
        help="auto: by content where depths differ or layers were moved, else by number; position: "
        "always by number",
    )


def add_json(command: argparse.ArgumentParser) -> None:
    """One document in the place of words."""
    command.add_argument(
        "--json",
        action="store_true",
        help="print one JSON document on standard output (see modeldiff schema)",
    )


def add_quiet(command: argparse.ArgumentParser) -> None:
    """No words."""
    command.add_argument(
        "--quiet",
        action="store_true",
        help="print nothing but errors (and the document, with --json)",
    )


def add_measuring(command: argparse.ArgumentParser) -> None:
    """Where to measure, and whether results are kept."""
    add_json(command)
    command.add_argument(
        "--device",
        default="auto",
        help="auto (an accelerator if there is one), all (of them), cpu, cuda, cuda:1, mps, xpu, "
        "torch:cpu; several as cuda:0+cpu",
    )
    command.add_argument(
        "--no-cache",
        action="store_true",
        help="neither use nor keep results; an interrupted diff then starts over",
    )


def add_cluster(command: argparse.ArgumentParser) -> None:
    """A cluster that measures."""
    command.add_argument(
        "--on",
        choices=("ray",),
        help="measure on the Ray cluster that runs at RAY_ADDRESS (HOST:PORT), from one of its "
        "nodes; --device cuda then gives each task a card, auto is the CPU",
    )


def chosen_measurer(options: argparse.Namespace) -> Measurer | None:
    """The cluster that ``--on`` chose; None for this machine. Raises ``InvalidOption`` for a
    ``--device`` that can't be said of it."""
    if options.on is None:
        return None
    from modeldiff.changes.cluster.ray_measurer import RayCluster

    return RayCluster.on(options.device)


def add_stream(command: argparse.ArgumentParser) -> None:
    """Where the weights of the Hub are read."""
    command.add_argument(
        "--stream",
        action="store_true",
        help="read weights at the Hub over the network, range by range, and keep none of them on "
        "the disk; what was downloaded before is read from there",
    )


def add_output(command: argparse.ArgumentParser) -> None:
    """A file beside the words, or no words."""
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="also write the whole result to a .parquet, .csv or .json file, as a .html report, or "
        "as a poster on A3 (.pdf)",
    )
    add_quiet(command)


def add_rows(command: argparse.ArgumentParser) -> None:
    """Which tensors are listed one by one, and in which order."""
    rows = command.add_argument_group(
        "listing tensors", "Any of these lists tensors one by one; --json then has only these."
    )
    rows.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="tensors whose place or name matches, such as 'layers.0-3.*q_proj'; may be given "
        "several times",
    )
    rows.add_argument(
        "--filter",
        type=_filter,
        metavar="CONDITION",
        help="tensors for which this holds, such as 'unchanged_pct < 50 and layer >= 8'",
    )
    rows.add_argument(
        "--sort",
        type=_column,
        metavar="COLUMN",
        help="order by a column of the exported tables: numbers from the largest, texts from A "
        "(default: median_pct)",
    )
    rows.add_argument("--reverse", action="store_true", help="reverse the order")
    rows.add_argument("--top", type=row_count, metavar="N", help="only the first N")


def condition(text: str) -> Condition:
    """A condition of ``check``. Raises ``ArgumentTypeError``."""
    # Late, here and below: --help is answered at once.
    from modeldiff.findings.conditions.columns import COLUMNS

    return condition_on(text, COLUMNS)


def shard(text: str) -> Shard:
    """``I/N``. Raises ``ArgumentTypeError``."""
    from modeldiff.changes import Shard

    return understood(lambda: Shard.parse(text))


def condition_on(text: str, columns: Mapping[str, ColumnKind]) -> Condition:
    """A condition on a table's ``columns``. Raises ``ArgumentTypeError``."""
    from modeldiff.findings.conditions.expression import parse_condition

    return understood(lambda: parse_condition(text, columns))


def column_among(text: str, columns: Collection[str]) -> str:
    """The name of one of ``columns``. Raises ``ArgumentTypeError``."""
    from modeldiff.text.quoting import did_you_mean

    if text not in columns:
        hint = did_you_mean(text, columns) or f"The columns are {', '.join(columns)}."
        raise argparse.ArgumentTypeError(f"there is no column {text!r}. {hint}")
    return text


def _filter(text: str) -> Condition:
    from modeldiff.findings.conditions.columns import ROW_COLUMNS

    return condition_on(text, ROW_COLUMNS)


def _column(text: str) -> str:
    from modeldiff.findings.conditions.columns import ROW_COLUMNS

    return column_among(text, ROW_COLUMNS)


def row_count(text: str) -> int:
    """A number of rows. Raises ``ArgumentTypeError``."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of tensors, such as 10")
    return number


def understood(read: Callable[[], _Value]) -> _Value:
    """What ``read`` gives; what it can't understand is wrong usage. Raises ``ArgumentTypeError``
    for what ``read`` raises ``InvalidOption`` for."""
    from modeldiff.errors import InvalidOption

    try:
        return read()
    except InvalidOption as error:
        raise argparse.ArgumentTypeError(f"{error.message} {error.hint}") from error
