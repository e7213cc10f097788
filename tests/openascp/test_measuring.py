"""The link's capacity is told once enough bytes have moved for long enough."""

from __future__ import annotations

from asperacentral.openascp.measuring import LEAST_BYTES, SECONDS, Measurement


def test_capacity_is_what_moved_while_it_was_measured() -> None:
    now = [100.0]
    measurement = Measurement(lambda: now[0])
    assert measurement.capacity(0) is None
    now[0] = 150.0
    assert measurement.capacity(1_000) is None
    now[0] += SECONDS / 2
    assert measurement.capacity(10_000_000) is None
    now[0] += SECONDS / 2
    assert measurement.capacity(1_000 + 1_000_000) == round(8_000 / SECONDS)


def test_few_bytes_are_measured_for_longer() -> None:
    now = [0.0]
    measurement = Measurement(lambda: now[0])
    measurement.capacity(1)
    now[0] = 10 * SECONDS
    assert measurement.capacity(LEAST_BYTES) is None
    assert measurement.capacity(LEAST_BYTES + 1) == round(LEAST_BYTES * 8 / 1000 / now[0])
