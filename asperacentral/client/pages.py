"""Questions put by pages of ours in the user's browser, where the desktop has no dialogs of its own.

The page that asks must be able neither to see nor to answer the question: our pages have an origin of their own
(another port), an address that is told to the desktop alone and is good for one visit, and each step has a secret of
its own in the form. They may not be framed, run no script, and take answers from themselves only. Buttons that permit
something come alive a second after the page has appeared, so that a click meant for what was there before does not
count.
"""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N802, N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

from asperacentral.client import picker
from asperacentral.client.dialogs import Answer, Kind, Question
from asperacentral.client.html import SAFE_HEADERS, page, text
from asperacentral.client.native import Opener
from asperacentral.fasp.reactor import DelayedCall, ManagerReactor
from asperacentral.web.resources import send

PATIENCE_SECONDS = 600.0
"""How long a question stays open."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    question: Question
    answered: Deferred[Answer | None]
    expiry: DelayedCall
    visited: bool = False
    step: str = ""
    folder: Path = field(default_factory=Path.home)
    chosen: list[Path] = field(default_factory=list)


class Pages(Resource):
    """The resource `dialog/SECRET`; a presenter, too. `address` is where this site is, asked when it is needed."""

    isLeaf = True

    def __init__(
        self, reactor: ManagerReactor, address: Callable[[], str], opener: Opener, start: Path
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._address = address
        self._opener = opener
        self._start = start
        self._open: dict[str, _Open] = {}

    def ask(self, question: Question) -> Deferred[Answer | None]:
        """See Presenter. The answer is None after ten minutes without one."""
        secret = secrets.token_urlsafe(24)
        answered: Deferred[Answer | None] = Deferred()
        expiry = self._reactor.callLater(PATIENCE_SECONDS, self._close, secret, None)
        start = self._start if self._start.is_dir() else Path.home()
        self._open[secret] = _Open(question, answered, expiry, folder=start)
        try:
            self._opener(f"{self._address()}/dialog/{secret}")
        except OSError as problem:
            log.error("cannot ask the user: %s", problem)
            self._reactor.callLater(0, self._close, secret, None)
        return answered

    def _close(self, secret: str, answer: Answer | None) -> None:
        found = self._open.pop(secret, None)
        if found is None:
            return
        if found.expiry.active():  # type: ignore[attr-defined]  # a call of the reactor's
            found.expiry.cancel()
        found.answered.callback(answer)

    def render_GET(self, request: Any) -> bytes:
        """Show the question, once."""
        secret, found = self._find(request)
        if found is None:
            return _gone(request)
        if found.visited:  # somebody else was here, or reloads: nobody gets to answer
            self._close(secret, None)
            return _gone(request)
        found.visited = True
        return self._show(request, found)

    def render_POST(self, request: Any) -> bytes:
        """Take an answer, or a step towards one."""
        secret, found = self._find(request)
        try:
            form = read_form(request)
        except ValueError:
            return answer(request, page("Too much", "<p>There are too many fields in this form.</p>"), 400)
        if (
            found is None
            or not found.step
            or not secrets.compare_digest(form.get("step", [""])[0], found.step)
        ):
            return _gone(request)
        if "cancel" in form:
            self._close(secret, None)
        elif found.question.kind is Kind.CONSENT:
            self._close(secret, Answer(allowed="allow" in form))
        else:
            return self._picked(request, secret, found, form)
        return _done(request)

    def _picked(self, request: Any, secret: str, found: _Open, form: dict[str, list[str]]) -> bytes:
        try:
            step = picker.step(found.question, found.folder, form)
        except picker.NotThere as problem:
            return self._show(request, found, str(problem))
        if isinstance(step, Path):
            found.folder = step
            return self._show(request, found)
        self._close(secret, Answer(step))
        return _done(request)

    def _show(self, request: Any, found: _Open, problem: str = "") -> bytes:
        found.step = secrets.token_urlsafe(24)
        question = found.question
        if question.kind is Kind.CONSENT:
            body = (
                f'<p>{text(question.explanation)}</p><p class="buttons">'
                '<button name="cancel" formnovalidate>Not now</button> <button name="refuse">Never</button> '
                '<button name="allow" class="permit">Allow</button></p>'
            )
        else:
            body = picker.body(question, found.folder)
        note = f'<p role="alert">{text(problem)}</p>' if problem else ""
        form = (
            f'<form method="post"><input type="hidden" name="step" value="{found.step}">{note}{body}</form>'
        )
        return answer(request, page(question.text, form))

    def _find(self, request: Any) -> tuple[str, _Open | None]:
        secret = b"/".join(request.postpath).decode("latin-1")
        return secret, self._open.get(secret)


def answer(request: Any, body: str, code: int = 200) -> bytes:
    """Send a page of ours."""
    request.setResponseCode(code)
    for name, value in SAFE_HEADERS.items():
        request.setHeader(name, value)
    return send(request, b"text/html; charset=utf-8", body.encode("utf-8", "replace"))


def _gone(request: Any) -> bytes:
    return answer(request, page("This question is closed", "<p>It was answered, or shown before.</p>"), 410)


def _done(request: Any) -> bytes:
    return answer(request, page("Thank you", "<p>You can close this page.</p>"))


def read_form(request: Any) -> dict[str, list[str]]:
    """The fields of a form. ValueError when there are too many."""
    body = request.content.read().decode("ascii", "replace")
    return parse_qs(body, keep_blank_values=True, max_num_fields=5000)
