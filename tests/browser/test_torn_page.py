"""A part is asked for when a run of its page has just ended and is not sent yet: Streamlit throws
the rest of that run away, and the page asks for itself again. Or it forgot the page's clock before
the clock rang."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server, serve, settle
from tests.support.demo_models import another_model

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

# The run that shows the result is held back where the server is told to, until its thread has
# ended; then the tab's last ring arrives a second time. Or it is the tab's first run, and a part
# is asked for as by a click. Where, stands in a file, with a number for each try; a diff begins
# when the tab has rung for it.
_LATE = """
import sys
import time
from pathlib import Path

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunnerEvent
from streamlit.web.cli import main

from modeldiff.results.jobs.lanes import Lanes

place = Path(sys.argv.pop(1))
where, rings, held, messages = "", [], [], 0
measured = False
measure, ask = Lanes._run, AppSession.request_rerun
handle = AppSession._handle_scriptrunner_event_on_event_loop

def measure_late(lanes, job):
    global measured
    while not rings:
        time.sleep(0.02)
    measure(lanes, job)
    measured = True

def ask_and_note(session, client_state):
    if client_state and client_state.fragment_id:
        rings[:] = [client_state]
    ask(session, client_state)

def is_here(event):
    if "start" in where:
        return messages == 1
    if "end" not in where:
        return messages == 40
    return event == ScriptRunnerEvent.SCRIPT_STOPPED_WITH_SUCCESS

def handle_late(session, sender, event, *others):
    global where, messages, measured
    if where != place.read_text():
        where, messages, measured = place.read_text(), 0, False
        rings.clear()
        held.clear()
    begins = event == ScriptRunnerEvent.SCRIPT_STARTED and others[4] is None
    if not held and begins and (measured or "first" in where):
        held.append(sender)
    messages += bool(held)
    if held == [sender] and is_here(event):
        held.append(None)
        sender._script_thread.join()
        print("torn at the", where, flush=True)
        part = next(iter(session._fragment_storage._fragments))
        click = ClientState(fragment_id=part, page_script_hash=session.page_script_hash)
        ask(session, click if "first" in where else rings[0])
    handle(session, sender, event, *others)

Lanes._run = measure_late
AppSession.request_rerun = ask_and_note
AppSession._handle_scriptrunner_event_on_event_loop = handle_late
sys.argv = ["streamlit", "run", "streamlit_app.py", *sys.argv[1:]]
main()
"""


_tries = count()


@dataclass(frozen=True)
class Tearing:
    """A server that tears a page at the place which ``place`` names."""

    server: Server
    place: Path


@pytest.fixture(scope="module")
def tearing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tearing]:
    folder = tmp_path_factory.mktemp("tearing")
    place = folder / "place"
    place.touch()
    with serve(folder, (sys.executable, "-c", _LATE, str(place))) as server:
        yield Tearing(server, place)


@pytest.mark.parametrize("where", ["first", "start", "middle", "end"])
def test_a_page_whose_end_was_lost_is_whole_again(
    where: str, tearing: Tearing, tab: Page, tmp_path: Path
) -> None:
    number = next(_tries)
    tearing.place.write_text(f"{where} {number}")
    target = another_model(tmp_path, number)
    tab.goto(f"{tearing.server.url}/heatmap?target={target}&layer=2&component=mlp.down_proj")
    if where != "first":
        expect(tab.locator(".st-key-job_diff")).to_be_visible()
    expect(tab.locator(".st-key-measured")).to_be_visible()
    expect(tab.locator(".st-key-job_diff")).to_have_count(0)
    settle(tab)
    assert f"torn at the {where} {number}\n" in tearing.server.log.read_text()
    tab.goto("about:blank")  # before the server goes, which the page would complain of


# What the script runner does when the browser asks for a part under another page than its last:
# all components are forgotten that the request says nothing of. Here the first ring meets that, and
# the diff begins after it.
_FORGETFUL = """
import sys
import time

from streamlit.runtime.state import SafeSessionState
from streamlit.web.cli import main

from modeldiff.results.jobs.lanes import Lanes

measure, rerun = Lanes._run, SafeSessionState.on_script_will_rerun
forgotten = []

def measure_late(lanes, job):
    while not forgotten:
        time.sleep(0.02)
    measure(lanes, job)

def forget_first(state, widget_states, **others):
    widgets = widget_states.widgets if widget_states else []
    rings = [widget for widget in widgets if '"ring"' in widget.json_trigger_value]
    if rings and not forgotten:
        forgotten.extend(rings)
        state.on_script_finished(frozenset(widget.id for widget in widgets))
        print("forgotten", flush=True)
    rerun(state, widget_states, **others)

Lanes._run = measure_late
SafeSessionState.on_script_will_rerun = forget_first
sys.argv = ["streamlit", "run", "streamlit_app.py", *sys.argv[1:]]
main()
"""


def test_a_ring_of_a_clock_that_the_server_forgot_breaks_nothing(tab: Page, tmp_path: Path) -> None:
    with serve(tmp_path, (sys.executable, "-c", _FORGETFUL)) as server:
        tab.goto(f"{server.url}/heatmap?layer=2&component=mlp.down_proj")
        expect(tab.locator(".st-key-measured")).to_be_visible()
        expect(tab.get_by_test_id("stException")).to_have_count(0)
        log = server.log.read_text()
        assert "forgotten" in log and "Traceback" not in log
        tab.goto("about:blank")  # before the server goes, which the page would complain of
