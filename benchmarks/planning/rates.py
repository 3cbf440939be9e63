"""What modeldiff takes of a processor, measured here: seconds a process, a gigabyte and a tensor.

Processor time and not wall time, since the machine may have other work. Programs that do next to
nothing give the start, and what keeping a result adds to it; ``cat`` gives the reading, a pair of
few large tensors and one of many small ones the kernel and the tensor, from two equations.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.pairs import Shape, make_pair, write_plain
from benchmarks.programs import Program
from benchmarks.report import machine
from benchmarks.running import run
from modeldiff.comparison import Comparison
from modeldiff.files.cache_folder import user_cache
from modeldiff.settings.table import CACHE, KERNELS, SHARED

GB = 1e9
RATES = Path(__file__).with_name("rates.json")
_TINY = Shape(1, 64, 64, 64, 1, 64, tied=True, shard_bytes=1 << 30)
_SECONDS = ("start", "keep", "read", "kernel", "tensor", "join")
_PYTHON = (sys.executable, "-m", "modeldiff")


@dataclass(frozen=True)
class Rates:
    """Seconds of one processor: ``start`` a process, ``keep`` more for one that keeps results,
    ``read`` a gigabyte that is read, ``kernel`` a gigabyte of a pair (both sides) that is measured,
    ``tensor`` a tensor beside its bytes, ``join`` a tensor that is joined. ``machine`` says where
    that was measured, at which ``load``."""

    start: float
    keep: float
    read: float
    kernel: float
    tensor: float
    join: float
    machine: str
    load: float

    @classmethod
    def kept(cls) -> Rates:
        """Those of ``rates.json``."""
        return cls(**json.loads(RATES.read_text(encoding="utf-8")))

    def write(self) -> None:
        """Put them into ``rates.json``."""
        RATES.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def require_sense(self) -> None:
        """Raise ``NoRates`` where one is not above zero, as differences between runs come out where
        other work took more of the processor than what was measured."""
        wrong = [name for name, rate in asdict(self).items() if name in _SECONDS and rate <= 0]
        if wrong:
            raise NoRates(
                f"This machine's rates make no sense ({', '.join(wrong)} not above 0): it has too "
                "much other work. Try again, with more --runs."
            )


class NoRates(Exception):
    """What was measured can't be what a processor takes; the message says what and why."""


def measure_rates(folder: Path, runs: int) -> Rates:
    """The rates of this machine, from medians of so many ``runs``. Pairs are built below
    ``folder`` where missing. Raises ``ProgramFailed``, ``NoRates``, and ``OSError`` where the
    folder can't be written to.

    ``kernel`` is what a diff takes beyond what ``cat`` takes of the same files. A diff looks at
    files that the system holds where they are, without ``cat``'s copy: the sum is right for such
    files, and ``kernel`` alone too small for files that have to be read.
    """
    tiny = write_plain(_TINY, folder / "tiny")
    large, many = make_pair("1b", folder), make_pair("many", folder)
    start = _processor(diff_program(*tiny), runs)
    with a_cache():  # its kernels may lie elsewhere than those above: compiled before they count
        run(diff_program(*tiny, cached=True))
    kept = []
    for _ in range(runs):
        with a_cache():
            kept.append(run(diff_program(*tiny, cached=True)).processor)
    keep = median(kept) - start
    files = [str(file) for side in large for file in sorted(side.glob("*.safetensors"))]
    read = _processor(Program("cat", ("cat", *files), ""), runs) / pair_size(*large)[0]
    # start + gigabytes · (read + kernel) + tensors · tensor, for the two pairs
    (gb, tensors), (gb2, tensors2) = pair_size(*large), pair_size(*many)
    took = _processor(diff_program(*large), runs) - start
    took2 = _processor(diff_program(*many), runs) - start
    tensor = (took2 * gb - took * gb2) / (tensors2 * gb - tensors * gb2)
    kernel = (took - tensors * tensor) / gb - read
    with a_cache():
        run(diff_program(*many, "--shard", "1/1", cached=True))
        join = run(Program("join", (*_PYTHON, "join", *map(str, many), "--quiet"), ""))
    of_join = (join.processor - start - keep) / tensors2
    rates = Rates(start, keep, read, kernel, tensor, of_join, machine(), os.getloadavg()[1])
    rates.require_sense()
    return rates


def diff_program(base: Path, target: Path, *options: str, cached: bool = False) -> Program:
    """``modeldiff diff`` of a pair on the CPU; what it measured is kept if it is ``cached``."""
    cache = () if cached else ("--no-cache",)
    command = (*_PYTHON, "diff", str(base), str(target), "--quiet", "--device", "cpu")
    return Program("modeldiff diff", (*command, *cache, *options), "")


def pair_size(base: Path, target: Path) -> tuple[float, int]:
    """The gigabytes of a pair, both sides, and its tensors."""
    pairs = Comparison.open(str(base), str(target)).pairs
    return sum(each.nbytes for each in pairs) / GB, len(pairs)


@contextmanager
def a_cache() -> Iterator[Path]:
    """An empty cache for programs that are run in the block, and no store that a team shares, which
    may know the result; kernels stay where they are."""
    names = [each.name for each in (CACHE, KERNELS, SHARED)]
    before = {name: os.environ[name] for name in names if name in os.environ}
    kernels = KERNELS.value() or user_cache("modeldiff-kernels")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {CACHE.name: folder, KERNELS.name: str(kernels)}
        os.environ.pop(SHARED.name, None)
        try:
            yield Path(folder)
        finally:
            for name in names:
                os.environ.pop(name, None)
            os.environ |= before


def _processor(program: Program, runs: int) -> float:
    run(program)  # so that the page cache is warm, and kernels are compiled
    return median(run(program).processor for _ in range(runs))
