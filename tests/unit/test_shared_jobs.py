"""Jobs that several people ask for: turns, limits, who may stop what, what ends when they go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.checkpoints import Reference
from modeldiff.checkpoints.hub import visibility
from modeldiff.comparison import Comparison
from modeldiff.errors import ResultError
from modeldiff.results import Asker, job_request, run_diff
from modeldiff.results.jobs import lanes
from modeldiff.results.jobs.fair_queue import FairQueue
from modeldiff.results.jobs.job import BackgroundJob
from modeldiff.results.jobs.lanes import EndJob
from modeldiff.results.jobs.manager import JobManager
from tests.support.results import cache_at, write_model

ADA, BOB = Asker("tab 1", "ada@example.org", "ada"), Asker("tab 2", "bob@example.org", "bob")
LONG = 60.0


class Idle:
    """Takes jobs and never works on them."""

    def __init__(self, *_: object) -> None:
        self.withdrawn: list[BackgroundJob] = []

    def begin(self, job: BackgroundJob) -> None:
        pass

    def withdraw(self, job: BackgroundJob, closing: bool) -> bool:
        self.withdrawn.append(job)
        return True

    def refresh(self, job: BackgroundJob) -> None:
        pass

    def is_under_way(self, job: BackgroundJob) -> bool:
        return False


class Clock:
    """Stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manager(clock: Clock) -> JobManager:
    return JobManager(Idle, clock)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, ...]:
    folder = tmp_path_factory.mktemp("models")
    models = [str(write_model(folder / f"model-{n}", seed=n)) for n in range(4)]
    return tuple(Comparison.open(models[0], other) for other in models)


class Waiting:
    """As much of a job as a queue needs."""

    def __init__(self, user: str) -> None:
        self.user = user


def waiting(users: Iterable[str]) -> list[BackgroundJob]:
    return [cast("BackgroundJob", Waiting(user)) for user in users]


class TestTurns:
    """FairQueue."""

    @given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.integers(0, 6))
    def test_how_many_go_before_is_how_many_go_before(self, users: list[str], gone: int) -> None:
        queue = FairQueue()
        jobs = waiting(users)
        for job in jobs:
            queue.add(job)
        for _ in range(min(gone, len(jobs) - 1)):
            jobs.remove(queue.pop())
        ahead = {id(job): queue.ahead_of(job) for job in jobs}
        order = [id(queue.pop()) for _ in range(len(queue))]
        assert ahead == {job: position for position, job in enumerate(order)}
        assert sorted(order) == sorted(map(id, jobs))

    def test_who_asks_for_one_does_not_stand_behind_all_of_another(self) -> None:
        queue = FairQueue()
        jobs = waiting("aaaab")
        for job in jobs:
            queue.add(job)
        assert "".join(queue.pop().user for _ in jobs) == "abaaa"

    @pytest.mark.parametrize(("later", "order"), [("aab", "baa"), ("bac", "bca"), ("aba", "baa")])
    def test_who_has_just_had_a_turn_stands_behind_who_has_had_none(
        self, later: str, order: str
    ) -> None:
        queue = FairQueue()
        queue.add(*waiting("a"))
        queue.pop()  # and runs, while others come
        jobs = waiting(later)
        for job in jobs:
            queue.add(job)
        ahead = [queue.ahead_of(job) for job in jobs]
        popped = [queue.pop() for _ in jobs]
        assert "".join(job.user for job in popped) == order
        assert [popped.index(job) for job in jobs] == ahead

    def test_a_turn_of_long_ago_does_not_count(self) -> None:
        queue = FairQueue()
        for job in waiting("ab"):
            queue.add(job)
            queue.pop()
        for job in waiting("ac"):
            queue.add(job)
        assert "".join(queue.pop().user for _ in range(2)) == "ac"

    def test_one_that_is_taken_out(self) -> None:
        queue = FairQueue()
        first, second = waiting("aa")
        queue.add(first)
        queue.remove(first)
        assert len(queue) == 0
        queue.add(second)
        assert queue.pop() is second


