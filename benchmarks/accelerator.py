"""``python -m benchmarks.accelerator [--device cuda:0] [--size 8b] [--folder /dev/shm] [--keep]``:
how near measuring on a card comes to the speed at which bytes can be copied to it.

One run sets side by side: what the machine can copy; whether the fused kernel and the eager program
give the CPU's bits, of all types and codes; a pair from memory, by each way; the whole command; the
kernels on bytes that are on the card; little memory there; two processes; and at the end what was
to be reached. Each row is printed when it is there. A part that fails says with what, and one for
which ``--seconds`` leave no time says so; the others are still run.

Where there is no card it says so and measures nothing; ``--rehearse`` goes through all of it on the
processor, by Triton's interpreter and with a pair of a few megabytes. Its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.card.bytes_there import copies, kernels
from benchmarks.card.card import Card, Found, card_name
from benchmarks.card.exactness import exactness
from benchmarks.card.goals import goals
from benchmarks.card.walks import command, little_memory, measuring, two_processes
from benchmarks.pairs import SHAPES, Shape, make_pair, write_plain
from benchmarks.report import keep, machine
from modeldiff.changes import resolve_device
from modeldiff.errors import InvalidOption

REHEARSAL = Shape(1, 128, 256, 64, 4, 1000, tied=True, shard_bytes=10**9)
Row = tuple[str, str, str]
"""A part, what was measured in it, and what came out."""
PARTS: dict[str, Callable[[Card], Iterator[Found]]] = {
    "copying": copies,
    "exactness": exactness,
    "measuring": measuring,
    "command": command,
    "kernel": kernels,
    "little memory": little_memory,
    "two processes": two_processes,
    "goals": goals,
}
FOLDERS = (Path("/dev/shm"), Path(__file__).with_name("pairs"))
"""Where a pair is built, the first that has room."""
_BESIDE = 6 << 30
"""Bytes that a folder has room for beside the pair: a file to copy from, and what others need."""


def main() -> int:
    """Runs the benchmark; 2 where there is no card, or no room, to run it."""
    options = _options()
    deadline = time.monotonic() + options.seconds
    if options.rehearse:
        os.environ["TRITON_INTERPRET"] = "1"
        with TemporaryDirectory() as temporary:
            pair = write_plain(REHEARSAL, Path(temporary))
            card = Card("torch:cpu", pair, small=True)
            title = "A rehearsal on the processor: these numbers mean nothing"
            print(table(title, _printed(rows(card, deadline))))
        return 0
    try:
        device = resolve_device(options.device)
    except InvalidOption as error:
        print(f"{error} {error.hint}", file=sys.stderr)
        device = "cpu"
    if device == "cpu" or "+" in device:
        print("There is no single accelerator to measure here: nothing was run.")
        return 2
    folder = options.folder or roomy_folder(options.size)
    if folder is None:
        print("No folder has room for the pair: name one by --folder. Nothing was run.")
        return 2
    print(f"Building the {options.size} pair below {folder} …", file=sys.stderr)
    card = Card(device, make_pair(options.size, folder), options.size)
    title = f"Measuring on {card_name(device)}: {options.size} pair in {folder}"
    done: list[Row] = []
    for row in _printed(rows(card, deadline)):
        done.append(row)
        if options.keep:  # each time: whoever lends the card may want it back
            keep("accelerator", table(title, done))
    print(table(title, done))
    return 0


def rows(card: Card, deadline: float = float("inf")) -> Iterator[Row]:
    """All parts on a card; those that would begin behind the ``deadline`` (as ``time.monotonic``
    has it) are left out, but for the goals."""
    for part, act in PARTS.items():
        if time.monotonic() > deadline and act is not goals:
            yield part, "left out", "no time was left"
            continue
        try:
            for what, result in act(card):
                yield part, what, result
        except Exception as error:  # the run on a borrowed card goes on
            yield part, "failed", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def table(title: str, rows_: Iterable[Row]) -> str:
    """In Markdown."""
    lines = [f"| {part} | {what} | {result} |" for part, what, result in rows_]
    return "\n".join([f"### {title}", "", "| | | |", "| --- | --- | --- |", *lines, "", machine()])


def _printed(rows_: Iterable[Row]) -> Iterator[Row]:
    for row in rows_:
        print(": ".join(row), file=sys.stderr, flush=True)
        yield row


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accelerator",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, xpu … (auto)")
    parser.add_argument("--size", choices=tuple(SHAPES), default="8b")
    parser.add_argument(
        "--folder",
        type=Path,
        help="where the pair is built (/dev/shm where that has room, else below benchmarks/)",
    )
    parser.add_argument(
        "--seconds", type=float, default=480, help="no part begins later than that (480)"
    )
    parser.add_argument("--rehearse", action="store_true", help="without a card, small")
    parser.add_argument("--keep", action="store_true", help="put the table into the README")
    return parser.parse_args()


def roomy_folder(size: str) -> Path | None:
    """Where the pair is, or has room: in memory if possible; what lies on a disk is in the page
    cache when it was just written. None where it has no room."""
    sizes = (prod(shape) for shape in SHAPES[size].tensors().values())
    needed = 2 * 2 * sum(sizes) + _BESIDE
    for folder in FOLDERS:
        if (folder / size / "target" / "config.json").is_file():
            return folder
        above = folder if folder.is_dir() else folder.parent
        if above.is_dir() and shutil.disk_usage(above).free >= needed:
            return folder
    return None


if __name__ == "__main__":
    sys.exit(main())
