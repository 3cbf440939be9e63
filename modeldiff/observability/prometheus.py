"""Counts and gauges in Prometheus' format, on an address of their own.

Nobody has to log in to read them, so they hold no names: of no model, no path, no person.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from modeldiff.extras import require
from modeldiff.observability.counts import Labels, all_counts
from modeldiff.settings.table import METRICS_ADDRESS

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_log = logging.getLogger(__name__)

GaugeValues = Mapping[Labels, float]
"""What a gauge shows now, by its labels."""

COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "jobs": ("Diffs and drill-downs that ended.", ("kind", "state")),
    "job_seconds": ("Seconds that jobs took, waiting not counted.", ("kind",)),
    "job_wait_seconds": ("Seconds that jobs waited in a queue.", ("kind",)),
    "bytes_read": ("Bytes of weights that jobs read.", ()),
    "page_runs": ("Runs of pages.", ("page",)),
    "errors": ("Errors that somebody was shown.", ("error", "where")),
}
"""What is counted: its name, what it is, and its labels."""

GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "jobs_active": ("Jobs that wait or are worked on.", ("kind", "state")),
    "cache_bytes": ("What the cache holds.", ("kind",)),
    "cache_files": ("Files in the cache.", ("kind",)),
    "sessions": ("Tabs that are connected.", ()),
}
"""What is looked up when somebody asks."""


class Families:
    """What a registry of prometheus_client collects. ``gauges`` are asked each time; one that fails
    is not shown, and logged."""

    def __init__(self, gauges: Mapping[str, Callable[[], GaugeValues]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """All families, those that have no values yet included."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counts = all_counts()
        for name, (meaning, labels) in COUNTERS.items():
            counter = CounterMetricFamily(f"modeldiff_{name}", meaning, labels=labels)
            values = {own: value for (of, own), value in counts.items() if of == name}
            for own, value in values.items() if labels else [((), math.fsum(values.values()))]:
                counter.add_metric([dict(own)[label] for label in labels], value)
            yield counter
        for name, read in self._gauges.items():
            meaning, labels = GAUGES[name]
            gauge = GaugeMetricFamily(f"modeldiff_{name}", meaning, labels=labels)
            try:
                for own, value in read().items():
                    gauge.add_metric([dict(own)[label] for label in labels], value)
            except Exception:
                _log.exception("%s can't be read", name)
                continue
            yield gauge


def begin_metrics(gauges: Mapping[str, Callable[[], GaugeValues]]) -> None:
    """Serve the counts, ``gauges`` and this process' memory and time where the settings say, if
    they do. Raises ``MissingExtra``; an address that is taken is logged, for the app works without.
    """
    address = METRICS_ADDRESS.value()
    if address is None:
        return
    require("server", "Metrics")
    from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

    registry = CollectorRegistry()
    registry.register(Families(gauges))
    ProcessCollector(registry=registry)
    host, port = address
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        _log.error("No metrics at %s:%d: %s", host, port, error.strerror or error)
