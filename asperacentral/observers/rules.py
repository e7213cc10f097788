"""Rules of delivery: when to try again, when to give up, what counts as delivered. Pure; time is given."""

from __future__ import annotations

import re
from collections.abc import Callable

FIRST_WAIT = 1.0
"""Seconds after the first failure; doubled with each further one."""

TOP_WAIT = 300.0
"""Seconds that no wait exceeds."""

GIVE_UP_AFTER = 86_400.0
"""Seconds after which an event that could not be delivered is dead: kept to be seen, not tried again."""

ENDED_FOR = 600.0
"""Seconds after a subscription's end in which its observer may still come back for what it has not been told."""

_FAULT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?Fault[\s/>]")


def wait_after(attempts: int, random: Callable[[], float]) -> float:
    """Seconds to wait after `attempts` failed ones, spread over the upper half so that lanes do not march in step.

    `random` gives a number from 0 up to 1.
    """
    longest = min(TOP_WAIT, FIRST_WAIT * 2.0 ** min(attempts - 1, 64))
    return longest * (0.5 + 0.5 * random())


def reason_to_give_up(created: float, subscribed_until: float, now: float) -> str | None:
    """Why an event made at `created` is not tried again, or None while it is.

    `subscribed_until` is when the subscription it is told for expires or has ended.
    """
    if now - created >= GIVE_UP_AFTER:
        return f"not delivered within {GIVE_UP_AFTER / 3600:.0f} hours"
    if now - subscribed_until >= ENDED_FOR:
        return "the subscription has ended"
    return None


def failure_in(status: int, body: bytes) -> str | None:
    """Why an observer's answer is a failure, or None: anything but 2xx without a SOAP Fault is one."""
    if not 200 <= status < 300:
        return f"HTTP status {status}"
    if _FAULT.search(body):
        return "a SOAP Fault"
    return None
