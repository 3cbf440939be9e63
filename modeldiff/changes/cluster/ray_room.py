"""How much a Ray cluster can do at once, counted beside the work: the head may not answer."""

from __future__ import annotations

import threading
import time
from typing import Any

from modeldiff.errors import ClusterError

_SECONDS_BETWEEN_COUNTS = 2.0
_SECONDS_WITHOUT_HEAD = 60.0
_SECONDS_WITHOUT_NODES = 120.0
"""How long a cluster that has lost all nodes that can measure is waited for."""


class RayRoom:
    """Counts the units of a ``resource`` (``CPU``, ``GPU``) of the nodes that live, in a thread: a
    question to a head that is gone does not come back.

    ``ray`` is the module, connected.
    """

    def __init__(self, ray: Any, resource: str) -> None:
        self._ray, self._resource = ray, resource
        self._room = 0
        self._counted = self._roomy = time.monotonic()
        self._stop = threading.Event()
        threading.Thread(target=self._count, name="modeldiff ray room", daemon=True).start()

    def stop(self) -> None:
        """Count no more."""
        self._stop.set()

    def now(self) -> int:
        """The units there are. Raises ``ClusterError`` where the head has been silent, or the
        cluster without any of them, for too long."""
        now = time.monotonic()
        if now - self._counted > _SECONDS_WITHOUT_HEAD:
            raise ClusterError(
                f"The cluster's head has not answered for {_SECONDS_WITHOUT_HEAD:.0f} seconds.",
                hint="Look whether it still runs. What was measured is kept: run the same again to "
                "go on; modeldiff worker has to be started again.",
            )
        if now - self._roomy > _SECONDS_WITHOUT_NODES:
            raise ClusterError(
                f"For {_SECONDS_WITHOUT_NODES:.0f} seconds the cluster has had no node with a "
                f"{self._resource} to measure on.",
                hint="Add nodes and run the same again: what was measured is kept. Or measure on "
                "another --device.",
            )
        return self._room

    def _count(self) -> None:
        while True:
            try:
                alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            except self._ray.exceptions.RayError:
                alive = None
            if alive is not None:
                self._room = sum(int(resources.get(self._resource, 0)) for resources in alive)
                self._counted = time.monotonic()
                if self._room:
                    self._roomy = self._counted
            if self._stop.wait(_SECONDS_BETWEEN_COUNTS):
                return
