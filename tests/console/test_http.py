"""The console over HTTP: who is let in, what is refused, and what reaches the service. No sockets, a test's clock."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from asperacentral.central.errors import SessionNotFound, Unavailable
from asperacentral.central.futures import done
from asperacentral.console.api import MOST_STREAMS_OF_A_USER, Api, Desk
from asperacentral.console.calls import Asked
from asperacentral.console.feed import Marks
from asperacentral.console.history import RateHistory
from asperacentral.console.pages import FOLDER
from asperacentral.console.site import Front
from asperacentral.console.visits import IDLE, LONGEST, MOST, Visits
from asperacentral.credentials.login import TooMany
from asperacentral.credentials.passwords import NOBODY
from asperacentral.credentials.users import WebUser
from asperacentral.web.site import Face, make_site
from tests.rest.caller import Answer
from tests.soap.memory_central import JOB, SESSION, MemoryCentral

COOKIE = "asperacentral-4000"


class Users:
    """A login with two users, both with the password "right"."""

    def __init__(self) -> None:
        self.users = {
            name: WebUser(name, NOBODY, control) for name, control in (("acts", True), ("looks", False))
        }
        self.tired = False

    def user(self, name: str) -> WebUser | None:
        return self.users.get(name)

    def check(self, name: str, password: str, address: str) -> Future[WebUser | None]:
        if self.tired:
            refused: Future[WebUser | None] = Future()
            refused.set_exception(TooMany("too many logins"))
            return refused
        return done(self.users.get(name) if password == "right" else None)


class Browser:
    """Requests to a console, with the cookie and the proof it was given."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_795_000_000)
        self.central: Any = MemoryCentral()
        self.users = Users()
        self.now = 0.0
        self.marks = Marks()
        asked = Asked(self.central, RateHistory(self.clock.seconds), self.marks)
        self.visits = Visits(lambda: self.now)
        login: Any = self.users
        self.desk = Desk(asked, {}, login, self.visits, Counter())
        face = Face({"console": Front(Api(self.desk))}, lambda reason: (b"text/plain", reason.encode()), "")
        self.site = make_site([face], reactor=self.clock)
        self.cookie = ""
        self.proof = ""

    def open(self, method: str, path: str, body: bytes = b"", **headers: str) -> StringTransport:
        sent = {"Host": "127.0.0.1:4000", "Content-Length": str(len(body))}
        if self.cookie:
            sent["Cookie"] = f"{COOKIE}={self.cookie}"
        if self.proof:
            sent["X-Proof"] = self.proof
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
        place = path if path.startswith("/") else f"/console/{path}"
        transport = StringTransport(
            hostAddress=IPv4Address("TCP", "127.0.0.1", 4000), peerAddress=IPv4Address("TCP", "192.0.2.1", 9)
        )
        connection = self.site.buildProtocol(transport.getPeer())
        connection.makeConnection(transport)
        connection.dataReceived(f"{method} {place} HTTP/1.1\r\n{head}\r\n".encode() + body)
        transport.connection = connection  # type: ignore[attr-defined]
        return transport

    def ask(self, method: str, path: str, document: Any = None, **headers: str) -> Answer:
        body = b"" if document is None else json.dumps(document).encode()
        came, _, rest = self.open(method, path, body, **headers).value().partition(b"\r\n\r\n")
        first, *lines = came.decode("latin-1").split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split(" ")[1]), found, rest)

    def post(self, path: str, document: Any = None, **headers: str) -> Answer:
        return self.ask("POST", f"api/{path}", {} if document is None else document, **headers)

    def log_in(self, user: str = "acts") -> Answer:
        answer = self.post("login", {"user": user, "password": "right"})
        self.cookie = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
        self.proof = answer.document["proof"]
        return answer


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def operator(browser: Browser) -> Browser:
    browser.log_in()
    return browser


def events(transport: StringTransport) -> Iterator[tuple[str, Any]]:
    """Server-sent events in an answer in chunks."""
    body = transport.value().partition(b"\r\n\r\n")[2]
    text = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        text, body = text + body[: int(size, 16)], body[int(size, 16) + 2 :]
    for block in text.decode().split("\n\n")[:-1]:
        name, _, data = block.partition("\ndata: ")
        yield name.removeprefix("event: "), json.loads(data)


