"""Logging in at a real OpenID provider: who comes in, what each may open, and how one leaves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from scripts.serving import FROM_CHECKOUT, ROOT, Server, free_port, serve
from tests.browser.conftest import PATIENCE_MS, Watched, expect_page, forget
from tests.support.local_hub import LocalHub
from tests.support.oidc import TokensOf, oidc_provider, write_secrets

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

PEOPLE = {
    "ada": {"email": "ada@example.org", "email_verified": True},
    "bob": {"email": "bob@elsewhere.org", "email_verified": True, "groups": ["research"]},
    "eve": {"email": "eve@example.org", "email_verified": True},
    "mallory": {"email": "mallory@elsewhere.org", "email_verified": True, "groups": ["sales"]},
    "forger": {"email": "ada@example.org", "email_verified": False},
}

STYLE_SHEET = "https://cdn.jsdelivr.net/npm/@picocss/"


@dataclass(frozen=True)
class Closed:
    """A server that asks for a login, at a Hub where the same people log in."""

    server: Server
    hub: LocalHub


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    folder = tmp_path_factory.mktemp("closed")
    for name in ("base", "tuned"):
        shutil.copytree(ROOT / "demo" / name, folder / "hub" / "team" / name)
    port = free_port()
    secrets = folder / "secrets.toml"
    with oidc_provider(PEOPLE) as provider, LocalHub(folder / "hub") as hub:
        hub.login = provider
        hub.tokens = TokensOf(provider, PEOPLE)
        hub.private = {"team/base", "team/tuned"}
        hub.readers = dict.fromkeys(hub.private, TokensOf(provider, ["ada"]))
        write_secrets(
            secrets,
            app=f"http://127.0.0.1:{port}",
            provider=hub.url,
            more='expose_tokens = "access"',
        )
        environment = {
            "MODELDIFF_LOGIN": "@example.org, group:research",
            "MODELDIFF_ROOTS": str(folder),
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "huggingface"),
        }
        command = (*FROM_CHECKOUT, f"--secrets.files={secrets}")
        with serve(folder, command, port=port, environment=environment) as server:
            yield Closed(server, hub)


@pytest.fixture
def visit(
    profile: BrowserContext, browser: Browser, closed: Closed
) -> Iterator[Callable[[], Page]]:
    """Makes a tab of another visitor's browser, of which the first has been here before. The app
    may complain in none; the provider's own pages ask for a style sheet that is not here, and have
    no icon."""
    tabs: list[Page] = []
    watches: list[Watched] = []

    def tab() -> Page:
        context = browser.new_context() if tabs else profile
        tabs.append(context.new_page())
        tabs[-1].set_viewport_size({"width": 1440, "height": 900})
        tabs[-1].set_default_timeout(PATIENCE_MS)
        watches.append(Watched(tabs[-1]))
        return tabs[-1]

    yield tab
    for page, watched in zip(tabs, watches, strict=True):
        forget(page, watched.origins)
        page.close()
        if page.context is not profile:
            page.context.close()
    complaints = [text for watch in watches for text in watch.complaints]
    at_provider = (STYLE_SHEET, f"{closed.hub.url}/")
    assert [text for text in complaints if not any(url in text for url in at_provider)] == []


def log_in(tab: Page, closed: Closed, name: str) -> None:
    tab.goto(closed.server.url)
    expect(tab.get_by_role("button", name="Log in")).to_be_visible()
    expect(tab.get_by_role("link", name="Heatmap")).to_have_count(0)
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("name", ["ada", "bob"])
def test_an_address_and_a_group_come_in_and_leave(
    visit: Callable[[], Page], closed: Closed, name: str
) -> None:
    tab = visit()
    log_in(tab, closed, name)
    expect_page(tab, "Compare")
    leave = tab.get_by_role("button", name="Log out")
    expect(leave).to_have_attribute("title", str(PEOPLE[name]["email"]))
    leave.click()
    # The provider asks whether to end its own session, too.
    expect(tab.get_by_role("link", name="Heatmap")).to_have_count(0)
    tab.goto(closed.server.url)
    expect(tab.get_by_role("button", name="Log in")).to_be_visible()


@pytest.mark.parametrize("name", ["mallory", "forger"])
def test_others_are_told_why_not(visit: Callable[[], Page], closed: Closed, name: str) -> None:
    tab = visit()
    log_in(tab, closed, name)
    alert = tab.get_by_role("alert")
    why = (
        "may not use this app" if name == "mallory" else "no address of yours that it has verified"
    )
    expect(alert).to_contain_text(why)
    expect(tab.get_by_role("link", name="Heatmap")).to_have_count(0)
    tab.goto(f"{closed.server.url}/heatmap?base=demo:base&target=demo:tuned")
    expect(alert).to_contain_text(why)
    tab.get_by_role("button", name="Log out").click()
    tab.wait_for_url("**/end_session**")


def test_what_one_may_see_at_the_hub_is_shown_to_nobody_else(
    visit: Callable[[], Page], closed: Closed
) -> None:
    tab, other = visit(), visit()
    pair = "base=team/base&target=team/tuned"
    log_in(tab, closed, "ada")
    expect_page(tab, "Compare")
    expect(tab.locator(".st-key-measured")).to_be_visible(timeout=120_000)
    results = closed.server.cache / "results"
    before = set(results.glob("*.parquet"))
    open_pair = f"{closed.server.url}/?{pair}"
    tab.goto(open_pair)
    tab.get_by_role("button", name="Measure").first.click()
    expect(tab.locator(".st-key-measured")).to_be_visible(timeout=120_000)

    log_in(other, closed, "eve")
    expect_page(other, "Compare")
    other.goto(open_pair)
    expect(other.get_by_role("alert").first).to_contain_text("shows no repository team/base")
    assert "measured" not in other.content().lower().replace("not measured", "")
    (kept_result,) = set(results.glob("*.parquet")) - before
    for page, title in ((tab, "tuned"), (other, "No such result")):
        page.goto(f"{closed.server.url}/result?result={kept_result.stem}")
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    other.goto(closed.server.url)
    expect_page(other, "Compare")
    assert "team/" not in other.content()

    tokens = {request.token for request in closed.hub.requests} - {""}
    assert len(tokens) == 2
    kept = [path for path in closed.server.cache.parent.rglob("*") if path.is_file()]
    assert closed.server.log in kept
    for path in kept:
        assert not any(token.encode() in path.read_bytes() for token in tokens), path
    for page in (tab, other):
        assert not any(token in page.url + page.content() for token in tokens)
