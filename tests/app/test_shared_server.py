"""What a viewer reads of a queue, of a limit, and of results that are theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.errors import ResultError
from modeldiff.results import Asker, run_diff
from modeldiff.results.jobs.job import BackgroundJob, QueuePlace
from modeldiff.results.jobs.manager import JobManager
from modeldiff.ui.controls import diff_progress as diffing
from modeldiff.ui.controls import follow_job, pulse
from modeldiff.ui.session.asking import asker
from modeldiff.ui.session.presence import Presence, _Waiting
from tests.app.conftest import OpenPage
from tests.support.results import write_model


class Busy:
    """Takes jobs, and never comes to them."""

    def __init__(self, *_: object) -> None:
        pass

    def begin(self, job: BackgroundJob) -> None:
        pass

    def withdraw(self, job: BackgroundJob, closing: bool) -> bool:
        return True

    def refresh(self, job: BackgroundJob) -> None:
        job.place = QueuePlace(3, "a*b → c", "eve@example.org", 90.0)

    def is_under_way(self, job: BackgroundJob) -> bool:
        return False


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, str]:
    sides = {"base": 1, "target": 2}
    return {side: str(write_model(tmp_path / side, seed=seed)) for side, seed in sides.items()}


@pytest.mark.parametrize("by_itself", [True, False])
@pytest.mark.parametrize("page", ["compare", "heatmap"])
def test_a_full_queue_is_said_and_can_be_asked_again(
    by_itself: bool,
    page: str,
    open_page: OpenPage,
    pair: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ResultError("100 *other* jobs wait.", hint="Try again in some minutes.")

    if by_itself:
        monkeypatch.setattr(diffing, "STARTS_BY_ITSELF_BELOW", 1 << 30)
    with monkeypatch.context() as patch:
        patch.setattr(JobManager, "submit", full)
        app = open_page(page, **pair)
        if not by_itself:
            app.button(key="start_diff").click().run()
        assert not app.exception
        (error,) = app.error
        assert "100 \\*other\\* jobs wait" in error.value
        assert "Try again in some minutes" in error.value
    app.button(key="start_diff").click().run()
    assert not app.error


def test_who_waits_reads_for_what_how_long_and_whose_it_is(
    open_page: OpenPage, pair: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = JobManager(Busy)
    for module in (follow_job, diffing):
        monkeypatch.setattr(module, "job_manager", lambda: manager)
    app = open_page("heatmap", **pair)
    app.button(key="start_diff").click().run()
    (bar,) = app.get("progress")
    text = re.sub(r"[\\\u2060]", "", bar.proto.text)
    assert "Waiting for another diff to finish: a*b → c" in text
    assert "asked for by eve@example.org" in text
    assert "left, then 2 more" in text


@pytest.mark.parametrize(("others", "slower"), [(1, 1), (11, 1), (35, 3)])
def test_many_who_look_are_together_told_as_often_as_a_dozen(
    others: int,
    slower: int,
    open_page: OpenPage,
    pair: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = JobManager(Busy)
    for module in (follow_job, diffing, pulse):
        monkeypatch.setattr(module, "job_manager", lambda: manager)
    comparison = Comparison.open(pair["base"], pair["target"])
    for number in range(others):
        manager.submit(comparison, asker=Asker(f"tab {number}", ""))
    app = open_page("heatmap", **pair)
    assert len(manager.sessions()) == others + 1
    paces = app.session_state["paces"]
    line_and_picture = {follow_job.SECONDS_BETWEEN_POLLS, follow_job.SECONDS_BETWEEN_PICTURES}
    assert set(paces.seconds.values()) == line_and_picture
    assert paces.between_rings == slower * follow_job.SECONDS_BETWEEN_POLLS
    drawn = dict(paces.drawn)
    monkeypatch.setattr(pulse, "monotonic", lambda: max(drawn.values()) + slower * 1.1)
    due = paces.take_due()
    line = {name for name, each in paces.seconds.items() if each < max(line_and_picture)}
    assert set(due) == line
    # When many have left, those who stay are told as often as they asked for.
    for number in range(others):
        manager.leave(f"tab {number}")
    assert paces.between_rings == follow_job.SECONDS_BETWEEN_POLLS


def test_own_results_are_named_first(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [str(write_model(tmp_path / f"model-{n}", seed=n)) for n in range(3)]
    for target in models[1:]:
        run_diff(Comparison.open(models[0], target), device="cpu")
    monkeypatch.setenv("MODELDIFF_LOGIN_HEADER", "X-User")
    monkeypatch.setattr(type(st.context), "headers", {"X-User": "ada"})

    def labels(**query: str) -> list[str]:
        app = open_page("compare", **query)
        chooser = next(box for box in app.selectbox if box.label.startswith("Pairs"))
        return [label for label in chooser.options if "model-" in label]

    open_page("compare", base=models[0], target=models[1])
    st.cache_data.clear()
    assert labels() == ["Yours: model-0 → model-1", "Kept: model-0 → model-2"]
    monkeypatch.setattr(type(st.context), "headers", {"X-User": "bob"})
    assert sorted(labels()) == ["Kept: model-0 → model-1", "Kept: model-0 → model-2"]
    monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path / "model-0"))
    assert labels() == []


def test_a_session_is_gone_once_it_was_away_for_a_minute() -> None:
    here, gone, now = {"a", "b"}, list[str](), [0.0]
    presence = Presence(here.__contains__, gone.append, lambda: now[0])

    def look(at: float, wanted: str = "ab") -> None:
        now[0] = at
        presence.look(frozenset(wanted))

    look(0)
    here.discard("a")
    look(10)
    here.add("a")  # back in time
    look(50)
    look(100)
    assert gone == []
    here.discard("a")
    look(110)
    look(169)
    assert gone == []
    look(170)
    assert gone == ["a"]


@pytest.mark.parametrize("pause", [0.5, 60.0])
def test_a_run_that_asks_seldom_outlasts_a_connection_lost_for_a_moment(pause: float) -> None:
    here, now = {"a"}, [0.0]
    waits = _Waiting("a", here.__contains__, lambda: now[0])

    def asked_after(seconds: float) -> bool:
        now[0] += seconds
        return waits()

    assert asked_after(pause)
    here.discard("a")
    assert asked_after(pause)  # it may have left this very moment
    here.add("a")
    assert asked_after(pause)
    here.discard("a")
    assert asked_after(pause)
    assert asked_after(4.9)
    assert not asked_after(0.2)


def test_whose_a_page_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asker() == Asker("", "")
    monkeypatch.setenv("MODELDIFF_LOGIN_HEADER", "X-User")
    monkeypatch.setattr(type(st.context), "headers", {"X-User": "Ada@Example.org"})
    assert asker().user == asker().name == "ada@example.org"
