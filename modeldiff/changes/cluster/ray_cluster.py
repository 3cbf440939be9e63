"""The connection to a Ray cluster that is there already. None is ever started.

Whoever may talk to a Ray cluster may run code on it, and Ray's ports are open on all interfaces
unless a firewall says otherwise. So a cluster is used only if it asks for a token: it is asked
without one first, and has to refuse.
"""

from __future__ import annotations

import importlib
import socket
import threading
from pathlib import Path
from typing import Any

from modeldiff.changes.cluster.without_token import REFUSED
from modeldiff.errors import ClusterError, InvalidOption
from modeldiff.extras import require
from modeldiff.processes.child import run_script
from modeldiff.settings.setting import host_and_port
from modeldiff.settings.table import RAY_ADDRESS, RAY_WITHOUT_TOKEN
from modeldiff.text.quoting import quoted

_SCRIPT = Path(__file__).with_name("without_token.py")
_SECONDS_TO_ANSWER = 5.0
_SECONDS_TO_REFUSE = 60.0
"""Starting Python and loading Ray takes most of it."""
_connecting = threading.Lock()


def connected_ray() -> Any:
    """The module ``ray``, connected to the cluster at ``RAY_ADDRESS``. Once connected, a process
    stays so.

    Raises ``MissingExtra`` without the library, ``InvalidOption`` where no address of a running
    cluster is set, and ``ClusterError`` where none answers there, it asks for no token though
    ``MODELDIFF_RAY_WITHOUT_TOKEN`` does not permit that, or it does not take this process's.
    """
    require("ray", "Measuring on a Ray cluster")
    address = _address()
    with _connecting:
        # By name: type checkers need not follow a library that not everybody has.
        ray = importlib.import_module("ray")
        if not ray.is_initialized():
            _require_answer(address)
            if not RAY_WITHOUT_TOKEN.value():
                _require_token(address)
            _connect(ray, address)
            _keep_quiet()
        return ray


def _address() -> str:
    text = RAY_ADDRESS.value()
    try:
        host_and_port(text)
    except ValueError as error:
        said = f"is {quoted(text)}, which is not HOST:PORT" if text else "is not set"
        raise InvalidOption(
            f"{RAY_ADDRESS.name} {said}.",
            hint="Set it to the address of a running cluster's head, as 10.0.0.1:6379: none is "
            "started, and Ray's own client (ray://) does not stream what is measured.",
        ) from error
    return text


def _require_answer(address: str) -> None:
    try:
        socket.create_connection(host_and_port(address), _SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise ClusterError(
            f"No Ray cluster answers at {address}: {error.strerror or error}.",
            hint=f"Start one with ray start, or set {RAY_ADDRESS.name} to where it is.",
        ) from error


def _require_token(address: str) -> None:
    outcome = run_script(
        _SCRIPT,
        [address],
        b"",
        seconds=_SECONDS_TO_REFUSE,
        most_bytes=0,
        environment={"RAY_AUTH_MODE": "disabled"},
    )
    if outcome.status == REFUSED:
        return
    found = (
        "asks nobody for a token"
        if outcome.status == 0
        else "did not refuse who asked without a token"
    )
    raise ClusterError(
        f"The Ray cluster at {address} {found}: whoever reaches its ports can run code on all its "
        "machines, and on this one.",
        hint="Start it with RAY_AUTH_MODE=token and a token on every node (ray get-auth-token "
        f"--generate). Where only people you trust reach it, set {RAY_WITHOUT_TOKEN.name}=yes.",
    )


def _keep_quiet() -> None:
    """Ray prints what happens to its nodes on the standard output, where a document may be about to
    stand. Its own debugger stops that in the same way."""
    vars(importlib.import_module("ray._private.worker"))["_worker_logs_enabled"] = False


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(
            f"The Ray cluster at {address} does not take this process in: "
            f"{' '.join(str(error).split())[:500]}",
            hint="It needs the cluster's token (RAY_AUTH_MODE=token and RAY_AUTH_TOKEN or "
            "~/.ray/auth_token), the same versions of Ray and Python, and has to run on one of "
            "its nodes.",
        ) from error