# --- the page


@pytest.mark.parametrize("name", ["", *sorted(file.name for file in FOLDER.iterdir())])
def test_the_pages_files_run_nothing_but_themselves_in_no_frame(browser: Browser, name: str) -> None:
    answer = browser.ask("GET", name)
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = browser.ask("GET", name, If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_the_page_needs_nothing_from_elsewhere_and_has_nothing_inline() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text.replace("HTTP's", "").lower().replace("http status", ""), file.name
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert forbidden not in text, file.name
        if file.suffix == ".html":
            assert "style=" not in text
            assert "onclick" not in text


def test_the_address_without_a_slash_leads_to_the_page(browser: Browser) -> None:
    answer = browser.ask("GET", "/console")
    assert (answer.status, answer.headers["location"]) == (308, "/console/")


@pytest.mark.parametrize(
    "path", ["x", "../api.py", "%2e%2e/api.py", "main.js/x", "__init__.py", "api", "api/", "api/x"]
)
def test_what_is_not_there_is_not_served(operator: Browser, path: str) -> None:
    assert operator.ask("GET", path).status in (404, 405)


# --- logging in


def test_a_right_password_gives_a_cookie_that_only_our_pages_send_and_no_script_reads(
    browser: Browser,
) -> None:
    answer = browser.log_in()
    assert answer.status == 200
    assert answer.document == {
        "user": "acts",
        "control": True,
        "proof": browser.proof,
        "version": answer.document["version"],
    }
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert cookie.endswith("; Path=/console; HttpOnly; SameSite=Strict")
    behind_tls = browser.post("login", {"user": "acts", "password": "right"}, X_Forwarded_Proto="https")
    assert "; Secure" in behind_tls.headers["set-cookie"]
    assert browser.ask("GET", "api/me").document["user"] == "acts"


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"user": "acts", "password": "wrong"}, 401),
        ({"user": "nobody", "password": "right"}, 401),
        ({"user": "acts"}, 400),
        ({"user": 3, "password": "right"}, 400),
        ([], 400),
    ],
)
def test_others_are_not_let_in_and_not_told_what_was_wrong(
    browser: Browser, document: Any, status: int
) -> None:
    answer = browser.post("login", document)
    assert answer.status == status
    assert "set-cookie" not in answer.headers
    if status == 401:
        assert answer.document["error"]["message"] == "name or password is wrong"


def test_who_guesses_too_often_is_told_to_wait(browser: Browser) -> None:
    browser.users.tired = True
    answer = browser.post("login", {"user": "acts", "password": "right"})
    assert (answer.status, answer.headers["retry-after"]) == (429, "60")


