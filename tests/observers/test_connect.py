"""Connections to observers: allowed addresses only, bounded, and kept ones that may be closed by now."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from twisted.internet._resolver import GAIResolver  # the reactor's own, to be slowed down

from asperacentral.observers import connect
from asperacentral.observers.addresses import Allowed
from asperacentral.observers.post import NotDelivered, Poster
from tests.observers.conftest import MakeTeller
from tests.observers.observer import Conversation, Observer, answer
from tests.observers.teller import ReactorThread

MakePoster = Callable[..., Poster]


@pytest.fixture
def make_poster(reactor_thread: ReactorThread) -> Iterator[MakePoster]:
    made: list[Poster] = []

    def make(*allow: str) -> Poster:
        made.append(reactor_thread.call(lambda: Poster(reactor_thread.reactor, Allowed(allow))))
        return made[-1]

    yield make
    for poster in made:
        reactor_thread.call(poster.close)


def answering_and_closing(talk: Conversation) -> None:
    """As servers do that keep no connection and do not say so."""
    answer()(talk)
    talk.hang_up()


def heading_without_end(talk: Conversation) -> None:
    with contextlib.suppress(ConnectionError):
        talk.say("HTTP/1.1 200 OK\r\n")
        while True:
            talk.say("".join(f"X-{number}: {'a' * 8000}\r\n" for number in range(10)))
            talk.observer.said += 80_000
    talk.hang_up()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_address_that_is_not_allowed_is_not_even_connected_to(
    host: str, reactor_thread: ReactorThread, make_poster: MakePoster
) -> None:
    with Observer() as observer:
        address = observer.address.replace("127.0.0.1", host)
        with pytest.raises(NotDelivered, match="is not among the allowed observers"):
            reactor_thread.call(make_poster("10.0.0.0/8").post, address, "", b"e")
        reactor_thread.call(make_poster("127.0.0.0/8").post, address, "", b"e")
        assert observer.connections == 1


def test_of_a_hosts_addresses_those_allowed_are_used(
    reactor_thread: ReactorThread, make_poster: MakePoster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Observer() as observer, Observer(host="127.0.0.2", port=observer.port) as other:
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, observer.port))
            for address in ("127.0.0.1", "127.0.0.2")
        ]
        resolver = reactor_thread.reactor.nameResolver
        assert isinstance(resolver, GAIResolver)
        monkeypatch.setattr(resolver, "_getaddrinfo", lambda *_: both)
        address = f"http://two.example:{observer.port}/observer"
        reactor_thread.call(make_poster("127.0.0.2").post, address, "", b"e")
        assert (observer.connections, other.bodies) == (0, ["e"])


def test_names_that_resolve_slowly_do_not_delay_observers_named_by_address(
    reactor_thread: ReactorThread, make_poster: MakePoster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    answered = threading.Event()

    def slow(*_: object) -> list[object]:
        asked.set()
        assert answered.wait(15)
        return []

    monkeypatch.setattr(reactor_thread.reactor.nameResolver, "_getaddrinfo", slow)
    poster = make_poster()

    def ask(address: str) -> None:
        poster.post(address, "", b"").addErrback(lambda _: None)

    for number in range(25):  # more than the resolver has threads
        reactor_thread.reactor.callFromThread(ask, f"http://slow{number}.example/")
    assert asked.wait(15)
    with Observer() as observer:
        try:
            reactor_thread.call(poster.post, observer.address, "", b"e")
        finally:
            answered.set()
        assert observer.bodies == ["e"]


def test_endless_headers_are_not_read(reactor_thread: ReactorThread, make_poster: MakePoster) -> None:
    with Observer(always=heading_without_end) as observer:
        with pytest.raises(NotDelivered, match=f"over {connect.MAX_RECEIVED} bytes"):
            reactor_thread.call(make_poster().post, observer.address, "", b"e")
        assert observer.said < 16 * 1024 * 1024  # what fits into the sockets' buffers


def test_the_measure_is_taken_for_each_request_anew(
    reactor_thread: ReactorThread, make_poster: MakePoster
) -> None:
    poster = make_poster()
    with Observer(always=answer(200, "x" * 60_000)) as observer:
        for _ in range(5):
            reactor_thread.call(poster.post, observer.address, "", b"e")
        assert observer.connections == 1


def test_an_observer_that_closes_after_each_answer_is_not_taken_for_a_failing_one(
    reactor_thread: ReactorThread, make_poster: MakePoster
) -> None:
    poster = make_poster()
    with Observer(always=answering_and_closing) as observer:
        for number in range(200):
            reactor_thread.call(poster.post, observer.address, "", b"%d" % number)
        assert observer.bodies == [str(number) for number in range(200)]


def test_a_request_that_fails_on_a_new_connection_is_not_made_again(
    reactor_thread: ReactorThread, make_poster: MakePoster
) -> None:
    with Observer(always=Conversation.hang_up) as observer:
        with pytest.raises(NotDelivered):
            reactor_thread.call(make_poster().post, observer.address, "", b"e")
        assert observer.bodies == ["e"]


def test_events_reach_an_observer_that_closes_after_each_answer_without_a_failure(
    make_teller: MakeTeller,
) -> None:
    teller = make_teller().start()
    with Observer(always=answering_and_closing) as observer:
        teller.tell(*(f"e{number}" for number in range(100)), to=observer.address)
        assert observer.wait_for_posts(100) == [f"e{number}" for number in range(100)]
