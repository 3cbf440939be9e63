"""Values that are computed once an instance, while other instances are not kept waiting."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from modeldiff.errors import Cancelled
from modeldiff.processes.once import computed_once
from modeldiff.processes.wanted import wanted_while


@dataclass(frozen=True)
class Asked:
    work: Callable[[], int]

    @computed_once
    def answer(self) -> int:
        return self.work()


def test_it_is_computed_once_by_whoever_asks_first() -> None:
    begun, go, times = threading.Event(), threading.Event(), []

    def work() -> int:
        times.append(1)
        begun.set()
        assert go.wait(30)
        return 7

    asked, answers = Asked(work), list[int]()
    threads = [threading.Thread(target=lambda: answers.append(asked.answer)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    # Meanwhile another instance answers at once, in this very thread.
    assert Asked(lambda: 5).answer == 5
    go.set()
    for thread in threads:
        thread.join()
    assert answers == [7, 7, 7] and len(times) == 1


def test_an_error_is_not_kept() -> None:
    outcomes = iter([ZeroDivisionError, None])

    def work() -> int:
        if error := next(outcomes):
            raise error
        return 7

    asked = Asked(work)
    with pytest.raises(ZeroDivisionError):
        _ = asked.answer
    assert asked.answer == 7


def test_nothing_is_left_that_cannot_be_pickled() -> None:
    asked = Asked(int)
    assert asked.answer == 0
    assert pickle.loads(pickle.dumps(asked)).answer == 0


def test_what_nobody_waits_for_is_not_begun() -> None:
    asked = Asked(lambda: 7)
    with wanted_while(lambda: False), pytest.raises(Cancelled):
        _ = asked.answer
    assert asked.answer == 7
    with wanted_while(lambda: False):
        assert asked.answer == 7
