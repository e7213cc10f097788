"""Dead letters: listed in pages, told again from the front, forgotten with the events that only they told of."""

from __future__ import annotations

import sqlite3

import pytest

from asperacentral.central.model import DeadLetter, Event, JobView
from asperacentral.central.order import Order
from tests.store.test_store import Open, a_subscription

ONE, TWO = "http://1/", "http://2/"


@pytest.fixture
def letters(opened: Open) -> Open:
    """Four events told to two observers; e1, e2 and e3 are dead for the first, e2 for the second."""
    view = JobView("j", Order("Push"), "s", 0)
    hearers = (a_subscription("one", ONE), a_subscription("two", TWO))
    for number in range(4):
        event = Event(f"e{number}", "job", "Started", "j", 5.0 + number, view)
        opened.write(events=((event, hearers),))
    bury(opened, ONE, "e1", "e2", "e3")
    bury(opened, TWO, "e2")
    return opened


def bury(opened: Open, lane: str, *events: str) -> None:
    due = opened.wait(opened.store.due(lane, 100.0, 100))
    dead = [(delivery.id, "too old") for delivery in due if delivery.event.id in events]
    opened.wait(opened.store.settle([], [], dead))


def listed(opened: Open, observer: str | None = None, after: int = 0, limit: int = 100) -> list[str]:
    found = opened.wait(opened.store.dead_letters(observer, after, limit))
    return [f"{letter.observer} {letter.event_id}" for letter in found.items]


def waiting(opened: Open, lane: str) -> list[str]:
    return [delivery.event.id for delivery in opened.wait(opened.store.due(lane, 100.0, 100))]


def events(opened: Open) -> list[str]:
    raw = sqlite3.connect(opened.folder / "s.db")
    found = [row[0] for row in raw.execute("select id from events order by id")]
    raw.close()
    return found


def test_what_is_dead_is_listed_oldest_first_in_pages(letters: Open) -> None:
    assert listed(letters) == [f"{ONE} e1", f"{ONE} e2", f"{TWO} e2", f"{ONE} e3"]
    assert listed(letters, TWO) == [f"{TWO} e2"]
    assert listed(letters, "http://3/") == []
    first = letters.wait(letters.store.dead_letters(None, 0, 3))
    assert (len(first.items), first.remaining) == (3, 1)
    assert first.items[0] == DeadLetter(
        first.items[0].id, ONE, "e1", "job", "Started", "j", 6.0, 0, "too old"
    )
    rest = letters.wait(letters.store.dead_letters(None, first.items[-1].id, 3))
    assert ([letter.event_id for letter in rest.items], rest.remaining) == (["e3"], 0)


def test_what_is_replayed_waits_anew_in_its_old_place(letters: Open) -> None:
    assert letters.wait(letters.store.replay_dead_letters(ONE, (), 50.0)) == 3
    assert listed(letters) == [f"{TWO} e2"]
    assert waiting(letters, ONE) == ["e0", "e1", "e2", "e3"]
    replayed = letters.wait(letters.store.due(ONE, 100.0, 9))[1]
    assert (replayed.attempts, replayed.created) == (0, 50.0)


def test_ids_and_observer_both_restrict(letters: Open) -> None:
    ids = [letter.id for letter in letters.wait(letters.store.dead_letters(None, 0, 9)).items]
    assert letters.wait(letters.store.replay_dead_letters(TWO, ids[:2], 50.0)) == 0
    assert (
        letters.wait(letters.store.replay_dead_letters(ONE, [ids[0], 999, *range(10_000, 12_000)], 50.0)) == 1
    )
    assert listed(letters) == [f"{ONE} e2", f"{TWO} e2", f"{ONE} e3"]
    waits = letters.wait(letters.store.due(ONE, 100.0, 9))[0]
    assert letters.wait(letters.store.drop_dead_letters(None, [waits.id])) == 0  # It is not dead.
    assert letters.wait(letters.store.drop_dead_letters(None, ids)) == 3
    assert listed(letters) == []


def test_what_is_dropped_goes_with_its_event_unless_another_is_still_to_hear_of_it(letters: Open) -> None:
    assert letters.wait(letters.store.drop_dead_letters(ONE, ())) == 3
    assert events(letters) == ["e0", "e1", "e2", "e3"]
    assert waiting(letters, TWO) == ["e0", "e1", "e3"]
    assert letters.wait(letters.store.drop_dead_letters(None, ())) == 1
    assert events(letters) == ["e0", "e1", "e3"]


def test_old_dead_letters_are_purged_and_what_waits_is_not(letters: Open) -> None:
    letters.wait(letters.store.purge(8.0))
    assert listed(letters) == [f"{ONE} e3"]
    assert waiting(letters, ONE) == ["e0"]
    assert waiting(letters, TWO) == ["e0", "e1", "e3"]
