"""`/metrics`, `/healthz` and `/readyz` over HTTP: who may read, in which form, and what is refused."""

from __future__ import annotations

import base64
from concurrent.futures import Future
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from asperacentral.central.futures import done
from asperacentral.credentials.login import TooMany
from asperacentral.metrics.site import metrics_face
from asperacentral.web.readers import OnThisMachine, WithPassword
from tests.metrics.conftest import Measured
from tests.metrics.scrape import Asker


def test_health_is_for_everybody_and_readiness_gives_its_reasons(measured: Measured) -> None:
    for path in ("/healthz", "/readyz"):
        answer = measured.asker.get(path, host="192.0.2.1")
        assert answer is not None
        assert (answer.status, answer.body) == (200, b"ok\n")
    measured.reasons.append("the store cannot be written")
    answer = measured.asker.get("/readyz")
    assert answer is not None
    assert (answer.status, answer.body) == (503, b"the store cannot be written\n")
    answer = measured.asker.get("/healthz")
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/metrics", 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/metrics/x", 404),
        ("GET", "/readyz/x", 404),
        ("GET", "/", 404),
    ],
)
def test_other_methods_and_paths_are_refused(measured: Measured, method: str, path: str, status: int) -> None:
    answer = measured.asker.get(path, method=method)
    assert answer is not None
    assert answer.status == status


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("", "text/plain"), ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text")],
)
def test_the_format_is_the_one_the_scraper_likes(measured: Measured, accept: str, kind: str) -> None:
    measured.body()
    answer = measured.asker.get("/metrics", accept=accept)
    assert answer is not None
    assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    ("host", "headers", "said"),
    [
        ("192.0.2.1", {}, "only for programs on this machine"),
        ("127.0.0.1", {"x_forwarded_for": "192.0.2.1"}, "not through a proxy"),
        ("127.0.0.1", {"forwarded": "for=192.0.2.1"}, "not through a proxy"),
        ("127.0.0.1", {"Host": "rebound.example:40001"}, "not by this name"),
    ],
)
def test_metrics_are_for_programs_on_this_machine(
    measured: Measured, host: str, headers: dict[str, str], said: str
) -> None:
    measured.body()
    answer = measured.asker.get("/metrics", host=host, **headers)
    assert answer is not None
    assert (answer.status, answer.body.decode()) == (403, f"{said}\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1"])
def test_every_loopback_address_is_this_machine(measured: Measured, host: str) -> None:
    measured.body()
    answer = measured.asker.get("/metrics", host=host, Host="localhost:40001")
    assert answer is not None
    assert answer.status == 200


class OneUser:
    """A login that knows alice, or has had enough."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.tired = False

    def check(self, name: str, password: str, address: str) -> Future[Any]:
        self.asked.append((name, password, address))
        if self.tired:
            refused: Future[Any] = Future()
            refused.set_exception(TooMany("too many logins"))
            return refused
        return done("alice" if (name, password) == ("alice", "a:b ü") else None)


def basic(words: str) -> str:
    return "Basic " + base64.b64encode(words.encode()).decode()


def test_with_users_who_has_a_password_may_read_from_anywhere_and_nobody_else() -> None:
    login: Any = OneUser()
    asker = Asker(metrics_face(CollectorRegistry(), WithPassword(login), lambda: done(None), list))

    def status(**headers: str) -> int:
        answer = asker.get("/metrics", host="192.0.2.9", **headers)
        assert answer is not None
        if answer.status == 401:
            assert answer.headers["www-authenticate"].startswith("Basic ")
        return answer.status

    assert status() == 401
    assert status(authorization="Bearer abc") == 401
    assert status(authorization="Basic !!!") == 401
    assert status(authorization=basic("alice")) == 401
    assert login.asked == []
    assert status(authorization=basic("alice:wrong")) == 401
    assert status(authorization=basic("alice:a:b ü")) == 200
    assert login.asked[-1] == ("alice", "a:b ü", "192.0.2.9")
    login.tired = True
    assert status(authorization=basic("alice:a:b ü")) == 429


def test_without_readers_there_are_no_metrics_but_health() -> None:
    asker = Asker(metrics_face(CollectorRegistry(), None, lambda: done(None), list))
    metrics, health = asker.get("/metrics"), asker.get("/healthz")
    assert metrics is not None
    assert health is not None
    assert (metrics.status, health.status) == (404, 200)


def test_a_mistake_of_ours_is_told_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Future[None]:
        raise RuntimeError("secret of the house")

    asker = Asker(metrics_face(CollectorRegistry(), OnThisMachine(), fail, list))
    answer = asker.get("/metrics")
    assert answer is not None
    assert (answer.status, answer.body) == (500, b"internal error\n")
    assert "secret of the house" in caplog.text


def test_requests_are_counted_by_face_and_status(measured: Measured) -> None:
    measured.body()
    measured.asker.get("/metrics", host="192.0.2.1")
    assert measured.value("http_requests_total", face="metrics", status="403") == 1
    assert (measured.value("http_request_seconds_count", face="metrics") or 0) >= 2
