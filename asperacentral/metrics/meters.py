"""The instruments that are read when something has been done: commits, deliveries, requests, topics.

Who measures knows only a method here, given to it as a callable. May be called in any thread.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from asperacentral import __version__

disable_created_metrics()  # a series beside each, that says when it began: nobody asks for it

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)
"""Upper bounds in seconds."""


class Meters:
    """Instruments in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        build = Gauge("asperacentral_build_info", "Always 1.", ["version"], registry=registry)
        build.labels(__version__).set(1)
        self._commits = Histogram(
            "asperacentral_store_commit_seconds",
            "Time of a commit of the store, with what it waits for.",
            buckets=_FAST,
            registry=registry,
        )
        self._failures = Counter(
            "asperacentral_store_commit_failures", "Commits of the store that failed.", registry=registry
        )
        self._deliveries = Counter(
            "asperacentral_deliveries",
            "Attempts to tell an observer of an event: delivered, failed (told again later), dead (given up).",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("delivered", "failed", "dead"):
            self._deliveries.labels(outcome)
        self._delays = Histogram(
            "asperacentral_delivery_delay_seconds",
            "From an event to its being told to one observer.",
            buckets=_SLOW,
            registry=registry,
        )
        self._requests = Histogram(
            "asperacentral_http_request_seconds",
            "From a request that has come whole to its answer.",
            ["face"],
            buckets=_FAST,
            registry=registry,
        )
        self._answers = Counter(
            "asperacentral_http_requests",
            "Requests by the status of their answer; `left` when the client did not wait for it.",
            ["face", "status"],
            registry=registry,
        )

    def committed(self, seconds: float, well: bool) -> None:
        """The store tried to commit."""
        if well:
            self._commits.observe(seconds)
        else:
            self._failures.inc()

    def told(self, outcome: str, seconds: float) -> None:
        """An observer was, or was not, told of an event that is `seconds` old."""
        self._deliveries.labels(outcome).inc()
        if outcome == "delivered":
            self._delays.observe(max(0.0, seconds))

    def answered(self, face: str, status: str, seconds: float) -> None:
        """A face has answered a request."""
        self._requests.labels(face).observe(seconds)
        self._answers.labels(face, status).inc()
