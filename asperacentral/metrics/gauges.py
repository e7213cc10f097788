"""What is looked at when somebody asks: how many jobs and sessions are in which state, how much waits where.

All of it is in memory; the one thing that is not, the outbox, is asked of the store by `Outbox` before a scrape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from operator import attrgetter

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from asperacentral.central.job import FINAL, Job, JobState
from asperacentral.central.session import UNDER_WAY, Session

OUTBOX_AGE = 10.0
"""Seconds for which what the store said of the outbox is good enough."""

_OPEN = tuple(state for state in JobState if state not in FINAL)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers are: jobs and sessions that are open, rates by direction, rows and writes that wait."""

    jobs: Mapping[str, Job]
    sessions: Mapping[str, Session]
    rates: Callable[[], Mapping[str, float]]
    waiting_writes: Callable[[], int]
    outbox: Callable[[], Mapping[str, int]]


class Gauges(Collector):
    """Makes the gauges anew for each scrape."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Names only, so that registering does not ask the sources."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges as they are now."""
        sources = self._sources
        jobs = Counter(map(attrgetter("state"), sources.jobs.values()))
        paused = sum(map(attrgetter("paused"), sources.jobs.values()))
        sessions = Counter(session.record.status for session in sources.sessions.values())
        yield _family("jobs", "Open jobs.", "state", {state.value: jobs[state] for state in _OPEN})
        yield GaugeMetricFamily("asperacentral_jobs_paused", "Open jobs that are held.", paused)
        yield _family(
            "sessions",
            "Sessions under way.",
            "status",
            {status: sessions[status] for status in sorted(UNDER_WAY)},
        )
        yield _family("rate_bits", "Bits per second of all sessions.", "direction", sources.rates())
        yield GaugeMetricFamily(
            "asperacentral_store_waiting_writes", "Writes that wait for the store.", sources.waiting_writes()
        )
        yield _family(
            "outbox_notifications",
            "Notifications that wait to be told, and dead letters.",
            "state",
            sources.outbox(),
        )


def _family(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"asperacentral_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


class Outbox:
    """What the store last said of the outbox: how many notifications wait, how many are dead."""

    def __init__(self, ask: Callable[[], Future[tuple[int, int]]], seconds: Callable[[], float]) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asked = float("-inf")
        self._asking: Future[tuple[int, int]] | None = None
        self._known: dict[str, int] = {}

    def __call__(self) -> Mapping[str, int]:
        """By state; nothing while the store has not said, or could not."""
        return self._known

    def refreshed(self) -> Future[None]:
        """Done, never with an error, once what is known is new enough, or cannot be had. One question at a time."""
        done: Future[None] = Future()
        if self._asking is None and self._seconds() - self._asked < OUTBOX_AGE:
            done.set_result(None)
            return done
        if self._asking is None:
            self._asked = self._seconds()
            self._asking = self._ask()
            self._asking.add_done_callback(self._take)
        self._asking.add_done_callback(lambda _: done.set_result(None))
        return done

    def _take(self, answer: Future[tuple[int, int]]) -> None:
        self._asking = None
        if answer.exception() is None:
            waiting, dead = answer.result()
            self._known = {"waiting": waiting, "dead": dead}
        else:
            self._known = {}
