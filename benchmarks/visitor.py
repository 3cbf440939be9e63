"""A websocket that behaves as Streamlit's frontend does: it asks for a page, and again for its
parts as often as the server told it to. Nothing is drawn, so what is timed is the server's."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

_TRIGGERS = "$$STREAMLIT_INTERNAL_KEY_{}__events"
_BUSY = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN


_Ask = Callable[[], Coroutine[Any, Any, int]]


class Visitor:
    """One tab on the page ``page``, with the address' ``query``. One that is not ``seen`` stands
    behind others: nothing asks for its parts again."""

    def __init__(self, page: str, query: str, *, seen: bool = True) -> None:
        self._name, self._query, self._seen = page, query, seen
        self._page = ""
        self._asked: list[tuple[int, float]] = []
        self._asks = self._taken = 0
        self._between = True
        self._kept: set[str] = set()
        self._widgets: dict[str, tuple[str, str]] = {}
        self._buttons: dict[str, tuple[str, str]] = {}
        self._clocks: dict[str, asyncio.Task[None]] = {}
        self._socket: ClientConnection | None = None
        self.answers: dict[int, float] = {}
        """By the number of what was asked for (0: the page), the seconds until it was there."""
        self.intervals: dict[str, float] = {}
        """How often, in seconds, each of its clocks asks for parts of the page."""
        self.nbytes = 0

    async def look(self, port: int) -> None:
        """Stay on the page until cancelled."""
        async with connect(
            f"ws://127.0.0.1:{port}/_stcore/stream",
            origin=Origin(f"http://127.0.0.1:{port}"),
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
        ) as self._socket:
            await self._ask()
            try:
                async for content in self._socket:
                    assert isinstance(content, bytes)
                    self._take(content)
            finally:
                for clock in self._clocks.values():
                    clock.cancel()

    async def click(self, component: str, state: str, value: object) -> int | None:
        """Set the ``state`` of a component to a value, as a click on it does. Returns the number of
        the ask; None where the page has no such component yet."""
        if component not in self._widgets:
            return None
        widget, part = self._widgets[component]
        change = WidgetState(id=widget, json_value=json.dumps({state: value}))
        return await self._ask(part, change)

    async def press(self, label: str) -> int | None:
        """Press the button whose label begins so. Returns the number of the ask; None where the
        page has no such button yet."""
        for found, (widget, part) in self._buttons.items():
            if found.startswith(label):
                return await self._ask(part, WidgetState(id=widget, trigger_value=True))
        return None

    def _take(self, content: bytes) -> None:
        message = ForwardMsg()
        message.ParseFromString(content)
        kind = message.WhichOneof("type")
        self.nbytes += len(content)
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
            if self._between:
                self._taken, self._between = len(self._asked), False
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            part, seconds = message.auto_rerun.fragment_id, message.auto_rerun.interval
            self._follow(part, seconds, lambda: self._ask(part, by_clock=True))
        elif kind == "delta":
            if message.metadata.cacheable:
                self._kept.add(message.hash)
            self._learn(message)
        elif kind == "script_finished" and message.script_finished != _BUSY:
            now, self._between = time.perf_counter(), True
            self.answers |= {number: now - asked for number, asked in self._asked[: self._taken]}
            del self._asked[: self._taken]

    def _learn(self, message: ForwardMsg) -> None:
        """Note what component or button the page has, and follow the one that is its clock."""
        delta = message.delta
        kind = delta.new_element.WhichOneof("type")
        if kind == "button":
            button = delta.new_element.button
            self._buttons[button.label] = button.id, delta.fragment_id
        if kind != "bidi_component":
            return
        component = delta.new_element.bidi_component
        name = component.component_name.rpartition(".")[2]
        self._widgets[name] = component.id, delta.fragment_id
        data = json.loads(component.json) if name == "pulse" else {}
        if "seconds" in data:  # the other one only watches
            widget, part = component.id, delta.fragment_id
            rings = json.dumps([{"event": "ring", "value": data["run"]}])
            trigger = WidgetState(id=_TRIGGERS.format(widget), json_trigger_value=rings)
            self._follow(
                "pulse",
                data["seconds"],
                lambda: self._ask(part, trigger),
            )

    def _follow(self, clock: str, seconds: float | None, ask: _Ask) -> None:
        if clock in self._clocks:
            self._clocks.pop(clock).cancel()
            del self.intervals[clock]
        if seconds and self._seen:
            self.intervals[clock] = seconds
            self._clocks[clock] = asyncio.create_task(self._beat(seconds, ask))

    async def _beat(self, seconds: float, ask: _Ask) -> None:
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(seconds)
                if len(self._asked) <= 2:  # what is asked for thrice is answered once
                    await ask()

    async def _ask(
        self, part: str = "", widget: WidgetState | None = None, *, by_clock: bool = False
    ) -> int:
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string = self._query
        if self._page:
            rerun.page_script_hash = self._page
        else:
            rerun.page_name = self._name
        rerun.cached_message_hashes.extend(self._kept)
        rerun.fragment_id, rerun.is_auto_rerun = part, by_clock
        if widget is not None:
            rerun.widget_states.widgets.append(widget)
        number, self._asks = self._asks, self._asks + 1
        self._asked.append((number, time.perf_counter()))
        assert self._socket is not None
        await self._socket.send(message.SerializeToString())
        return number
