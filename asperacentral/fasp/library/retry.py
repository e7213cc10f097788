"""When a job whose session failed gets another one."""

from __future__ import annotations

from dataclasses import dataclass

from asperacentral.fasp.errors import retryable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `retries` more sessions; `first_wait` seconds before the first, doubled up to `longest_wait`."""

    retries: int = 7
    first_wait: float = 2.0
    longest_wait: float = 60.0

    def __post_init__(self) -> None:
        """ValueError for numbers below zero."""
        if min(self.retries, self.first_wait, self.longest_wait) < 0:
            raise ValueError("a retry policy has no negative numbers")

    def wait(self, failures: int, code: int | None, description: str = "") -> float | None:
        """Seconds to wait after the n-th failure; None when the job has failed for good.

        `code` is the FASP code of the last one, None for a process that ended without a word, which is tried again.
        """
        if failures > self.retries or (code is not None and not retryable(code, description)):
            return None
        return min(self.first_wait * 2.0 ** (failures - 1), self.longest_wait)


NO_RETRY = RetryPolicy(retries=0)
