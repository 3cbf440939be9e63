"""A diff of pairs that are stored in several types, beside the one of bf16 and bf16."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from statistics import median

from benchmarks.pairs import MIXED, MIXED_TYPES, make_mixed_pairs
from benchmarks.programs import Program
from benchmarks.report import machine
from benchmarks.running import Run

OURS = Path(__file__).parents[1]
_VALUES = sum(prod(shape) for shape in MIXED.tensors().values())


def mixed_programs(folder: Path, checkouts: Sequence[Path]) -> list[Program]:
    """A diff of each pair of types by each of ``checkouts``, folders with a modeldiff in them.

    The pairs are built below ``folder`` where they are missing.
    """
    pairs = make_mixed_pairs(folder)
    options = ("--no-cache", "--quiet", "--device", "cpu")
    return [
        Program(
            _name(types),
            (sys.executable, "-m", "modeldiff", "diff", *map(str, pairs[types]), *options),
            "all columns, exact median",
            checkout=checkout,
        )
        for types in MIXED_TYPES
        for checkout in checkouts
    ]


def mixed_table(runs: Mapping[Program, Sequence[Run]], checkouts: Sequence[Path]) -> str:
    """Medians of each checkout's processor and wall time, the former also beside its own of
    bf16 · bf16; with a second checkout how many times the first one's processor time it takes. In
    Markdown."""
    processor = {
        (program.name, program.checkout): median(run.processor for run in measured)
        for program, measured in runs.items()
    }
    wall = {
        (program.name, program.checkout): median(run.seconds for run in measured)
        for program, measured in runs.items()
    }
    heads = ["base · target"]
    for which in ("", ", before")[: len(checkouts)]:
        heads += [f"CPU{which}", f"beside bf16 · bf16{which}", f"wall{which}"]
    if len(checkouts) > 1:
        heads.append("CPU before / now")
    first, *others = (_name(types) for types in MIXED_TYPES)
    rows = []
    for name in (first, *others):
        cells = [name]
        for checkout in checkouts:
            seconds = processor[name, checkout]
            ratio = seconds / processor[first, checkout]
            cells += [f"{seconds:.2f} s", f"{ratio:.2f} ×", f"{wall[name, checkout]:.2f} s"]
        if len(checkouts) > 1:
            now, before = (processor[name, checkout] for checkout in checkouts)
            cells.append(f"{before / now:.2f} ×")
        rows.append(cells)
    table = [heads, ["---"] * len(heads), *rows]
    rounds = min(len(measured) for measured in runs.values())
    return "\n".join(
        [
            f"### Mixed types: {_VALUES / 1e9:.2f} billion values a side",
            "",
            *(f"| {' | '.join(cells)} |" for cells in table),
            "",
            f"Medians of {rounds} rounds. {machine()}",
        ]
    )


def _name(types: tuple[str, str]) -> str:
    """``bf16 · f8``."""
    return " · ".join(name.lower().partition("_")[0] for name in types)