class TestLeaving:
    """A job ends with the last who wants it."""

    def test_the_last_one_ends_it_after_a_while(
        self, manager: JobManager, clock: Clock, pairs: tuple[Comparison, ...]
    ) -> None:
        job = manager.submit(pairs[1], asker=ADA)
        assert manager.find(pairs[1], asker=BOB) == manager.submit(pairs[1], asker=BOB)
        manager.leave(ADA.session)
        clock.now += LONG
        manager.sweep()
        left = manager.job(job.id)
        assert left is not None and left.active and left.owner == BOB
        manager.leave(BOB.session)
        manager.sweep()
        assert manager.sessions() == frozenset()
        waits = manager.job(job.id)
        assert waits is not None and waits.active, "a page that is loaded again comes back at once"
        clock.now += LONG
        manager.sweep()
        over = manager.job(job.id)
        assert over is not None and over.state == "cancelled"
        assert manager.find(pairs[1]) is None, "nobody stopped it: it was never begun"

    def test_who_comes_back_in_time_keeps_it(
        self, manager: JobManager, clock: Clock, pairs: tuple[Comparison, ...]
    ) -> None:
        manager.submit(pairs[1], asker=ADA)
        manager.leave(ADA.session)
        clock.now += 1.0
        manager.find(pairs[1], asker=Asker("tab 3", ADA.user))
        clock.now += LONG
        manager.sweep()
        job = manager.find(pairs[1])
        assert job is not None and job.active

    def test_another_pair_leaves_the_old_one_and_its_drill_downs(
        self, manager: JobManager, clock: Clock, pairs: tuple[Comparison, ...]
    ) -> None:
        old, new = manager.submit(pairs[1], asker=ADA), manager.submit(pairs[2], asker=ADA)
        manager.leave(ADA.session, but=job_request(pairs[2]))
        clock.now += LONG
        manager.sweep()
        states = [job.state for each in (old, new) if (job := manager.job(each.id))]
        assert states == ["cancelled", "queued"]

    def test_what_nobody_in_particular_asked_for_stays(
        self, manager: JobManager, clock: Clock, pairs: tuple[Comparison, ...]
    ) -> None:
        job = manager.submit(pairs[1])
        manager.submit(pairs[1], asker=ADA)
        manager.leave(ADA.session)
        clock.now += LONG
        manager.sweep()
        now = manager.job(job.id)
        assert now is not None and now.active


def test_who_asked_stops_it_and_who_only_looks_does_not(
    manager: JobManager, pairs: tuple[Comparison, ...]
) -> None:
    job = manager.submit(pairs[1], asker=ADA)
    manager.find(pairs[1], asker=BOB)
    manager.cancel(job.id, BOB)
    now = manager.job(job.id)
    assert now is not None and now.active
    manager.cancel(job.id, Asker("another tab", ADA.user))
    now = manager.job(job.id)
    assert now is not None and now.state == "cancelled"
    seen = manager.find(pairs[1], asker=BOB)
    assert seen is not None and seen.state == "cancelled", "whoever looked sees what became of it"


