"""Logins: right and wrong ones, guessing, and asking again with the same words."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from asperacentral.credentials.login import FAILURES, MOST_WAITING, REMEMBERED, WINDOW, Login, TooMany
from asperacentral.credentials.passwords import PasswordHash, hash_password, read_hash
from asperacentral.credentials.users import WebUser

ALICE = WebUser("alice", read_hash(hash_password("rïght")), control=True)


class Desk:
    """A login whose thread's answers a test takes, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._calls: queue.Queue[tuple[Callable[..., object], tuple[Any, ...]]] = queue.Queue()
        self.login = Login(
            {"alice": ALICE}, lambda function, *args: self._calls.put((function, args)), lambda: self.now
        )

    def ask(self, name: str, password: str, address: str = "192.0.2.1") -> WebUser | None:
        return self.settle(self.login.check(name, password, address))

    def settle(self, future: Future[WebUser | None]) -> WebUser | None:
        while not future.done():
            function, args = self._calls.get(timeout=30)
            function(*args)
        return future.result()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.login.close()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were really looked at."""
    seen: list[str] = []
    really = PasswordHash.matches

    def matches(self: PasswordHash, password: str) -> bool:
        seen.append(password)
        return really(self, password)

    monkeypatch.setattr(PasswordHash, "matches", matches)
    return seen


def test_only_the_right_password_of_a_user_that_exists_is_taken(desk: Desk) -> None:
    assert desk.ask("alice", "rïght") is ALICE
    assert desk.ask("alice", "ri\u0308ght") is ALICE, "the same letter written in two"
    for name, password in (
        ("alice", "wrong"),
        ("alice", ""),
        ("bob", "rïght"),
        ("", ""),
        ("alice", "\ud800"),
    ):
        assert desk.ask(name, password) is None
    assert desk.ask("alice", "rïght" + "x" * 100_000) is None


def test_the_password_of_nobody_is_looked_at_all_the_same(desk: Desk, checks: list[str]) -> None:
    assert desk.ask("bob", "guess") is None
    assert checks == ["guess"]


def test_the_same_words_are_not_looked_at_again_for_a_while(desk: Desk, checks: list[str]) -> None:
    for _ in range(3):
        assert desk.ask("alice", "rïght") is ALICE
    assert len(checks) == 1
    assert desk.ask("alice", "wrong") is None
    desk.now += REMEMBERED
    assert desk.ask("alice", "rïght") is ALICE
    assert len(checks) == 3


def test_after_too_many_wrong_passwords_an_address_waits_and_others_do_not(
    desk: Desk, checks: list[str]
) -> None:
    for _ in range(FAILURES):
        assert desk.ask("alice", "wrong") is None
    with pytest.raises(TooMany):
        desk.ask("alice", "rïght")
    assert len(checks) == FAILURES
    assert desk.ask("alice", "rïght", "192.0.2.2") is ALICE
    desk.now += WINDOW
    assert desk.ask("alice", "wrong") is None


def test_right_passwords_never_make_an_address_wait(desk: Desk) -> None:
    for _ in range(3 * FAILURES):
        desk.now += REMEMBERED
        assert desk.ask("alice", "rïght") is ALICE


def test_few_may_wait_for_the_thread(desk: Desk) -> None:
    waiting = [desk.login.check("alice", "guess", f"192.0.2.{at}") for at in range(MOST_WAITING)]
    with pytest.raises(TooMany):
        desk.ask("alice", "rïght", "198.51.100.1")
    assert [desk.settle(each) for each in waiting] == [None] * MOST_WAITING
    assert desk.ask("alice", "rïght", "198.51.100.1") is ALICE


def test_a_user_taken_away_is_forgotten_at_once(desk: Desk) -> None:
    assert desk.ask("alice", "rïght") is ALICE
    desk.login.replace({})
    assert desk.login.user("alice") is None
    assert desk.ask("alice", "rïght") is None
