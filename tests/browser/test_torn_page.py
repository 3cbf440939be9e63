"""A part is asked for when a run of its page has just ended and is not sent yet: Streamlit throws
the rest of that run away, and the page asks for itself again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import serve, settle

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

# The run that shows the result is held back where the server is told to, until its thread has
# ended; then the tab's last ring arrives a second time.
_LATE = """
import sys
import time

from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunnerEvent
from streamlit.web.cli import main

from modeldiff.results.jobs.lanes import Lanes

where = sys.argv.pop(1)
rings, held, messages = [], [], 0
measured = False
measure, ask = Lanes._run, AppSession.request_rerun
handle = AppSession._handle_scriptrunner_event_on_event_loop

def measure_slowly(lanes, job):
    global measured
    time.sleep(4)
    measure(lanes, job)
    measured = True

def ask_and_note(session, client_state):
    if client_state and client_state.fragment_id:
        rings[:] = [client_state]
    ask(session, client_state)

def is_here(event):
    if where == "start":
        return messages == 1
    if where == "middle":
        return messages == 40
    return event == ScriptRunnerEvent.SCRIPT_STOPPED_WITH_SUCCESS

def handle_late(session, sender, event, *others):
    global messages
    if not held and measured and event == ScriptRunnerEvent.SCRIPT_STARTED and others[4] is None:
        held.append(sender)
    messages += bool(held)
    if held == [sender] and is_here(event):
        held.append(None)
        sender._script_thread.join()
        print("torn at the", where, flush=True)
        ask(session, rings[0])
    handle(session, sender, event, *others)

Lanes._run = measure_slowly
AppSession.request_rerun = ask_and_note
AppSession._handle_scriptrunner_event_on_event_loop = handle_late
sys.argv = ["streamlit", "run", "streamlit_app.py", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("where", ["start", "middle", "end"])
def test_a_page_whose_end_was_lost_is_whole_again(where: str, tab: Page, tmp_path: Path) -> None:
    with serve(tmp_path, (sys.executable, "-c", _LATE, where)) as server:
        tab.goto(f"{server.url}/heatmap?layer=2&component=mlp.down_proj")
        expect(tab.locator(".st-key-job_diff")).to_be_visible()
        expect(tab.locator(".st-key-measured")).to_be_visible()
        expect(tab.locator(".st-key-job_diff")).to_have_count(0)
        settle(tab)
        assert f"torn at the {where}" in server.log.read_text()
        tab.goto("about:blank")  # before the server goes, which the page would complain of
