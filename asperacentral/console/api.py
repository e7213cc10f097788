"""What the page asks of the daemon, over HTTP: logging in, streams, calls. Refuses who may not.

A visit is known by its cookie, which only our own pages send (SameSite=Strict) and no script reads; what changes
something also shows the visit's proof, which only our page was told.
"""

# Its classes are only partly typed.
# ruff: noqa: N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from asperacentral import __version__
from asperacentral.central.errors import CentralError
from asperacentral.central.futures import attempt
from asperacentral.central.job import Job
from asperacentral.console.calls import ACTING, READING, Asked
from asperacentral.console.errors import ConsoleError, error_of
from asperacentral.console.feed import Feed, JobFeed, SessionFeed
from asperacentral.console.pages import HEADERS
from asperacentral.console.stream import Stream
from asperacentral.console.visits import Visit, Visits
from asperacentral.credentials.login import Login, TooMany
from asperacentral.credentials.users import WebUser
from asperacentral.rest.criteria import session_filter, text
from asperacentral.rest.documents import read_document
from asperacentral.rest.errors import RestError
from asperacentral.waiting import deferred
from asperacentral.web.exchange import Exchange, LateError, Reply
from asperacentral.web.resources import printable, send
from asperacentral.web.server import LimitedRequest

log = logging.getLogger(__name__)

JSON = b"application/json"

MOST_STREAMS = 100
"""Streams at a time; each page has one."""

MOST_STREAMS_OF_A_USER = 20

_OWN_SITE = (b"same-origin", b"none")
"""What a browser says of requests that our pages, or people themselves, have begun."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the API works with."""

    asked: Asked
    jobs: Mapping[str, Job]
    login: Login
    visits: Visits
    streams: Counter[str]


class Api(Resource):
    """Everything below `api`."""

    isLeaf = True

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def render(self, request: Any) -> Any:
        """Answer any method."""
        path = [part.decode("latin-1") for part in request.postpath or ()]
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        request.setHeader("cache-control", "no-store")
        if path[:1] == ["stream"]:
            return _open_stream(request, self._desk, path[1:])
        return _Exchange(request, self._desk, path).run()


class _Exchange(Exchange):
    face = "console"

    def __init__(self, request: LimitedRequest, desk: Desk, path: list[str]) -> None:
        super().__init__(request, log)
        self._desk = desk
        self._path = "/".join(path)

    def take(self, data: bytes) -> Deferred[Reply]:
        """Log in, log out, say who is there, or carry out a call."""
        request, desk = self.request, self._desk
        check_site(request)
        if self._path == "login":
            _must_be(request, b"POST")
            return self._log_in(data)
        if self._path == "me":
            _must_be(request, b"GET")
            return succeed(_json(_introduced(*known) if (known := _known(request, desk)) else {}))
        visit, user = visitor(request, desk)
        _must_be(request, b"POST")
        if not visit.proven(_header(request, b"x-proof")):
            raise ConsoleError(403, "the request does not come from the console's page")
        if self._path == "logout":
            desk.visits.end(visit.token)
            return succeed(_json({}, (("set-cookie", _cookie(request, "", "; Max-Age=0")),)))
        call = READING.get(self._path) or ACTING.get(self._path)
        if call is None:
            raise ConsoleError(404, "nothing here")
        if self._path in ACTING and not user.control:
            raise ConsoleError(403, f"{user.name} may look, not change anything")
        document = read_document(data)
        if self._path in ACTING:
            log.info("console: %s: %s", user.name, printable(json.dumps(document)))
        answered: Deferred[bytes] = deferred(attempt(lambda: call(desk.asked, document)))
        return answered.addCallback(lambda body: Reply(200, JSON, body))

    def _log_in(self, data: bytes) -> Deferred[Reply]:
        document = read_document(data)
        name, password = text("user", document.get("user")), text("password", document.get("password"))
        host = self.request.getClientAddress().host

        def judge(user: WebUser | None) -> Reply:
            if user is None:
                log.warning("console: a wrong name or password from %s", host)
                raise ConsoleError(401, "name or password is wrong")
            visit = self._desk.visits.begin(user.name)
            log.info("console: %s has logged in from %s", user.name, host)
            return _json(_introduced(visit, user), (("set-cookie", _cookie(self.request, visit.token)),))

        return deferred(self._desk.login.check(name, password, host)).addCallback(judge)

    def failed(self, error: BaseException) -> Reply:
        """Errors have one shape."""
        refused = _refusal_of(error)
        return Reply(refused.status, JSON, refused.body(), f" ({printable(str(refused))})", refused.headers)

    def title(self) -> str:
        """Method and path."""
        return printable(f"console {self.request.method.decode('latin-1')} {self._path}")

    def shown(self, data: bytes, *, sent: bool) -> str:
        """The body, but for passwords and proofs."""
        hidden = self._path in ("login", "me")
        return "[not shown]" if hidden else data.decode("utf-8", "backslashreplace")


