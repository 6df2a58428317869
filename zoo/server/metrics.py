"""Prometheus metrics, with the names of TF Serving if it has them."""

from __future__ import annotations

import re
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_PREFIX = ":tensorflow:serving:"
# In microseconds, as in TF Serving: 10 µs to 3 minutes, each bucket 1.8 times the previous one.
BUCKETS = tuple(round(10 * 1.8**power) for power in range(29))


class Metrics:
    """The metrics of a server. Times are in microseconds.

    Attributes:
      requests: number of requests, by model and status.
      latency: time from the complete request to the complete answer, by model, API and entry point.
      runtime: time of the graph alone, by model, API and runtime.
      warmup: time of the warm-up requests of a version, by model and status.
      batch_rows: rows per batch.
      rows_waiting: rows in the queue.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._made(Counter, "request_count", ["model_name", "status"])
        self.latency = self._histogram("request_latency", ["model_name", "API", "entrypoint"])
        self.runtime = self._histogram("runtime_latency", ["model_name", "API", "runtime"])
        self.warmup = self._histogram("model_warmup_latency", ["model_path", "status"])
        self.batch_rows = Histogram(
            "zoo_batch_rows",
            "Rows that were computed together.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self._registry,
        )
        self.rows_waiting = Gauge(
            "zoo_rows_waiting", "Rows in the batch queue.", registry=self._registry
        )

    def _made(self, kind: Any, name: str, labels: list[str], **options: Any) -> Any:
        text = name.replace("_", " ").capitalize() + "."
        return kind(_PREFIX + name, text, labels, registry=self._registry, **options)

    def _histogram(self, name: str, labels: list[str]) -> Any:
        return self._made(Histogram, name, labels, buckets=BUCKETS)

    def page(self) -> bytes:
        """Returns all metrics in the text format of Prometheus."""
        text = generate_latest(self._registry).decode()
        # Prometheus' client adds `_total` to the names of counters, which TF Serving does not, and
        # the time when each was created.
        text = re.sub(r"(?m)^((?:# \w+ )?:tensorflow:serving:\w+?)_total\b", r"\1", text)
        return re.sub(r"(?m)^(?:# \w+ )?[:\w]+_created\b.*\n", "", text).encode()
