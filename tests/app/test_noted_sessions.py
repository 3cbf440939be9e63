"""What the server notes of its visitors does not grow with their number."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modeldiff.observability.request import current_request, working_for
from modeldiff.ui.session import watching


def test_sessions_that_are_gone_are_forgotten_though_nobody_asks_for_metrics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted: set[str] = set()
    now: list[str] = []
    instance = SimpleNamespace(is_active_session=lambda session: session in now[-5:])
    runtime: Any = SimpleNamespace(exists=lambda: True, get_instance=lambda: instance)
    monkeypatch.setattr(watching, "_sessions", noted)
    monkeypatch.setattr(watching, "runtime", runtime)
    for number in range(1000):
        now.append(f"session {number}")
        context = SimpleNamespace(session_id=now[-1])
        monkeypatch.setattr(watching, "get_script_run_ctx", lambda shown=context: shown)
        with working_for(current_request()):  # what is begun here ends here
            watching.begin_request("heatmap")
        assert len(noted) <= watching._MOST_NOTED
    assert watching._connected() == {(): 5}
    assert noted == set(now[-5:])