def test_passwords_and_proofs_are_not_in_the_log(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    browser.log_in()
    browser.ask("GET", "api/me")
    assert "has logged in" in caplog.text
    assert "right" not in caplog.text
    assert browser.proof not in caplog.text
    assert browser.cookie not in caplog.text


CALLS = ["files", "history", "codes", "act", "logout"]


@pytest.mark.parametrize("path", CALLS)
def test_without_a_visit_nothing_is_answered(browser: Browser, path: str) -> None:
    assert browser.post(path).status == 401
    browser.cookie = "made up"
    assert browser.post(path).status == 401
    assert browser.ask("GET", "api/stream/sessions").status == 401
    assert browser.ask("GET", "api/me").document == {}


@pytest.mark.parametrize("path", CALLS)
def test_a_request_without_the_proof_is_not_from_our_page(operator: Browser, path: str) -> None:
    operator.proof = ""
    assert operator.post(path).status == 403
    assert operator.post(path, X_Proof="x").status == 403
    assert operator.central.cancelled == []


def test_a_request_that_another_site_has_begun_is_refused(operator: Browser) -> None:
    for site in ("cross-site", "same-site"):
        assert operator.post("codes", Sec_Fetch_Site=site).status == 403
        assert operator.ask("GET", "api/stream/sessions", Sec_Fetch_Site=site).status == 403
    assert operator.post("codes", Sec_Fetch_Site="same-origin").status == 200
    assert operator.post("codes", Origin="http://evil.example").status == 403
    assert operator.post("codes", Origin="http://127.0.0.1:4000").status == 200


def test_a_visit_ends_by_logging_out_by_idling_and_with_its_user(browser: Browser) -> None:
    browser.log_in()
    assert "Max-Age=0" in browser.post("logout").headers["set-cookie"]
    assert browser.post("codes").status == 401
    browser.log_in()
    browser.now += IDLE + 1
    assert browser.post("codes").status == 401
    browser.log_in()
    for _ in range(int(LONGEST // IDLE) * 2):
        browser.now += IDLE / 2
        browser.post("codes")
    browser.now += 1
    assert browser.post("codes").status == 401
    browser.log_in()
    del browser.users.users["acts"]
    assert browser.post("codes").status == 401


def test_visits_are_bounded_and_the_quietest_goes(browser: Browser) -> None:
    browser.log_in()
    kept = browser.cookie
    quiet = browser.visits.begin("looks").token
    for _ in range(MOST - 1):
        assert browser.visits.find(kept)
        browser.visits.begin("looks")
    assert browser.visits.find(kept)
    assert browser.visits.find(quiet) is None


# --- calls


@pytest.mark.parametrize(
    ("document", "seen"),
    [
        ({"kind": "session", "id": SESSION, "action": "cancel"}, lambda c: c.cancelled == [SESSION]),
        ({"kind": "session", "id": SESSION, "action": "pause"}, lambda c: c.paused == [SESSION]),
        ({"kind": "job", "id": JOB, "action": "cancel"}, lambda c: c.cancelled == [JOB]),
        ({"kind": "job", "id": JOB, "action": "pause"}, lambda c: c.paused == [JOB]),
        (
            {
                "kind": "session",
                "id": SESSION,
                "action": "rate",
                "rate": {"target_rate": 5, "policy": "high"},
            },
            lambda c: (
                [(c.changes[0][1].target_rate, c.changes[0][1].policy, c.changes[0][1].minimum_rate)]
                == [(5, "high", None)]
            ),
        ),
    ],
)
def test_actions_reach_the_service_for_those_who_may(
    browser: Browser, document: Any, seen: Callable[[Any], bool]
) -> None:
    browser.log_in("looks")
    refused = browser.post("act", document)
    assert (refused.status, refused.document["error"]["message"]) == (
        403,
        "looks may look, not change anything",
    )
    assert not browser.central.cancelled + browser.central.paused + browser.central.changes
    browser.log_in("acts")
    number, marked = browser.marks.open(document["kind"])
    assert browser.post("act", document).status == 200
    assert seen(browser.central)
    assert marked == {document["id"]}
    browser.marks.close(number)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "kind: is missing"),
        ({"kind": "session", "id": SESSION, "action": "explode"}, "has no action 'explode'"),
        ({"kind": "job", "id": JOB, "action": "rate"}, "has no action 'rate'"),
        ({"kind": "session", "id": SESSION, "action": "rate"}, "rate: must be an object"),
        ({"kind": "session", "id": SESSION, "action": "rate", "rate": {"target_rate": -1}}, "from 0 to"),
        ({"kind": "session", "id": SESSION, "action": "rate", "rate": {"target_rate": True}}, "a boolean"),
        (
            {"kind": "session", "id": SESSION, "action": "rate", "rate": {"speed": 1}},
            "unknown member 'speed'",
        ),
        ({"kind": "session", "id": SESSION, "action": "rate", "rate": {"policy": "x"}}, "unknown policy"),
        ({"kind": "session", "id": SESSION, "action": "pause", "x": 1}, "unknown member 'x'"),
    ],
)
def test_an_action_that_means_nothing_is_refused_with_the_reason(
    operator: Browser, document: Any, said: str
) -> None:
    answer = operator.post("act", document)
    assert answer.status == 400
    assert said in answer.document["error"]["message"]


def test_what_has_ended_cannot_be_steered(operator: Browser) -> None:
    answer = operator.post("act", {"kind": "session", "id": "none", "action": "pause"})
    assert (answer.status, "or it has ended" in answer.document["error"]["message"]) == (404, True)


