"""Topics of jobs and sessions, and what a subscription's list of them means (contract §6.3)."""

from __future__ import annotations

from collections.abc import Iterable

STATISTICS = "Statistics"
"""The one topic that is not durable: the newest value wins when an observer is slow."""

JOB_TOPICS = ("Waiting", "Connecting", "Started", "Retrying", "Completed", "Failed", "Cancelled")
SESSION_TOPICS = ("Started", "Stopped", "Error", "RateParameters", STATISTICS)

TOPICS = {"job": JOB_TOPICS, "session": SESSION_TOPICS}


def canonical(kind: str, topics: Iterable[str]) -> tuple[str, ...]:
    """Known topics of `kind` ("job" or "session") among `topics`, in our spelling; unknown ones are ignored.

    Comparison is without case. When names were given but none is known, the result would mean "the default":
    such a list is the caller's error and raises ValueError.
    """
    wanted = {topic.strip().lower() for topic in topics if topic.strip()}
    known = tuple(topic for topic in TOPICS[kind] if topic.lower() in wanted)
    if wanted and not known:
        raise ValueError(
            f"none of the topics is known; the topics of a {kind} are: {', '.join(TOPICS[kind])}"
        )
    return known


def wants(topics: tuple[str, ...], topic: str) -> bool:
    """Whether a subscription with `topics` hears of `topic`; an empty list means all but Statistics."""
    return topic in topics if topics else topic != STATISTICS
