"""While a diff runs: its parts of the page are drawn again, and nothing else; nor for a hidden
tab."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from scripts.serving import serve
from tests.support.results import write_model

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

_SLOW = (sys.executable, "-m", "benchmarks.slow_server", "4")
_HIDE = "on => Object.defineProperty(document, 'hidden', { get: () => on, configurable: true })"
_SEEN = "() => document.dispatchEvent(new Event('visibilitychange'))"


class Heard:
    """What the server sends to a tab, message by message."""

    def __init__(self, tab: Page) -> None:
        self.kinds: list[str] = []
        tab.on("websocket", lambda socket: socket.on("framereceived", self._take))

    def _take(self, frame: str | bytes) -> None:
        message = ForwardMsg()
        if isinstance(frame, bytes):
            message.ParseFromString(frame)
            kind = message.WhichOneof("type")
            element = message.delta.new_element.WhichOneof("type") if kind == "delta" else None
            self.kinds.append(element or kind or "")


def wait_for(tab: Page, heard: Heard, kind: str, times: int) -> None:
    until = time.monotonic() + 60
    while heard.kinds.count(kind) < times:
        assert time.monotonic() < until, heard.kinds
        tab.wait_for_timeout(100)


def test_a_running_diff_draws_its_parts_alone(tab: Page, tmp_path: Path) -> None:
    base, target = (write_model(tmp_path / name, seed=seed) for seed, name in enumerate("ab"))
    with serve(tmp_path, _SLOW) as server:
        heard = Heard(tab)
        tab.goto(f"{server.url}/heatmap?base={base}&target={target}")
        expect(tab.locator(".st-key-diff_panel")).to_be_visible()
        wait_for(tab, heard, "progress", 2)
        heard.kinds.clear()
        wait_for(tab, heard, "progress", 4)
        picture = {"bidi_component", "ref_hash"}  # the latter where the browser has it already
        assert picture & {*heard.kinds}
        assert not {"navigation", "selectbox", "heading"} & {*heard.kinds}

        tab.get_by_label(re.compile(r"^layer 2 · input_layernorm:")).click()
        panel = tab.locator(".st-key-place_panel")
        expect(panel).to_contain_text("Layer 2 · input_layernorm")
        expect(tab.get_by_label("Cell", exact=True)).to_have_value(re.compile("input_layernorm"))
        expect(tab.locator(".st-key-diff_panel")).to_be_visible()

        tab.evaluate(_HIDE, True)
        for _ in range(10):  # what was asked for before may still come
            heard.kinds.clear()
            tab.wait_for_timeout(3000)
            if not heard.kinds:
                break
        assert heard.kinds == []
        expect(tab.locator(".st-key-diff_panel")).to_be_visible()
        tab.evaluate(_HIDE, False)
        tab.evaluate(_SEEN)
        wait_for(tab, heard, "progress", 2)
        tab.goto("about:blank")  # before the server goes, which the page would complain of
