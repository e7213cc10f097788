"""When a failed job is tried again (contract §9.2). One decision, no state."""

from __future__ import annotations

from asperacentral.central.order import Order, RetryParameters
from asperacentral.fasp.errors import retryable


def wait_before(retry: RetryParameters, failed_attempts: int) -> int:
    """Seconds to wait after the `failed_attempts`-th failure: the base, doubled each time, never over the maximum."""
    doublings = min(failed_attempts - 1, 32)
    return min(retry.base_interval << doublings, retry.maximum_interval)


def next_attempt(order: Order, failed_attempts: int, code: int, description: str) -> int | None:
    """Seconds until the next session after a failure with FASP error `code`, or None if the job has failed.

    `failed_attempts` counts this failure. `RetryParameters/Count` is the number of retries after the first attempt.
    """
    if order.no_mgmt_port_files or not retryable(code, description):
        return None
    if failed_attempts > order.retry.count:
        return None
    return wait_before(order.retry, failed_attempts)
