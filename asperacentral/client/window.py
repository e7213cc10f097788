"""The client's own window, a page in the user's browser: transfers, sites that were decided upon, what this is.

Its address is told to the desktop alone and good for one visit; what is done in it needs the secret of the form,
which is renewed at each step. It shows what all sites do, so no page may see it: see `pages` for how others are kept
out.
"""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N802, N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from twisted.web.resource import Resource

from asperacentral import __version__
from asperacentral.client.book import Book
from asperacentral.client.engine import Engine
from asperacentral.client.html import page, text
from asperacentral.client.pages import answer, read_form
from asperacentral.client.transfer import Status, Transfer

PARTS = {"transfers": "Transfers", "sites": "Sites", "about": "About", "outdated": "A newer client is wanted"}
MOST_OPEN = 20
SHOWN = 200


class Window(Resource):
    """The resource `window/SECRET`."""

    isLeaf = True

    def __init__(self, engine: Engine, book: Book) -> None:
        super().__init__()
        self._engine = engine
        self._book = book
        self._open: dict[str, str] = {}
        self._to_visit: dict[str, str] = {}
        self._actions: dict[str, Callable[[str], None]] = {
            "stop": self._stop,
            "remove": self._remove,
            "forget": self._forget,
        }

    def address(self, part: str) -> str:
        """The path, below this site, of a window that begins with `part`."""
        secret = secrets.token_urlsafe(24)
        self._to_visit[secret] = part if part in PARTS else "transfers"
        while len(self._to_visit) > MOST_OPEN:
            del self._to_visit[next(iter(self._to_visit))]
        return f"window/{secret}"

    def render_GET(self, request: Any) -> bytes:
        """The first visit."""
        secret = b"/".join(request.postpath).decode("latin-1")
        part = self._to_visit.pop(secret, None)
        if part is None:
            return answer(
                request, page("This window is closed", "<p>Have the client open a new one.</p>"), 410
            )
        self._open[secret] = ""
        while len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        return self._show(request, secret, part)

    def render_POST(self, request: Any) -> bytes:
        """An action, or another part."""
        secret = b"/".join(request.postpath).decode("latin-1")
        try:
            form = read_form(request)
        except ValueError:
            form = {}
        step = self._open.get(secret, "")
        if not step or not secrets.compare_digest(form.get("step", [""])[0].encode(), step.encode()):
            return answer(
                request, page("This window is closed", "<p>Have the client open a new one.</p>"), 410
            )
        for name, act in self._actions.items():
            if name in form:
                act(form[name][0])
        return self._show(request, secret, form.get("part", form.get("stay", ["transfers"]))[0])

    def _show(self, request: Any, secret: str, part: str) -> bytes:
        self._open[secret] = step = secrets.token_urlsafe(24)
        part = part if part in PARTS else "transfers"
        buttons = " ".join(
            f'<button name="part" value="{name}"{" disabled" if name == part else ""}>{title}</button>'
            for name, title in PARTS.items()
            if name != "outdated"
        )
        body = {
            "transfers": self._transfers,
            "sites": self._sites,
            "about": lambda: f"<p>The transfer client of asperacentral {text(__version__)}.</p>",
            "outdated": lambda: (
                f"<p>A page wants a newer transfer client. This is the one of asperacentral {text(__version__)}; "
                "whoever installed it can bring it up to date.</p>"
            ),
        }[part]()
        hidden = f'<input type="hidden" name="step" value="{step}"><input type="hidden" name="stay" value="{part}">'
        refresh = '<button name="part" value="transfers">Refresh</button>' if part == "transfers" else ""
        return answer(
            request,
            page(
                PARTS[part],
                f'<form method="post">{hidden}<p class="buttons">{buttons} {refresh}</p>{body}</form>',
            ),
        )

    def _transfers(self) -> str:
        rows = [_row(each) for each in reversed(self._engine.all()[-SHOWN:])]
        head = "<tr><th>What</th><th>Site</th><th>State</th><th>Moved</th><th></th></tr>"
        return f"<table>{head}{''.join(rows)}</table>" if rows else "<p>There are no transfers.</p>"

    def _sites(self) -> str:
        rows = [
            f"<tr><td>{text(origin)}</td><td>{'allowed' if allowed else 'refused'}</td>"
            f'<td><button name="forget" value="{text(origin)}">Forget</button></td></tr>'
            for origin, allowed in self._book.sites().items()
        ]
        return f"<table>{''.join(rows)}</table>" if rows else "<p>No site was decided upon.</p>"

    def _forget(self, origin: str) -> None:
        self._book.forget(origin)

    def _stop(self, number: str) -> None:
        if (entry := self._engine.find(number)) is not None:
            self._engine.stop(entry)

    def _remove(self, number: str) -> None:
        if (entry := self._engine.find(number)) is not None:
            self._engine.remove(entry)


def _row(transfer: Transfer) -> str:
    seen = transfer.seen()
    action, label = ("remove", "Remove") if transfer.ended else ("stop", "Stop")
    state = (
        f"{transfer.status}: {transfer.error_text}"
        if transfer.status is Status.FAILED
        else str(transfer.status)
    )
    moved = f"{seen['percentage']:.0%}" if transfer.expected else ""
    return (
        f"<tr><td>{text(seen['title'])}</td><td>{text(transfer.origin or 'a program')}</td><td>{text(state)}</td>"
        f"<td>{moved}</td><td>"
        f'<button name="{action}" value="{transfer.uuid}">{label}</button></td></tr>'
    )
