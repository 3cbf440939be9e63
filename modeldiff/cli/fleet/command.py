"""``modeldiff fleet``: measures many targets beside one base, and shows them in one table."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from modeldiff.cli.opening import open_one
from modeldiff.cli.progress_bar import ProgressBar
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import table_lines
from modeldiff.cli.usage.shared_options import chosen_measurer
from modeldiff.extras import require
from modeldiff.results import require_writable, write_file
from modeldiff.results.fleet.files import (
    FLEET_FILES,
    FLEET_HEADERS,
    fleet_cells,
    fleet_document,
)
from modeldiff.results.fleet.measuring import run_fleet
from modeldiff.results.fleet.rows import Fleet, chosen_fleet_rows
from modeldiff.results.fleet.targets import read_targets, shard_of_targets
from modeldiff.results.housekeeping.pruning import prune_daily
from modeldiff.text.formatting import counted, format_bytes

_REPORT = ".html"


def fleet_command(options: Namespace, terminal: Terminal) -> int:
    """Measure what is not kept, show the chosen rows, and name what could not be measured; the exit
    code is 1 where there is such."""
    if options.output is not None:
        _require_output(options.output)
    targets = _targets(options)
    base = open_one(options.base, terminal)
    with ProgressBar(terminal, sys.stderr) as progress:
        measured = run_fleet(
            base,
            targets,
            layers=options.layers,
            device=options.device,
            measurer=chosen_measurer(options),
            open_model=lambda reference: open_one(reference, terminal),
            progress=progress,
        )
    rows = chosen_fleet_rows(
        measured.rows,
        filter=options.filter,
        sort=options.sort or "",
        reverse=options.reverse,
        top=options.top,
    )
    fleet = replace(measured, rows=tuple(rows))
    # The file first: whoever reads the words may have enough before they end, as `head` does.
    if options.output is not None:
        write_file(options.output, _content(fleet, options.output))
    if options.json:
        terminal.document(fleet_document(fleet))
    else:
        _report(fleet, len(measured.rows), terminal)
    if options.output is not None:
        terminal.talk(f"Written to {options.output}")
    for failure in fleet.failures:
        terminal.error(f"error: {failure.target}: {failure.message}")
    prune_daily()
    return 1 if fleet.failures else 0


def _targets(options: Namespace) -> tuple[str, ...]:
    named: tuple[str, ...] = ()
    if options.author is not None:
        # Late: it brings the Hub's client.
        from modeldiff.checkpoints.hub.tunes import tunes_of

        named = tunes_of(options.base, options.author)
    if options.targets or not named:
        named = tuple(dict.fromkeys((*read_targets(options.targets, options.base), *named)))
    return named if options.shard is None else shard_of_targets(named, options.shard)


def _require_output(path: Path) -> None:
    require_writable(path, (*FLEET_FILES, _REPORT))
    if path.suffix.lower() == _REPORT:
        require("report", "A report")


def _content(fleet: Fleet, path: Path) -> bytes:
    ending = path.suffix.lower()
    if ending != _REPORT:
        return FLEET_FILES[ending](fleet)
    # Late: no other file is drawn.
    from modeldiff.drawings.report.fleet import fleet_report_html

    return fleet_report_html(fleet).encode()


def _report(fleet: Fleet, of_all: int, terminal: Terminal) -> None:
    terminal.line(f"{fleet.base} → {counted(of_all, 'target')}")
    if fleet.bytes_read:
        terminal.line(
            f"{format_bytes(fleet.bytes_read)} read; one by one they would have taken "
            f"{format_bytes(fleet.bytes_apart)}"
        )
    elif of_all:
        terminal.line("Nothing was left to measure.")
    if len(fleet.rows) < of_all:
        terminal.line(f"{len(fleet.rows):,} of them shown")
    if fleet.rows:
        terminal.line()
        cells = [fleet_cells(row) for row in fleet.rows]
        for line in table_lines(FLEET_HEADERS, cells, right=(1, 2, 3), width=terminal.width):
            terminal.line(line)
    if fleet.failures:
        terminal.heading(f"{counted(len(fleet.failures), 'target')} could not be measured")
