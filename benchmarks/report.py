"""The table of a benchmark, and its place in benchmarks/README.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks.programs import Program
from benchmarks.running import Run

README = Path(__file__).with_name("README.md")
_PACKAGES = ("numpy", "numba", "torch", "safetensors")


def table(title: str, runs: Mapping[Program, Sequence[Run]]) -> str:
    """Medians over the runs, ratios to the first program, memory's maximum; in Markdown."""
    floor = median(run.seconds for run in next(iter(runs.values())))
    lines = [
        f"### {title}",
        "",
        "| | wall | beside the floor | peak memory | runs | computes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for program, measured in runs.items():
        seconds = median(run.seconds for run in measured)
        memory = max(run.memory for run in measured) / 1e6
        lines.append(
            f"| {program.name} | {seconds:.2f} s | {seconds / floor:.2f} × | {memory:,.0f} MB "
            f"| {len(measured)} | {program.computes} |"
        )
    return "\n".join([*lines, "", machine()])


def machine() -> str:
    """What this was measured on, in a sentence."""
    versions = [f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0))
    return (
        f"{_processor()}, {cores} cores, {pages / 2**30:.0f} GiB of memory, {platform.system()}; "
        f"{', '.join(versions)}. {datetime.now(UTC):%Y-%m-%d}."
    )


def keep(key: str, text: str) -> None:
    """Puts the table in the README's place for it, in the stead of the last one."""
    begin, end = f"<!-- {key} -->", f"<!-- end of {key} -->"
    content = README.read_text(encoding="utf-8")
    before, _, rest = content.partition(begin)
    _, _, after = rest.partition(end)
    README.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