def test_limits_in_all_and_of_one_user(
    manager: JobManager, pairs: tuple[Comparison, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDIFF_MAX_QUEUED_PER_USER", "1")
    monkeypatch.setenv("MODELDIFF_MAX_QUEUED", "2")
    mine = manager.submit(pairs[0], asker=ADA)
    with pytest.raises(ResultError, match="1 of your own"):
        manager.submit(pairs[1], asker=Asker("another tab", ADA.user))
    assert manager.submit(pairs[0], asker=BOB).id == mine.id  # joining is free
    manager.submit(pairs[1], asker=BOB)
    with pytest.raises(ResultError, match="2 other jobs"):
        manager.submit(pairs[2], asker=Asker("tab 3", "eve"))
    manager.cancel(mine.id)
    manager.submit(pairs[2], asker=ADA)


class AtTheGate:
    """The real ``run_diff``, which waits at each row until it is let on or cancelled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

        def gated(
            *sides: Any,
            progress: Callable[[Any], None],
            on_change: Callable[[Any], None],
            **options: Any,
        ) -> Any:
            last: list[Any] = []

            def report(now: Any) -> None:
                last[:] = [now]
                progress(now)

            def at_the_gate(change: Any) -> None:
                on_change(change)
                self.reached.set()
                while not self.open.wait(0.01):
                    progress(last[0])

            return run_diff(*sides, progress=report, on_change=at_the_gate, **options)

        monkeypatch.setattr(lanes, "run_diff", gated)


def test_who_waits_sees_for_what_and_whose_it_is(
    pairs: tuple[Comparison, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = AtTheGate(monkeypatch)
    with cache_at(tmp_path / "cache"):
        manager = JobManager()
        running = manager.submit(pairs[1], asker=ADA)
        assert gate.reached.wait(60)
        manager.submit(pairs[2], asker=ADA)
        manager.submit(pairs[3], asker=ADA)
        place = manager.submit(pairs[0], asker=BOB).place
        assert place is not None
        assert (place.names, place.owner) == ("model-0 → model-1", "ada")
        assert place.ahead == 1, "the one that runs, and none of Ada's, whose turn that was"
        manager.cancel(running.id)
        gate.open.set()
        assert manager.shut_down(60)


def test_an_end_of_the_server_closes_the_journal_and_says_so(
    pairs: tuple[Comparison, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cache_at(tmp_path / "cache") as results, monkeypatch.context() as patch:
        gate = AtTheGate(patch)
        manager = JobManager()
        running, queued = (manager.submit(pairs[n], asker=ADA) for n in (1, 2))
        assert gate.reached.wait(60)
        assert manager.shut_down(60)
        for each in (running, queued):
            told = manager.job(each.id)
            assert told is not None and told.error is not None
            assert "being restarted; the diff goes on where it stopped" in told.error.message
        with pytest.raises(ResultError, match="being restarted"):
            manager.submit(pairs[3], asker=ADA)
        assert list(results.glob("*.journal"))
    with cache_at(tmp_path / "cache"):
        resumed: list[int] = []

        def on_progress(progress: Any) -> None:
            resumed.append(progress.resumed_bytes)

        run_diff(pairs[1], progress=on_progress)
        assert max(resumed) > 0


def test_a_performer_is_told_of_the_jobs_end(pairs: tuple[Comparison, ...]) -> None:
    ends: list[EndJob] = []

    class Late(Idle):
        def __init__(self, condition: object, clock: object, end: EndJob) -> None:
            super().__init__()
            ends.append(end)

        def withdraw(self, job: BackgroundJob, closing: bool) -> bool:
            return False

    manager = JobManager(Late)
    job = manager.submit(pairs[1], asker=ADA)
    manager.cancel(job.id, ADA)
    stopping = manager.job(job.id)
    assert stopping is not None and stopping.active
    assert manager.submit(pairs[1], asker=ADA).id != job.id, "what is to stop is not joined"
    assert not manager.shut_down(0.01)


def test_who_waits_is_not_told_of_a_private_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = [str(write_model(tmp_path / name, seed=1)) for name in "ab"]
    comparison = Comparison.open(*sides)
    assert BackgroundJob(comparison, "cpu", None, ADA).names
    monkeypatch.setattr(visibility, "is_for_everybody", lambda repo: repo != "ada/secret")
    secret = Reference("hub", "ada/secret", "ada/secret")
    base = comparison.base
    private = replace(base, checkpoint=replace(base.checkpoint, reference=secret))
    assert BackgroundJob(replace(comparison, base=private), "cpu", None, ADA).names == ""
