"""Running a script in a child process: what it is given, how long it may take, what comes back."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType

from modeldiff.processes.late_dataclass import dataclass

_PASSED_ON = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
)
"""What Python needs of the environment to find its libraries: no secrets come along."""


@dataclass(frozen=True)
class Limits:
    """What a child may take: ``cpu_seconds`` of a processor, ``memory`` bytes of address space, and
    by the clock ``seconds``, which a busy machine needs more of. Where the system can't limit the
    first two (Windows), the clock alone does."""

    cpu_seconds: int
    memory: int
    seconds: float


@dataclass(frozen=True)
class ScriptOutcome:
    """How a child ended: ``status`` is its exit status (negative: minus the signal that ended it),
    None where the clock did; ``output`` is what it wrote to its standard output until then."""

    status: int | None
    output: bytes


def run_script(
    script: Path,
    arguments: Sequence[str],
    content: bytes,
    *,
    seconds: float,
    most_bytes: int,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> ScriptOutcome:
    """Run a Python ``script`` by its path, with ``arguments``, ``content`` on standard input, and
    the variables of ``environment`` beside what Python needs of this process's.

    It has ``seconds`` by the clock, then it is killed; of its output at most ``most_bytes`` are
    read. Other limits it sets itself, once it has imported what it needs. It finds this process's
    libraries, but nothing that lies beside the script.
    """
    # Files, not pipes: nobody waits for anybody, and what was written in time is there.
    with TemporaryFile() as given, TemporaryFile() as written:
        given.write(content)
        given.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-P", str(script), *arguments],
            stdin=given,
            stdout=written,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            | {"TOKENIZERS_PARALLELISM": "false", "PYTHONDONTWRITEBYTECODE": "1"}
            | dict(environment),
        )
        status = None
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = child.wait(seconds)
        finally:
            child.kill()
            child.wait()
        written.seek(0)
        return ScriptOutcome(status, written.read(most_bytes))