def test_files_are_those_of_rest_and_cannot_be_claimed(operator: Browser) -> None:
    answer = operator.post("files", {"file_transfer_filter": {"filepath": "/out/a.bin"}})
    assert answer.document["file_transfer_info_result"]["file_transfer_info"][0]["path"] == "/out/a.bin"
    assert operator.post("files", {"validation": {"validator_id": "v"}}).status == 400
    assert operator.post("files", {"file_transfer_filter": {"color": 1}}).status == 400


def test_codes_come_with_their_meaning(operator: Browser) -> None:
    assert operator.post("codes").document["19"] == {
        "name": "AUTH",
        "meaning": "authentication failed",
        "retryable": False,
    }


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Unavailable("the persistent store is disabled"), 503, "the persistent store is disabled"),
        (SessionNotFound("x"), 404, "no session 'x', or it has ended"),
        (RuntimeError("secret of the house"), 500, "internal error"),
    ],
)
def test_errors_of_the_service_are_told_and_mistakes_of_ours_are_not(
    operator: Browser, error: Exception, status: int, said: str
) -> None:
    operator.central.trouble = error
    answer = operator.post("files")
    assert (answer.status, answer.document["error"]["message"]) == (status, said)


# --- streams


def test_a_stream_tells_what_there_is_and_the_total_and_goes_on(operator: Browser) -> None:
    line = operator.open("GET", "api/stream/sessions")
    assert b"content-type: text/event-stream" in line.value().lower()
    told = list(events(line))
    assert [name for name, _ in told] == ["sessions", "whole", "total"]
    assert {each["session_uuid"] for each in told[0][1]} == {each.id for each in operator.central.sessions}
    line.clear()
    operator.clock.advance(1)
    assert b"event: sessions" in line.value()
    assert b"event: total" in line.value()


def test_a_stream_asks_with_its_filter(operator: Browser) -> None:
    operator.open(
        "GET",
        'api/stream/sessions?filter={"session_status":["error"],"cookie_filter":"a+b"}'.replace("+", "%2B"),
    )
    assert operator.central.filters[0].session_status == ("error",)
    assert operator.central.filters[0].cookie_filter == "a+b"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("sessions?filter={", 400),
        ('sessions?filter={"color":1}', 400),
        ('sessions?filter={"iteration_token":"x"}', 400),
        ('sessions?filter={"max_result":5}', 400),
        ("files", 404),
        ("", 404),
    ],
)
def test_a_stream_that_cannot_be_is_refused(operator: Browser, path: str, status: int) -> None:
    assert operator.ask("GET", f"api/stream/{path}").status == status


def test_a_stream_of_a_store_that_fails_says_so_and_ends(operator: Browser) -> None:
    operator.central.trouble = Unavailable("the persistent store is disabled")
    line = operator.open("GET", "api/stream/sessions")
    [(name, document)] = list(events(line))
    assert (name, document["error"]["message"]) == ("problem", "the persistent store is disabled")
    assert operator.desk.streams.total() == 0


def test_a_stream_ends_with_its_visit(operator: Browser) -> None:
    line = operator.open("GET", "api/stream/sessions")
    operator.post("logout")
    line.clear()
    operator.clock.advance(1)
    assert b"event: over" in line.value()
    assert operator.desk.streams.total() == 0


def test_a_browser_that_does_not_read_is_not_written_to(operator: Browser) -> None:
    line: Any = operator.open("GET", "api/stream/sessions")
    line.connection.pauseProducing()
    operator.clock.advance(1)
    line.clear()
    for _ in range(5):
        operator.clock.advance(1)
    assert line.value() == b""
    line.connection.resumeProducing()
    operator.clock.advance(0)
    assert b"event: sessions" in line.value()


def test_a_page_that_leaves_leaves_nothing_behind(operator: Browser) -> None:
    from twisted.internet.error import ConnectionDone
    from twisted.python.failure import Failure

    line: Any = operator.open("GET", "api/stream/sessions")
    assert operator.desk.streams["acts"] == 1
    line.connection.connectionLost(Failure(ConnectionDone()))
    assert operator.desk.streams.total() == 0
    assert operator.marks._wishes == {}
    operator.clock.advance(60)


def test_streams_of_a_user_are_few(operator: Browser) -> None:
    for _ in range(MOST_STREAMS_OF_A_USER):
        operator.open("GET", "api/stream/jobs")
    assert operator.ask("GET", "api/stream/jobs").status == 503
