"""Machines that take units of work, a storage that they share, and attempts that fail.

Time goes from event to event: a process has started, or a unit is done. In between each unit runs
as fast as its cores, its tensors, its machine's storage and its share of all storage allow; what
one machine can't use of its share the others have.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.planning.rates import Rates
from benchmarks.planning.work import Unit


@dataclass(frozen=True)
class Site:
    """Where it runs: ``machines`` of so many ``cores``; gigabytes a second that the storage gives
    one machine and all together (``inf``: as many as are asked for). ``failures`` is the share of
    attempts that fail, at any moment of theirs, and are begun again ``restart`` seconds later."""

    machines: int
    cores: int
    storage: float = math.inf
    storage_all: float = math.inf
    failures: float = 0.0
    restart: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What it takes: ``seconds`` until the last unit is done, ``busy`` seconds of all machines
    together, ``processor`` seconds, gigabytes ``read``, ``attempts`` of units, and the share of the
    time of all units that each limit held them (``cores``, ``tensors``, ``storage of a machine``,
    ``storage of all``, ``start``)."""

    seconds: float
    busy: float
    processor: float
    read: float
    attempts: int
    limits: dict[str, float]

    @property
    def limit(self) -> str:
        """The limit that held most of the time."""
        return max(self.limits, key=self.limits.__getitem__)


@dataclass
class _Running:
    """An attempt: the part of its ``unit`` that is not done yet, the part that is left until it is
    over (by its end, or because it fails), and the seconds left of its start."""

    unit: Unit
    undone: float
    left: float
    starting: float
    speed: float = 0.0
    limit: str = "start"

    @property
    def seconds(self) -> float:
        if self.starting > 0:
            return self.starting
        return self.left / self.speed


@dataclass
class _Waiting:
    """Units to do, with the part of each that is left, and those that come back later."""

    units: deque[tuple[Unit, float]]
    later: list[tuple[float, Unit, float]] = field(default_factory=list)


def simulate(units: Sequence[Unit], site: Site, rates: Rates, seed: int = 1) -> Plan:
    """What ``units`` take at a ``site`` of processors with these ``rates``. The ``seed`` says which
    attempts fail."""
    chance = random.Random(seed)
    waiting = _Waiting(deque((unit, 1.0) for unit in units))
    running: list[_Running] = []
    now = busy = processor = 0.0
    attempts = 0
    held: defaultdict[str, float] = defaultdict(float)
    while waiting.units or waiting.later or running:
        while waiting.units and len(running) < site.machines:
            unit, left = waiting.units.popleft()
            part = left * chance.random() if chance.random() < site.failures else left
            running.append(_Running(unit, left, part, unit.start(rates)))
            attempts += 1
            processor += unit.start(rates)
        _share(running, site, rates)
        step = min(
            [each.seconds for each in running] + [when - now for when, _, _ in waiting.later]
        )
        now += step
        busy += step * len(running)
        for each in running:
            held[each.limit] += step
            _advance(each, step)
        for each in [each for each in running if each.starting <= 0 and each.left <= 1e-12]:
            running.remove(each)
            if (left := each.undone) > 1e-12:
                waiting.later.append((now + site.restart, each.unit, left))
        for back in [each for each in waiting.later if each[0] <= now]:
            waiting.later.remove(back)
            waiting.units.append(back[1:])
    processor += sum(
        unit.read * rates.read + unit.measured * rates.kernel + unit.tensors * rates.tensor
        for unit in units
    )
    total = sum(held.values()) or 1.0
    limits = {name: seconds / total for name, seconds in held.items()}
    return Plan(now, busy, processor, sum(unit.read for unit in units), attempts, limits)


def _advance(each: _Running, step: float) -> None:
    if each.starting > 0:
        each.starting -= step
        if each.starting < 1e-12:
            each.starting = 0.0
        return
    done = step * each.speed
    each.left -= done
    each.undone -= done


def _share(running: Sequence[_Running], site: Site, rates: Rates) -> None:
    """How fast each that has started runs, and what holds it: the storage that all share is given
    out to those first that want least."""
    wants: list[tuple[float, _Running]] = []
    for each in running:
        if each.starting > 0:
            each.limit = "start"
            continue
        of_bytes, of_tensors = each.unit.seconds(rates, site.cores)
        seconds = max(of_bytes, of_tensors)
        each.limit = "cores" if of_bytes >= of_tensors else "tensors"
        if each.unit.read / site.storage > seconds:
            seconds, each.limit = each.unit.read / site.storage, "storage of a machine"
        each.speed = 1 / max(seconds, 1e-9)
        wants.append((each.unit.read * each.speed, each))
    left, others = site.storage_all, len(wants)
    for want, each in sorted(wants, key=lambda pair: pair[0]):
        given = left / others
        if want > given:
            each.speed, each.limit = given / each.unit.read, "storage of all"
            want = given
        left -= want
        others -= 1
