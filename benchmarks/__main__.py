"""``python -m benchmarks [1b | 8b | many | mixed | formats | stores | names]``: builds the pairs,
runs all programs in turn, prints one table. ``plan`` says what a pair takes elsewhere."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.formats import format_programs, format_table
from benchmarks.mixed import OURS, mixed_programs, mixed_table
from benchmarks.names import names_table
from benchmarks.pairs import SIZES, make_pair
from benchmarks.planning.command import plan_command
from benchmarks.programs import Program, programs
from benchmarks.report import keep, table
from benchmarks.running import ProgramFailed, Run, forget, run
from benchmarks.stores import file_server, first_files, store_programs, store_table

TITLES = {
    "1b": "A pair shaped like Llama 3.2 1B: 1.24 billion values a side, 4.94 GB",
    "8b": "A pair shaped like Llama 3 8B: 8.03 billion values a side, 32 GB",
    "many": "20,000 pairs of 64 × 64: 82 million values a side, 0.33 GB",
}


def main() -> int:
    """Runs the benchmark; 1 if a program failed."""
    if sys.argv[1:2] == ["plan"]:
        return plan_command(sys.argv[2:])
    options = _options()
    if options.size == "names":
        text = names_table(options.folder)
        print(text)
        if options.keep:
            keep("names", text)
        return 0
    devices = tuple(options.device or ["cpu"])
    checkouts = [OURS, *([options.before.resolve()] if options.before else [])]
    mixed = options.size == "mixed"
    if options.size == "stores":
        return _stores(options)
    print(f"Building the {options.size} pair below {options.folder} …", file=sys.stderr)
    formats = options.size == "formats"
    if formats:
        chosen, files = format_programs(options.folder), []
    elif mixed:
        chosen = mixed_programs(options.folder, checkouts)
        files = list((options.folder / "mixed").glob("*/*.safetensors"))
    else:
        base, target = make_pair(options.size, options.folder)
        chosen = programs(base, target, devices, all_of=not options.only_ours)
        files = [*base.glob("*.safetensors"), *target.glob("*.safetensors")]
    runs, failed = _run_all(chosen, options.runs, files if options.cold else None)
    if (mixed or formats) and failed:
        return 1
    if formats:
        text = format_table(runs)
    elif mixed:
        text = mixed_table(runs, checkouts)
    else:
        text = table(TITLES[options.size] + (", read cold" if options.cold else ""), runs)
    print(text)
    if options.keep:
        name = "-".join([options.size, *(["cold"] if options.cold else []), *devices])
        keep(name.replace(":", ""), text)
    return int(failed)


def _stores(options: argparse.Namespace) -> int:
    base, target = make_pair("1b", options.folder)
    with file_server(base.parent):
        runs, failed = _run_all(store_programs(base, target), options.runs, None)
    nbytes = sum(file.stat().st_size for file in first_files(base, target))
    text = store_table(runs, nbytes)
    print(text)
    if options.keep and not failed:
        keep("stores", text)
    return int(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "size", nargs="?", choices=(*SIZES, "mixed", "formats", "stores", "names"), default="1b"
    )
    parser.add_argument("--runs", type=int, default=5, help="of each but the slow ones (5)")
    parser.add_argument("--device", action="append", help="cpu, cuda … ; may be given repeatedly")
    parser.add_argument("--cold", action="store_true", help="empty the page cache before each run")
    parser.add_argument("--only-ours", action="store_true", help="leave out script and peers")
    parser.add_argument(
        "--before", type=Path, metavar="CHECKOUT", help="with mixed: an older modeldiff, in turn"
    )
    parser.add_argument("--keep", action="store_true", help="put the table into the README")
    parser.add_argument("--folder", type=Path, default=Path(__file__).with_name("pairs"))
    return parser.parse_args()


def _run_all(
    chosen: Sequence[Program], rounds: int, cold: Sequence[Path] | None
) -> tuple[dict[Program, list[Run]], bool]:
    """The runs of all programs in turn, of those that ran at all, and whether one failed.

    ``cold`` are the files that the page cache forgets before each run; None keeps them there.
    """
    runs: dict[Program, list[Run]] = {program: [] for program in chosen}
    failed = False
    if cold is None:  # so that all find the page cache warm, and kernels compiled
        for program in chosen:
            if not program.slow:
                run(program)
    for turn in range(rounds):
        for program in chosen:
            if program.slow and turn:
                continue
            if cold is not None:
                forget(cold)
            try:
                latest = run(program)
            except ProgramFailed as error:
                print(error, file=sys.stderr)
                failed = True
            else:
                runs[program].append(latest)
                print(f"{turn + 1}: {program.name}: {latest.seconds:.2f} s", file=sys.stderr)
    return {program: measured for program, measured in runs.items() if measured}, failed


if __name__ == "__main__":
    sys.exit(main())
