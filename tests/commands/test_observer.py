from __future__ import annotations

import http.client
import socket
import threading
from urllib.parse import urlsplit

import pytest

from asperacentral.commands.notification import Notification
from asperacentral.commands.observer import Observer

from .support import envelope, job_notification


def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_what_is_posted_is_kept_in_order_and_answered() -> None:
    with Observer() as observer:
        for topic in ("Connecting", "Started", "Completed"):
            status, answer = post(observer.url, job_notification(topic, event=topic))
            assert status == 200
            assert b"JobNotificationResponse" in answer
        assert [each.topic for each in observer.received] == ["Connecting", "Started", "Completed"]


def test_a_connection_can_carry_several() -> None:
    with Observer() as observer:
        parts = urlsplit(observer.url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        for event in ("1", "2"):
            connection.request("POST", parts.path, job_notification(event=event))
            assert connection.getresponse().read()
        connection.close()
        assert len(observer.received) == 2


def test_one_can_wait_for_what_has_come_and_for_what_will() -> None:
    with Observer() as observer:
        post(observer.url, job_notification("Connecting"))
        assert observer.wait_for(lambda each: each.topic == "Connecting", 5).job_id == "j1"
        later = threading.Thread(target=post, args=(observer.url, job_notification("Started", event="e2")))
        later.start()
        assert observer.wait_for(lambda each: each.topic == "Started", 5).event_id == "e2"
        later.join()
        with pytest.raises(TimeoutError, match="2 others came"):
            observer.wait_for(lambda each: each.topic == "Failed", 0.01)


def test_failures_can_be_put_in_the_way() -> None:
    statuses = iter([503, 200])

    def respond(notification: Notification) -> int:
        return next(statuses)

    with Observer(respond=respond) as observer:
        assert post(observer.url, job_notification())[0] == 503
        assert post(observer.url, job_notification())[0] == 200
        assert len(observer.refused) == len(observer.received) == 1


def test_a_connection_can_be_broken_instead_of_answered() -> None:
    def respond(notification: Notification) -> int:
        raise ConnectionAbortedError

    with (
        Observer(respond=respond) as observer,
        pytest.raises((http.client.RemoteDisconnected, ConnectionError)),
    ):
        post(observer.url, job_notification())


def test_repeats_are_left_out_of_the_events() -> None:
    with Observer() as observer:
        for event in ("a", "b", "a"):
            post(observer.url, job_notification(event=event))
        assert [each.event_id for each in observer.received] == ["a", "b", "a"]
        assert [each.event_id for each in observer.events()] == ["a", "b"]


def test_an_observer_for_long_runs_keeps_nothing() -> None:
    with Observer(respond=lambda each: 200, keep=False) as observer:
        assert post(observer.url, job_notification())[0] == 200
        assert observer.received == []


def test_strangers_and_nonsense_are_turned_away() -> None:
    with Observer() as observer:
        parts = urlsplit(observer.url)
        assert post(f"http://{parts.netloc}/", job_notification())[0] == 404
        assert post(observer.url, b"nonsense")[0] == 400
        assert post(observer.url, envelope("<a/>"))[0] == 400
        assert post(observer.url, b"", **{"Content-Length": "99999999"})[0] == 413
        with socket.create_connection((parts.hostname or "", parts.port or 0), 5) as raw:
            raw.sendall(f"POST {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b" 411 " in raw.recv(200)
        assert observer.received == []


def test_two_observers_have_addresses_that_cannot_be_guessed_from_each_other() -> None:
    with Observer() as one, Observer() as other:
        assert urlsplit(one.url).path != urlsplit(other.url).path
        assert len(urlsplit(one.url).path) > 12
