"""A server and a Chromium for each worker and a fresh tab for each test, which ends with a look at
its console."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    TimeoutError,
    expect,
    sync_playwright,
)

from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
from scripts.serving import Server, launch_profile, serve, settle
from tests.support.results import cache_at

# On a deep link Streamlit's browser side also asks for these below the page's own path.
EXPECTED_404 = ("/_stcore/health", "/_stcore/host-config")
# A busy machine is no failure: what is waited for comes at once on a quiet one.
PATIENCE_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What fails in the browser is tried once more, and the report names it: two programs and a
    socket between them, on a machine with other work, meet in some order that no other run has."""
    for item in items:
        if item.get_closest_marker("browser") is not None:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser that has been here before: what it loaded once it need not compile again."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        profile = launch_profile(playwright, tmp_path_factory.mktemp("profile"))
        yield profile
        profile.close()


@pytest.fixture(scope="session")
def browser(profile: BrowserContext) -> Browser:
    """The same Chromium, for contexts with options of their own."""
    assert profile.browser is not None
    return profile.browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app with no settings, shared by the tests of a worker, which leave results in it. The
    demo pair is measured already."""
    with serve(tmp_path_factory.mktemp("server")) as server:
        measure(server, "demo:base", "demo:continued")
        yield server


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    """A server that nobody has asked anything yet. To be named before ``tab``, which then goes
    first."""
    with serve(tmp_path) as server:
        yield server


def measure(server: Server, base: str, target: str) -> str:
    """Keep a pair's result where the server looks for it, and return its key: nobody need wait for
    a page where another is tested."""
    with cache_at(server.cache):
        return run_diff(Comparison.open(base, target), device="cpu").key


class Watched:
    """What a tab complained about, and whom it asked."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.origins: set[str] = set()
        page.on("console", lambda m: self._said(m.type, m.text, str(m.location.get("url", ""))))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: self._asked(urlsplit(request.url)))
        page.on("websocket", lambda socket: self.hosts.add(urlsplit(socket.url).hostname or ""))

    def _asked(self, url: SplitResult) -> None:
        self.hosts.add(url.hostname or "")
        if url.scheme in ("http", "https"):
            self.origins.add(f"{url.scheme}://{url.netloc}")

    def _said(self, kind: str, text: str, url: str) -> None:
        expected = "404" in text and url.endswith(EXPECTED_404)
        if kind == "error" and not expected:
            self.complaints.append(f"{text} {url}")


@pytest.fixture
def tab(profile: BrowserContext) -> Iterator[Page]:
    """A tab with a session of its own; fails the test that made it complain or ask outside."""
    page = profile.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    watched = Watched(page)
    yield page
    forget(page, watched.origins)
    page.close()
    assert watched.complaints == []
    assert watched.hosts - {""} <= {"127.0.0.1"}


def forget(page: Page, origins: set[str]) -> None:
    """Keep nothing of what a tab chose, such as a theme, or of who logged in there: of what it has
    from these ``origins``."""
    chosen = page.context.new_cdp_session(page)
    for origin in origins:
        kinds = {"origin": origin, "storageTypes": "cookies,local_storage"}
        chosen.send("Storage.clearDataForOrigin", kinds)


def query(tab: Page) -> dict[str, str]:
    """The page's query, each name once."""
    return _query_of(tab.url)


def _query_of(url: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}


def expect_page(tab: Page, title: str) -> None:
    """Wait until this page is the one that is shown, whole: what it has in common with the page
    before may still be that page's, and a click on it lost."""
    expect(tab).to_have_title(f"{title} · modeldiff")
    expect(tab.get_by_role("link", name=title, exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    settle(tab)


def expect_query(tab: Page, wanted: Mapping[str, str], *, others: bool = False) -> None:
    """Wait until the address says this, and unless there may be ``others`` nothing else: it
    follows what is shown, or goes before it."""

    def says(url: str) -> bool:
        said = _query_of(url)
        return wanted.items() <= said.items() if others else said == wanted

    try:
        tab.wait_for_url(says)
    except TimeoutError:
        assert query(tab) == wanted


def open_measured(tab: Page, url: str) -> None:
    """Open a page and wait until its diff is there."""
    tab.goto(url)
    expect(tab.locator(".st-key-measured")).to_be_visible(timeout=120_000)
    settle(tab)


def focused(tab: Page) -> str:
    """What a screen reader says of what has the keyboard's focus."""
    said = tab.evaluate(
        """() => {
          let at = document.activeElement
          while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
          return at?.getAttribute("aria-label") ?? ""
        }"""
    )
    return str(said)
