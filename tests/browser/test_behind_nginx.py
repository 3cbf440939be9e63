"""The app behind a real nginx with the file that is deployed: TLS, a path, websockets, headers."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from prometheus_client.parser import text_string_to_metric_families

from scripts.serving import Server, free_port, serve
from tests.browser.conftest import PATIENCE_MS, Watched, expect_page, open_measured
from tests.support.nginx import write_nginx

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

ELSEWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Deployed:
    """Two processes of the app behind nginx at ``port``."""

    port: int
    plain_port: int
    apps: tuple[Server, Server]
    metrics: tuple[int, int]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/modeldiff"


@pytest.fixture(scope="module")
def deployed(
    trusting: BrowserContext, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    nginx, openssl = shutil.which("nginx"), shutil.which("openssl")
    if not nginx or not openssl:
        pytest.skip("nginx or openssl is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    port, plain_port = free_port(), free_port()
    environment = {
        "STREAMLIT_SERVER_BASE_URL_PATH": "/modeldiff",
        "STREAMLIT_SERVER_ALLOWED_HOSTS": "localhost",
        "MODELDIFF_ROOTS": str(folder),
        "MODELDIFF_LOGIN_HEADER": "X-Forwarded-User",
        "MODELDIFF_LOGIN": "ada",
        "MODELDIFF_LOG": "json",
    }
    metrics = free_port(), free_port()
    environments = [environment | {"MODELDIFF_METRICS": f"127.0.0.1:{each}"} for each in metrics]
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    with (
        serve(folders[0], environment=environments[0]) as one,
        serve(folders[1], environment=environments[1]) as two,
    ):
        apps = [int(server.url.split(":")[2].split("/")[0]) for server in (one, two)]
        # As an authenticating proxy does it, after it has looked.
        write_nginx(folder, openssl, port, plain_port, apps, user="ada")
        command = [nginx, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g"]
        process = subprocess.Popen([*command, "daemon off;"])
        try:
            _wait(port)
            deployed = Deployed(port, plain_port, (one, two), metrics)
            _visit_first(trusting, deployed.url)
            yield deployed
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def trusting(browser: Browser) -> Iterator[BrowserContext]:
    """What takes the tests' own certificate."""
    with browser.new_context(
        viewport={"width": 1440, "height": 900}, ignore_https_errors=True
    ) as context:
        yield context


@pytest.fixture
def through(trusting: BrowserContext) -> Iterator[Page]:
    """A tab of a viewer's own that complains in no way."""
    page = trusting.new_page()
    page.set_default_timeout(PATIENCE_MS)
    watched = Watched(page)
    yield page
    page.close()
    trusting.clear_cookies()
    assert watched.complaints == []
    assert watched.hosts - {""} <= {"localhost"}


@pytest.mark.parametrize("page", ["", "heatmap", "diagram", "architecture"])
def test_the_pages_work_under_its_headers(through: Page, deployed: Deployed, page: str) -> None:
    sockets: list[str] = []
    through.on("websocket", lambda socket: sockets.append(socket.url))
    pair = "base=demo:base&target=demo:tuned"
    through.goto(f"{deployed.url}/{page}?{pair}")
    expect_page(through, page.capitalize() or "Compare")
    assert sockets and all(url.startswith(f"wss://localhost:{deployed.port}") for url in sockets)
    expect(through.locator("[data-testid=stException]")).to_have_count(0)


def test_a_result_is_measured_drawn_and_taken_away(through: Page, deployed: Deployed) -> None:
    open_measured(through, f"{deployed.url}/heatmap?base=demo:base&target=demo:lora")
    through.get_by_role("link", name="Diagram").click()
    expect_page(through, "Diagram")
    assert through.url.startswith(f"{deployed.url}/diagram?")


def test_a_viewer_stays_with_one_process(through: Page, deployed: Deployed) -> None:
    for _ in range(3):
        through.goto(f"{deployed.url}/?base=demo:base&target=demo:continued")
        expect(through.locator(".st-key-measured")).to_be_visible(timeout=120_000)
    kept = [list((app.cache / "results").glob("*.parquet")) for app in deployed.apps]
    assert not all(kept), "both processes measured for one viewer"


