"""A world of real rules whose numbers are asked for over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.metrics.measuring import Measuring
from asperacentral.web.readers import OnThisMachine
from tests.central.world import World
from tests.metrics.scrape import Asker, value


class Measured:
    """The world, its numbers, and what keeps it from being ready."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.reasons: list[str] = []
        self._measure()

    def _measure(self) -> None:
        self.measuring = Measuring(self.world.clock.seconds)
        self.measuring.watch(self.world.central, self.world.store)
        self.asker = Asker(
            self.measuring.face(OnThisMachine(), lambda: self.reasons), self.measuring.meters.answered
        )

    def restart(self) -> None:
        """A crash, and another daemon on the same files."""
        self.world.restart()
        self._measure()

    def body(self) -> bytes:
        """A scrape, whole."""
        refreshed = self.measuring._outbox.refreshed()
        self.world.result(refreshed)
        answer = self.asker.get("/metrics")
        assert answer is not None
        assert answer.status == 200
        return answer.body

    def value(self, name: str, /, **labels: str) -> float | None:
        return value(self.body(), name, **labels)


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[Measured]:
    measured = Measured(tmp_path)
    yield measured
    measured.world.close()
