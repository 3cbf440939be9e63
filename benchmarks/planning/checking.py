"""The plan held against real runs on this machine: shards, shards at the same time, a fleet, and a
pair of another size, none of which the rates were taken from."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median

from benchmarks.pairs import MIXED, make_pair, write_plain
from benchmarks.planning.rates import Rates, a_cache, diff_program
from benchmarks.planning.simulation import Plan, Site, simulate
from benchmarks.planning.work import Unit, fleet, pairs_of, shards
from benchmarks.programs import Program
from benchmarks.report import machine
from benchmarks.running import run
from modeldiff.text.formatting import counted

_SHARDS = 4
_TARGETS = 3


@dataclass(frozen=True)
class Check:
    """A real run beside its plan: seconds of the processor and on the wall, each as predicted and
    as measured. The wall is predicted for a machine that does nothing else."""

    name: str
    plan: Plan
    processor: float
    wall: float


def checks(folder: Path, rates: Rates) -> Iterator[Check]:
    """The checks, one by one as they are done. Pairs are built below ``folder`` where missing."""
    cores = len(os.sched_getaffinity(0))
    half = write_plain(MIXED, folder / "half")
    pairs = pairs_of(*map(str, half))
    programs = [diff_program(*half)]
    run(programs[0])  # as before each of the runs that the rates come from
    yield _check("half a billion values", shards(pairs, 1), 1, cores, rates, programs, *half)
    base, target = make_pair("1b", folder)
    pairs = pairs_of(str(base), str(target))
    units = shards(pairs, _SHARDS)
    for machines, width in ((1, cores), (cores, 1)):
        with a_cache():
            programs = [
                diff_program(base, target, "--shard", f"{number}/{_SHARDS}", cached=True)
                for number in range(1, _SHARDS + 1)
            ]
            how = f"{machines} at a time, {width} core{'s' * (width > 1)} each"
            name = f"{_SHARDS} shards, {how}"
            yield _check(name, units, machines, width, rates, programs, base, target)
    targets = [target, *_more_targets(target, _TARGETS - 1)]
    with a_cache():
        command = (sys.executable, "-m", "modeldiff", "fleet", str(base), *map(str, targets))
        program = Program("modeldiff fleet", (*command, "--quiet", "--device", "cpu"), "")
        units = fleet(pairs, _TARGETS, 1)
        yield _check(f"a fleet of {_TARGETS}", units, 1, cores, rates, [program], base, *targets)


def check_table(rounds: Sequence[Sequence[Check]]) -> str:
    """Medians of the ``rounds`` of checks in Markdown, the least and the largest ratio, and the
    load that the machine has."""
    lines = [
        "| run | processor, predicted | measured | measured / predicted | wall on an idle machine, "
        "predicted | wall, measured |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for same in zip(*rounds, strict=True):
        ratios = sorted(each.processor / each.plan.processor for each in same)
        lines.append(
            f"| {same[0].name} | {median(each.plan.processor for each in same):.2f} s "
            f"| {median(each.processor for each in same):.2f} s "
            f"| {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) "
            f"| {median(each.plan.seconds for each in same):.2f} s "
            f"| {median(each.wall for each in same):.2f} s |"
        )
    load = os.getloadavg()[1]
    cores = len(os.sched_getaffinity(0))
    basis = f"Medians of {counted(len(rounds), 'round')}."
    busy = f"Load {load:.0f} on {cores} cores at their end."
    return "\n".join([*lines, "", f"{machine()} {basis} {busy}"])


def _check(
    name: str,
    units: Sequence[Unit],
    machines: int,
    cores: int,
    rates: Rates,
    programs: Sequence[Program],
    *sides: Path,
) -> Check:
    """Run the programs of ``units``, which read ``sides``, so many at a time as there are
    ``machines``."""
    plan = simulate(units, Site(machines, cores), rates)
    everything = sorted(os.sched_getaffinity(0))
    free = [everything[number * cores : (number + 1) * cores] for number in range(machines)]

    def one(program: Program) -> float:
        mine = free.pop()
        bound = ("taskset", "-c", ",".join(map(str, mine)), *program.command)
        try:
            return run(Program(program.name, bound, "")).processor
        finally:
            free.append(mine)

    # So that the page cache has them, as where the rates come from.
    for file in chain.from_iterable(side.glob("*.safetensors") for side in sides):
        with file.open("rb", buffering=0) as content:
            while content.read(1 << 24):
                pass
    started = time.perf_counter()
    with ThreadPoolExecutor(machines) as threads:
        processor = sum(threads.map(one, programs))
    return Check(name, plan, processor, time.perf_counter() - started)


def _more_targets(target: Path, count: int) -> Iterator[Path]:
    """Copies of a target beside it that differ from it in one byte, so that each is another one."""
    for number in range(2, count + 2):
        copy = target.with_name(f"{target.name}-{number}")
        if not copy.exists():
            draft = copy.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(target, draft)
            with next(draft.glob("*.safetensors")).open("r+b") as file:
                file.seek(-1, os.SEEK_END)
                last = file.read(1)[0]
                file.seek(-1, os.SEEK_END)
                file.write(bytes([last ^ (number & 0xFF)]))
            draft.replace(copy)
        yield copy
