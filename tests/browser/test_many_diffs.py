"""Ten small diffs, one after another, while pages change and the browser is slow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import serve, settle
from tests.support.demo_models import another_model

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

_DIFFS = 10
# Each diff takes a while, and is looked at often meanwhile: a minute holds what else takes hours.
_HURRIED = (
    sys.executable,
    "-c",
    """
import sys
import time

from streamlit.web.cli import main

from modeldiff.results.jobs.lanes import Lanes
from modeldiff.ui.controls import follow_job

follow_job.SECONDS_BETWEEN_POLLS = 0.1
run = Lanes._run

def run_slowly(lanes, job):
    time.sleep(0.4)
    run(lanes, job)

Lanes._run = run_slowly
sys.argv = ["streamlit", "run", "streamlit_app.py", *sys.argv[1:]]
main()
""",
)
_GO = """address => {
  history.pushState({}, "", address)
  dispatchEvent(new PopStateEvent("popstate"))
}"""


def test_many_diffs_under_a_slow_cpu(tab: Page, tmp_path: Path) -> None:
    models = [another_model(tmp_path, number) for number in range(_DIFFS)]
    with serve(tmp_path, _HURRIED) as server:
        tab.goto(server.url)
        expect(tab.locator(".st-key-measured")).to_be_visible()
        tab.context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": 3})
        for number, model in enumerate(models):
            path = tab.evaluate("location.pathname")
            tab.evaluate(_GO, f"{path}?target={model}")
            # As fast as a hand is: a third click within a tenth of a second is nobody's.
            tab.wait_for_timeout(120 + 29 * (number % 7))
            title = ("Heatmap", "Diagram", "Architecture", "Compare")[number % 4]
            tab.get_by_role("link", name=title, exact=True).click()
            tab.wait_for_timeout(120 + 17 * (number % 5))
        settle(tab)
        name = f"Demo base → {models[-1].name}"
        expect(tab.get_by_role("heading", level=1)).to_have_text(name)
        expect(tab.locator(".st-key-measured")).to_be_visible()
        tab.goto("about:blank")  # before the server goes, which the page would complain of
