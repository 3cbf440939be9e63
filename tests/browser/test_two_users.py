"""Two who have logged in on one server: whose turn it is, who may stop what, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from scripts.serving import Server, serve
from tests.browser.conftest import PATIENCE_MS, Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

HEADER = "X-Forwarded-User"
# Between the sign and the domain stands what keeps Markdown from making a link.
ADA, BOB = re.compile(r"ada@\W?example\.org"), re.compile(r"bob@\W?example\.org")
# Each diff stays at its first row, and who is away is soon gone.
_ENDLESS = (
    sys.executable,
    "-c",
    """
import sys
import time

from streamlit.web.cli import main

from modeldiff.results.jobs import lanes
from modeldiff.ui.session import presence

presence._SECONDS_AWAY = 2.0
run_diff = lanes.run_diff

def endless(*sides, progress, on_change, **options):
    last = []

    def report(now):
        last[:] = [now]
        progress(now)

    def wait(change):
        on_change(change)
        while change.statistics is not None:
            progress(last[0])
            time.sleep(0.02)

    return run_diff(*sides, progress=report, on_change=wait, **options)

lanes.run_diff = endless
sys.argv = ["streamlit", "run", "streamlit_app.py", *sys.argv[1:]]
main()
""",
)
_GO = """address => {
  history.pushState({}, "", address)
  dispatchEvent(new PopStateEvent("popstate"))
}"""


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server behind a proxy that logs in, on which no diff ever ends."""
    monkeypatch.setenv("MODELDIFF_LOGIN_HEADER", HEADER)
    monkeypatch.setenv("MODELDIFF_MAX_QUEUED_PER_USER", "1")
    with serve(tmp_path, _ENDLESS) as server:
        yield server


@contextmanager
def tab_of(profile: BrowserContext, user: str) -> Iterator[Page]:
    """A tab as the proxy lets it through for somebody. Nothing else tells who it is."""
    page = profile.new_page()
    page.set_extra_http_headers({HEADER: user})
    page.set_default_timeout(PATIENCE_MS)
    watched = Watched(page)
    yield page
    page.close()
    assert watched.complaints == []


def panel(tab: Page) -> Locator:
    return tab.locator(".st-key-job_diff")


def stop_button(tab: Page) -> Locator:
    return panel(tab).get_by_role("button", name="Stop", exact=True)


def test_a_queue_of_two_users_and_a_cancel(endless: Server, profile: BrowserContext) -> None:
    with tab_of(profile, "ada@example.org") as ada, tab_of(profile, "bob@example.org") as bob:
        ada.goto(f"{endless.url}/?target=demo:lora")
        expect(panel(ada)).to_contain_text("Measuring")
        bob.goto(f"{endless.url}/?target=demo:tuned")
        expect(panel(bob)).to_contain_text(
            "Waiting for another diff to finish: Demo base → Demo LoRA, asked for by"
        )
        expect(panel(bob)).to_contain_text(ADA)
        expect(stop_button(bob)).to_be_visible()

        # Who looks at a diff of somebody else sees whose it is, and can't stop it.
        with tab_of(profile, "eve@example.org") as eve:
            eve.goto(f"{endless.url}/?target=demo:lora")
            expect(panel(eve)).to_contain_text(ADA)
            expect(stop_button(eve)).to_have_count(0)
            stop_button(ada).click()
            expect(panel(ada)).to_contain_text("Stopped.")
            expect(panel(eve)).to_contain_text("Stopped.")
        expect(panel(bob)).to_contain_text("Measuring")

        # Another pair leaves the old one, which then ends, and the next one begins.
        ada.goto(f"{endless.url}/?target=demo:unrelated")
        expect(panel(ada)).to_contain_text(BOB)
        with tab_of(profile, "ada@example.org") as second:
            second.goto(f"{endless.url}/?target=demo:continued")
            expect(second.get_by_text("1 of your own jobs wait")).to_be_visible()
            expect(panel(second).get_by_role("button", name="Measure")).to_be_visible()
        bob.evaluate(_GO, "?base=catalog:gpt2-124m&target=catalog:llama-3-8b")
        expect(panel(ada)).to_contain_text("Measuring")

        # And so does who closes the page.
        bob.evaluate(_GO, "?target=demo:continued")
        expect(panel(bob)).to_contain_text(ADA)
        ada.goto("about:blank")
        expect(panel(bob)).to_contain_text("Measuring")


def test_viewers_are_told_of_a_restart(endless: Server, profile: BrowserContext) -> None:
    # Not watched: a page complains of a server that is gone.
    with profile.new_page() as tab:
        tab.set_extra_http_headers({HEADER: "ada@example.org"})
        tab.goto(f"{endless.url}/?target=demo:lora")
        expect(panel(tab)).to_contain_text("Measuring")
        endless.process.send_signal(signal.SIGTERM)
        expect(tab.get_by_text("The server is being restarted")).to_be_visible()
        assert endless.process.wait(60) == 0
        assert list(endless.cache.rglob("*.journal"))


def test_an_app_waits_for_the_process_that_measures(
    profile: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDIFF_LOGIN_HEADER", HEADER)
    monkeypatch.setenv("MODELDIFF_WORKER", "yes")
    with serve(tmp_path) as server, tab_of(profile, "ada@example.org") as tab:
        tab.goto(f"{server.url}/?target=demo:lora")
        expect(panel(tab)).to_contain_text("the process that measures, which does not run")
        worker = subprocess.Popen(
            [sys.executable, "-m", "modeldiff", "worker"],
            env={**os.environ, "MODELDIFF_CACHE": str(server.cache)},
        )
        try:
            expect(tab.locator(".st-key-measured")).to_be_visible(timeout=120_000)
        finally:
            worker.terminate()
            assert worker.wait(60) == 0
        assert not list((server.cache / "queue").glob("*.json"))
        tab.goto("about:blank")  # before the server goes, which the page would complain of
