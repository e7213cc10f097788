"""What the tests of notifications stand on: a reactor in a thread, short waits, tellers that are stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asperacentral.observers import post, rules, sender
from tests.observers.teller import ReactorThread, Teller

MakeTeller = Callable[..., Teller]


@pytest.fixture
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """For observers that hang. Nothing else may come near it, however busy the machine is."""
    monkeypatch.setattr(post, "TOTAL_TIMEOUT", 1.0)


@pytest.fixture(scope="session")
def reactor_thread() -> Iterator[ReactorThread]:
    thread = ReactorThread()
    yield thread
    thread.end()


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "POLL_INTERVAL", 0.05)
    monkeypatch.setattr(sender, "DOWN_FOR", 0.2)
    monkeypatch.setattr(rules, "FIRST_WAIT", 0.04)
    monkeypatch.setattr(rules, "TOP_WAIT", 0.16)


@pytest.fixture
def make_teller(reactor_thread: ReactorThread, tmp_path: Path, short_waits: None) -> Iterator[MakeTeller]:
    made: list[Teller] = []

    def make(**options: Any) -> Teller:
        made.append(Teller(reactor_thread, tmp_path, **options))
        return made[-1]

    yield make
    for teller in made:
        teller.stop()


@pytest.fixture
def teller(make_teller: MakeTeller) -> Teller:
    return make_teller().start()
