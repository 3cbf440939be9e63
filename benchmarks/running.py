"""Runs a program in a process of its own and takes its time and its memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.programs import Program


@dataclass(frozen=True)
class Run:
    """Wall time in seconds, from start to exit, and peak resident memory in bytes."""

    seconds: float
    memory: int


class ProgramFailed(Exception):
    """A program that ended with an error; the message holds the end of what it wrote."""


def run(program: Program) -> Run:
    """Runs the program once, its output thrown away.

    Python may keep its bytecode, as after an ordinary installation, whatever the caller's
    environment says: else every start would compile every module again.

    Raises ``ProgramFailed``.
    """
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        child = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=Path(__file__).parents[1],
            env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()[-500:]
            raise ProgramFailed(f"{program.name} ended with {child.returncode}: {said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss * unit)


def forget(files: Iterable[Path]) -> None:
    """Takes the files out of the page cache, so that the next reader reads the disk."""
    os.sync()
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