def test_an_admin_sees_it(through: Page, deployed: Deployed) -> None:
    open_measured(through, f"{deployed.url}/heatmap?base=demo:base&target=demo:unrelated")
    (place,) = [at for at, app in enumerate(deployed.apps) if (app.cache / "results").exists()]
    values = _metrics(deployed.metrics[place])
    assert values["modeldiff_sessions", ()] == 1
    assert values["modeldiff_jobs_total", ("small diffs", "done")] >= 1
    assert values["modeldiff_page_runs_total", ("heatmap",)] >= 1
    assert values["modeldiff_cache_bytes", ("results",)] > 0
    assert values["process_resident_memory_bytes", ()] > 1e8
    lines = [
        json.loads(line)
        for line in deployed.apps[place].log.read_text(encoding="utf-8").splitlines()
        if line.startswith("{")
    ]
    (end,) = [
        line
        for line in lines
        if line["message"] == "job ended" and line["state"] == "done" and line["bytes"]
    ][-1:]
    (page,) = [
        line for line in lines if line["message"] == "page" and line["request"] == end["request"]
    ]
    assert page["page"] == "heatmap" and len(page["connection"]) == 32  # nginx' id


def test_headers(deployed: Deployed) -> None:
    for path in ("/modeldiff/", "/modeldiff/_stcore/health", "/modeldiff/no-such-page"):
        answer = _get(deployed.port, path)
        assert answer["strict-transport-security"].startswith("max-age=")
        assert answer["x-content-type-options"] == "nosniff"
        assert answer["referrer-policy"] == "same-origin"
        assert answer["x-frame-options"] == "SAMEORIGIN"
        policy = dict(
            part.strip().split(" ", 1) for part in answer["content-security-policy"].split(";")
        )
        assert policy["frame-ancestors"] == "'self'" and policy["object-src"] == "'none'"
        assert policy["default-src"] == policy["connect-src"] == "'self'"
        assert "http" not in answer["content-security-policy"].replace("'self'", "")
        assert "nginx/" not in answer.get("server", "")


def test_plain_http_leads_to_tls(deployed: Deployed) -> None:
    path = "/modeldiff/heatmap?base=demo:base"
    with closing(http.client.HTTPConnection("127.0.0.1", deployed.plain_port)) as connection:
        connection.request("GET", path, headers={"Host": "localhost"})
        with connection.getresponse() as answer:
            assert answer.status == 301
            assert answer.headers["Location"] == f"https://localhost{path}"


@pytest.mark.parametrize(("site", "shown"), [("https://localhost:{port}", 1), (ELSEWHERE, 0)])
def test_only_its_own_site_can_frame_it(
    trusting: BrowserContext, deployed: Deployed, site: str, shown: int
) -> None:
    page = trusting.new_page()
    address = f"{site.format(port=deployed.port)}/frame"
    content = f"<iframe src={deployed.url}/ width=800 height=600></iframe>"
    page.route(address, lambda route: route.fulfill(body=content, content_type="text/html"))
    page.goto(address)
    app = page.frame_locator("iframe").locator("[data-testid=stApp]")
    if not shown:
        page.wait_for_function("frames.length == 1")
        page.wait_for_timeout(2_000)
    expect(app).to_have_count(shown)
    page.close()


@pytest.mark.parametrize(
    ("host", "origin", "opened"),
    [
        ("localhost:{port}", "https://localhost:{port}", True),
        ("evil.example", "https://evil.example", False),
        ("localhost:{port}", "https://evil.example", False),
    ],
)
def test_a_websocket_is_for_its_own_host_and_pages(
    deployed: Deployed, host: str, origin: str, opened: bool
) -> None:
    host, origin = (text.format(port=deployed.port) for text in (host, origin))
    assert (_upgrade(deployed.port, host, origin) == 101) == opened


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _visit_first(trusting: BrowserContext, url: str) -> None:
    """A process imports most of the app for its first page."""
    with trusting.new_page() as page:
        page.goto(url)
        page.get_by_role("link", name="Heatmap").wait_for(timeout=120_000)
    trusting.clear_cookies()


def _metrics(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _get(port: int, path: str) -> dict[str, str]:
    with closing(_connection(port)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return {name.lower(): value for name, value in answer.getheaders()}


def _upgrade(port: int, host: str, origin: str) -> int:
    """The status that an attempt to open the app's websocket is answered with."""
    headers = {
        "Host": host,
        "Origin": origin,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with closing(_connection(port)) as connection:
        connection.request("GET", "/modeldiff/_stcore/stream", headers=headers)
        with connection.getresponse() as answer:
            return answer.status


def _connection(port: int) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=_context())


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            _get(port, "/")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("nginx does not answer.")