def _refusal_of(error: BaseException) -> ConsoleError:
    if isinstance(error, ConsoleError):
        return error
    if isinstance(error, LateError):
        return ConsoleError(503, "no answer in time")
    if isinstance(error, TooMany):
        return ConsoleError(429, str(error), (("retry-after", "60"),))
    if isinstance(error, RestError):
        return ConsoleError(error.status, str(error))
    if isinstance(error, CentralError):
        return error_of(error)
    log.error("a call of the console failed", exc_info=error)
    return ConsoleError(500, "internal error")


def _open_stream(request: Any, desk: Desk, path: list[str]) -> Any:
    """The stream of sessions or of jobs, or a refusal."""
    try:
        check_site(request)
        visit, user = visitor(request, desk)
        _must_be(request, b"GET")
        if desk.streams.total() >= MOST_STREAMS or desk.streams[user.name] >= MOST_STREAMS_OF_A_USER:
            raise ConsoleError(503, "too many pages are open")
        feed = _feed(request, desk, path)
    except Exception as error:
        refused = _refusal_of(error)
        request.setResponseCode(refused.status)
        return send(request, JSON, refused.body())
    desk.streams[user.name] += 1

    def ended() -> None:
        desk.streams[user.name] -= 1

    def allowed() -> bool:
        return desk.visits.find(visit.token) is not None and desk.login.user(user.name) is not None

    clock = request.channel.site.clock
    totals = desk.asked.history.rates
    Stream(request, feed, clock, allowed=allowed, totals=totals, ended=ended).start({})
    return NOT_DONE_YET


def _feed(request: Any, desk: Desk, path: list[str]) -> Feed:
    asked = desk.asked
    if path == ["jobs"]:
        return JobFeed(desk.jobs, asked.marks, request.channel.site.clock.seconds)
    if path != ["sessions"]:
        raise ConsoleError(404, "nothing here")
    given = (request.args or {}).get(b"filter", [b""])[0]
    members = dict(read_document(given))
    if "iteration_token" in members or "max_results" in members or "max_result" in members:
        raise ConsoleError(400, "filter: pages are the stream's own")
    return SessionFeed(asked.service, session_filter("filter", members), asked.marks)


def check_site(request: Any) -> None:
    """Refuse what a page of somebody else has begun, where the browser says so. Raises ConsoleError."""
    site = request.getHeader(b"sec-fetch-site")
    if site is not None and site not in _OWN_SITE:
        raise ConsoleError(403, "not from a page of another site")


def visitor(request: Any, desk: Desk) -> tuple[Visit, WebUser]:
    """Whose request it is. Raises ConsoleError."""
    known = _known(request, desk)
    if known is None:
        raise ConsoleError(401, "please log in")
    return known


def _known(request: Any, desk: Desk) -> tuple[Visit, WebUser] | None:
    token = (request.getCookie(_cookie_name(request).encode()) or b"").decode("latin-1")
    visit = desk.visits.find(token)
    user = desk.login.user(visit.user) if visit is not None else None
    return None if visit is None or user is None else (visit, user)


def _must_be(request: Any, method: bytes) -> None:
    if request.method != method:
        raise ConsoleError(405, f"only {method.decode()}", (("allow", method.decode()),))


def _introduced(visit: Visit, user: WebUser) -> dict[str, Any]:
    return {"user": user.name, "control": user.control, "proof": visit.proof, "version": __version__}


def _json(value: object, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(200, JSON, json.dumps(value).encode(), headers=headers)


def _header(request: Any, name: bytes) -> str:
    return str((request.getHeader(name) or b"").decode("latin-1"))


def _cookie_name(request: Any) -> str:
    """Browsers keep cookies by host, not by port: several daemons of one host must not share one."""
    return f"asperacentral-{getattr(request.getHost(), 'port', 0)}"


def _cookie(request: Any, value: str, more: str = "") -> str:
    secure = request.isSecure() or _header(request, b"x-forwarded-proto").lower() == "https"
    flags = "; Secure" if secure else ""
    return f"{_cookie_name(request)}={value}; Path=/console; HttpOnly; SameSite=Strict{flags}{more}"
