"""``python -m benchmarks plan``: what a pair or a fleet takes on machines that are not here.

python -m benchmarks plan catalog:llama-3.1-405b --machines 1 8 64 --cores 16 --storage 3
python -m benchmarks plan catalog:llama-3-8b --targets 1000 --machines 1 16
python -m benchmarks plan --measure     # this machine's rates, into rates.json
python -m benchmarks plan --check       # the plan beside real runs on this machine
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from benchmarks.planning.checking import check_table, checks
from benchmarks.planning.rates import GB, NoRates, Rates, measure_rates
from benchmarks.planning.simulation import Plan, Site, simulate
from benchmarks.planning.work import fleet, pairs_of, shards
from benchmarks.running import ProgramFailed
from modeldiff.checkpoints.stores.read_ahead import FAR_BLOCK
from modeldiff.errors import InvalidOption, ModeldiffError
from modeldiff.results.fleet.targets import MOST_TARGETS
from modeldiff.text.formatting import counted, format_bytes

_Number = TypeVar("_Number", int, float)


def plan_command(arguments: Sequence[str]) -> int:
    """Print what was asked for; 1 if a reference can't be opened, or nothing was measured."""
    options = _options(arguments)
    try:
        _print(options)
    except ModeldiffError as error:
        return _failed(f"{error.message} {error.hint}")
    except (NoRates, ProgramFailed, OSError) as error:
        return _failed(str(error))
    return 0


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


def _print(options: argparse.Namespace) -> None:
    if options.measure:
        rates = measure_rates(options.folder, options.runs)
        rates.write()
        print(rates)
    if options.check:
        rounds = []
        for _ in range(options.runs):
            # Each round has rates of its own: the load of one moment is not that of another.
            rounds.append([*checks(options.folder, measure_rates(options.folder, 1))])
            print(check_table(rounds), file=sys.stderr)
        print(check_table(rounds))
    if options.reference is not None:
        print(plan_table(options, Rates.kept()))


def plan_table(options: argparse.Namespace, rates: Rates) -> str:
    """A row for each number of machines, in Markdown. Raises ``ModeldiffError``."""
    pairs = pairs_of(options.reference, options.target or options.reference)
    if not pairs:
        raise InvalidOption(
            f"{options.reference} and {options.target} have no tensors to compare.",
            hint="Name a target of base's architecture, or none.",
        )
    both = format_bytes(sum(each.nbytes for each in pairs))
    what = f"{both} and {counted(len(pairs), 'tensor')} a pair"
    if options.targets:
        what = f"{counted(options.targets, 'target')} beside one base, {what}"
    rates = _with_options(rates, options)
    headers = [
        "machines",
        "wall",
        "machine-hours",
        "core-hours used",
        "read",
        "requests",
        "held by",
    ]
    headers += ["price"] if options.price is not None else []
    lines = [
        f"{options.reference}: {what}.",
        "",
        f"| {' | '.join(headers)} |",
        "| --- " * len(headers) + "|",
    ]
    for machines in options.machines:
        if options.targets:
            units = fleet(pairs, options.targets, machines)
        else:
            units = shards(pairs, options.shards or machines)
        site = Site(
            machines,
            options.cores,
            options.storage,
            options.storage_all,
            options.failures,
            options.restart,
        )
        plan = simulate(units, site, rates)
        joined = (
            rates.start + len(pairs) * rates.join if len(units) > 1 and not options.targets else 0
        )
        lines.append(_row(machines, plan, joined, options.price))
    return "\n".join([*lines, "", _assumptions(options, rates)])


def _row(machines: int, plan: Plan, joined: float, price: float | None) -> str:
    hours = (plan.busy + joined) / 3600
    row = (
        f"| {machines} | {_time(plan.seconds + joined)} | {hours:,.2f} "
        f"| {(plan.processor + joined) / 3600:,.2f} | {format_bytes(round(plan.read * GB))} "
        f"| {plan.read * GB / FAR_BLOCK:,.0f} "
        f"| {plan.limit}, {100 * plan.limits[plan.limit]:.0f} % |"
    )
    return row if price is None else f"{row} {hours * price:,.2f} |"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _with_options(rates: Rates, options: argparse.Namespace) -> Rates:
    given = {"read": options.read, "kernel": options.kernel}
    return replace(rates, **{name: each for name, each in given.items() if each is not None})


def _assumptions(options: argparse.Namespace, rates: Rates) -> str:
    storage = [
        f"{each:g} GB/s {name}" if math.isfinite(each) else f"no limit {name}"
        for each, name in ((options.storage, "a machine"), (options.storage_all, "in all"))
    ]
    return (
        f"{options.cores} cores a machine; storage: {', '.join(storage)}; "
        f"{100 * options.failures:g} % of attempts fail. "
        f"A core takes {rates.start:.2f} s to start, {rates.keep:.2f} s to keep results, "
        f"{rates.read:.3f} s a GB read, {rates.kernel:.3f} s a GB measured, "
        f"{1e6 * rates.tensor:.0f} µs a tensor, {1e6 * rates.join:.0f} µs a tensor joined."
    )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("reference", nargs="?", help="base; a catalog: name or a config will do")
    parser.add_argument("target", nargs="?", help="target (as base, if none is given)")
    parser.add_argument("--targets", type=_targets, default=0, help="a fleet of so many targets")
    parser.add_argument("--machines", type=_count, nargs="+", default=[1])
    parser.add_argument("--shards", type=_count, default=0, help="of one pair (one a machine)")
    parser.add_argument("--cores", type=_count, default=16, help="of one machine")
    parser.add_argument("--storage", type=_rate, default=math.inf, help="GB/s a machine gets")
    parser.add_argument("--storage-all", type=_rate, default=math.inf, help="GB/s that all get")
    parser.add_argument(
        "--read", type=_seconds, help="processor seconds to read a GB (as measured)"
    )
    parser.add_argument("--kernel", type=_seconds, help="processor seconds to measure a GB")
    parser.add_argument(
        "--failures", type=_share, default=0.0, help="share of attempts that fail (as 0.05)"
    )
    parser.add_argument("--restart", type=_amount, default=60.0, help="seconds until the next one")
    parser.add_argument("--price", type=_amount, help="of a machine an hour, in any currency")
    parser.add_argument("--measure", action="store_true", help="take this machine's rates")
    parser.add_argument("--check", action="store_true", help="hold the plan against real runs")
    parser.add_argument("--runs", type=_count, default=3, help="of each program that is measured")
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parents[1] / "pairs", help="of built pairs"
    )
    options = parser.parse_args(arguments)
    if options.reference is None and not (options.measure or options.check):
        parser.error("give a reference, --measure or --check")
    if options.targets and options.shards:
        parser.error("--shards cuts one pair, and --targets is a fleet")
    return options


def _count(text: str) -> int:
    return _between(int(text), 1, 1_000_000)


def _targets(text: str) -> int:
    return _between(int(text), 1, MOST_TARGETS)


def _rate(text: str) -> float:
    """Gigabytes a second; infinity is no limit."""
    rate = float(text)
    return rate if rate == math.inf else _between(rate, 1e-6, 1e6)


def _seconds(text: str) -> float:
    return _between(float(text), 1e-6, 1e6)


def _amount(text: str) -> float:
    return _between(float(text), 0.0, 1e9)


def _share(text: str) -> float:
    return _between(float(text), 0.0, 0.99)


def _between(value: _Number, least: _Number, most: _Number) -> _Number:
    """The value, within bounds that no real site leaves, and that the arithmetic bears."""
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"it is not from {least:,} to {most:,}")
    return value
