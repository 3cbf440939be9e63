"""Runs a program in a process of its own and takes its time and its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.programs import Program

_LAUNCHER = str(Path(__file__).with_name("launcher.py"))


@dataclass(frozen=True)
class Run:
    """Wall time from start to exit and processor time (user and system), in seconds, and peak
    resident memory in bytes."""

    seconds: float
    processor: float
    memory: int


class ProgramFailed(Exception):
    """A program that ended with an error; the message holds the end of what it wrote."""


def run(program: Program) -> Run:
    """Runs the program once, its output thrown away.

    Python may keep its bytecode, as after an ordinary installation, whatever the caller's
    environment says: else every start would compile every module again.

    Raises ``ProgramFailed``.
    """
    done = subprocess.run(
        [sys.executable, "-IS", _LAUNCHER, *program.command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=program.checkout,
        env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
    )
    message = done.stderr.decode(errors="replace").strip()[-500:]
    if done.returncode:
        raise ProgramFailed(f"{program.name} could not be started: {message}")
    seconds, processor, memory, code = json.loads(done.stdout)
    if code:
        raise ProgramFailed(f"{program.name} ended with {code}: {message}")
    return Run(seconds, processor, memory)


def forget(files: Iterable[Path]) -> None:
    """Takes the files out of the page cache, so that the next reader reads the disk."""
    os.sync()
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
