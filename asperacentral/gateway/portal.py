"""The gateway's own page for people who send and receive files, and what it asks: folders, and permissions to transfer.

It is for users of the users file with a password and a token key. A request brings name and password; what is permitted
is a token, as an application would issue it, and everything else goes the way of any page with any transfer client.
"""

# Twisted's classes are only partly typed.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred

import asperacentral.client
from asperacentral.gateway import spec as specs
from asperacentral.gateway.authority import Authority, NotAuthorizedError, Permit
from asperacentral.gateway.errors import TransferRefusedError
from asperacentral.gateway.http import Answer, GatewayRequest
from asperacentral.gateway.transfers import answer_failure
from asperacentral.openascp.confined import Files
from asperacentral.openascp.names import BadPathError, beneath_root
from asperacentral.openascp.policy import UserPolicy
from asperacentral.openascp.token import RECEIVE, SEND, Permission, issue

FOLDER = Path(__file__).parent / "static"
CLIENT = Path(asperacentral.client.__file__).parent / "static"
"""The module by which the page transfers."""

TYPES = {".html": b"text/html; charset=utf-8", ".css": b"text/css; charset=utf-8"}
SCRIPT = b"text/javascript; charset=utf-8"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; frame-src 'self' aspera: fasp:; base-uri 'none'; "
    "connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:*; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No script but the page's own; local transfer clients listen on this machine's loopback address."""

MOST_SHOWN = 5000
"""Entries of a folder that are shown."""

LIFE = 12 * 3600
"""Seconds for which what is permitted to the page is good; less if the user's rule on tokens says so."""

Handlers = Mapping[str, Mapping[str, Callable[[GatewayRequest], None]]]


@dataclass(frozen=True, slots=True)
class SshServer:
    """Where local transfer clients go; the gateway's users and docroots must be that server's, too."""

    host: str
    port: int


class Portal:
    """The page below `base`. Without a `server` it uses the gateway alone: local clients would have nowhere to go."""

    def __init__(
        self,
        authority: Authority,
        server: SshServer | None,
        *,
        now: Callable[[], float],
        in_thread: Callable[..., Deferred[Any]],
    ) -> None:
        self._authority = authority
        self._server = server
        self._now = now
        self._in_thread = in_thread

    def handlers(self, base: str) -> Handlers:
        """For the router."""
        served: dict[str, Mapping[str, Callable[[GatewayRequest], None]]] = {
            f"{base}/look": {"POST": lambda request: self._answer(request, self._look)},
            f"{base}/permit": {"POST": lambda request: self._answer(request, self._permit)},
            base: {"GET": lambda request: request.answer(Answer(308, headers={"Location": f"{base}/"}))},
        }
        for file in (*FOLDER.iterdir(), *CLIENT.glob("*.js")):
            kind = SCRIPT if file.suffix == ".js" else TYPES[file.suffix]
            headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
            place = f"{base}/client/{file.name}" if file.parent == CLIENT else f"{base}/{file.name}"
            served[place] = {"GET": _gives(Answer(200, file.read_bytes(), kind, headers))}
        served[f"{base}/"] = served[f"{base}/index.html"]
        return served

    def _answer(
        self, request: GatewayRequest, call: Callable[[GatewayRequest, UserPolicy, specs.Fields], Any]
    ) -> None:
        self._call(request, call).addErrback(lambda failure: answer_failure(request, failure))

    @inlineCallbacks
    def _call(
        self, request: GatewayRequest, call: Callable[[GatewayRequest, UserPolicy, specs.Fields], Any]
    ) -> Generator[Deferred[Any], Any, None]:
        shown = request.header("authorization")
        if not shown.lower().startswith("basic "):
            raise NotAuthorizedError("name and password, please")
        login = yield maybeDeferred(self._authority.login, shown, "", request.peer)
        policy = self._authority.own_policy(login)
        if not policy.token_keys:
            raise NotAuthorizedError(
                "this user has no token_key, without which the page permits nothing", 403
            )
        document = specs.parse(request.content.read())
        answer = yield maybeDeferred(call, request, policy, document)
        request.answer(Answer.document(answer))

    @inlineCallbacks
    def _look(
        self, request: GatewayRequest, policy: UserPolicy, document: specs.Fields
    ) -> Generator[Deferred[Any], Any, dict[str, Any]]:
        """What is in a folder, and what the user may do."""
        path = _path(document, "path")
        entries: list[dict[str, Any]] = []
        more = False
        if policy.read:
            token = self._token(policy, RECEIVE, (path,))
            with Permit(policy, token, False, request.secure).files(self._now()) as files:
                entries, more = yield self._in_thread(_entries, files, path)
        return {
            "user": policy.name,
            "read": policy.read,
            "write": policy.write,
            "gateway_only": self._server is None,
            "path": _text(path),
            "entries": entries,
            "more": more,
        }

    def _permit(self, request: GatewayRequest, policy: UserPolicy, document: specs.Fields) -> dict[str, Any]:
        """A transfer spec that may be carried out: without its paths for an upload, with them for a download."""
        direction = document.get("direction")
        folder = _path(document, "folder")
        host = request.asked_host.rpartition(":")[0] or request.asked_host
        server = self._server or SshServer(host, 22)
        spec: dict[str, Any] = {
            "direction": direction,
            "remote_host": server.host,
            "ssh_port": server.port,
            "remote_user": policy.name,
            "authentication": "token",
            "cookie": f"page of {policy.name}",
        }
        if direction == "send":
            return spec | {
                "destination_root": f"/{_text(folder)}",
                "token": self._token(policy, SEND, (folder,)),
            }
        if direction != "receive":
            raise TransferRefusedError(400, "direction must be send or receive")
        names = document.get("names")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise TransferRefusedError(400, "names must be a list of names in the folder")
        paths = tuple(specs.joined(folder, specs.safe_name(name)) for name in names)
        return spec | {
            "paths": [{"source": f"/{_text(path)}"} for path in paths],
            "token": self._token(policy, RECEIVE, paths),
        }

    def _token(self, policy: UserPolicy, direction: str, paths: tuple[bytes, ...]) -> str:
        now = int(self._now())
        life = LIFE if policy.token_life is None else min(LIFE, policy.token_life)
        try:
            return issue(policy.token_keys[0], Permission(direction, paths, now, now + life, policy.name))
        except ValueError:
            raise TransferRefusedError(400, "too many at once; choose their folder, or fewer") from None


def _gives(answer: Answer) -> Callable[[GatewayRequest], None]:
    return lambda request: request.answer(answer)


def _path(document: specs.Fields, name: str) -> bytes:
    """A path as a person writes it, beneath the docroot."""
    value = document.get(name, "")
    if not isinstance(value, str):
        raise TransferRefusedError(400, f"{name} must be text")
    try:
        return beneath_root(os.fsencode(value))
    except (BadPathError, UnicodeEncodeError):
        raise TransferRefusedError(400, f"{name} is no path") from None


def _entries(files: Files, path: bytes) -> tuple[list[dict[str, Any]], bool]:
    """Files and folders, folders first, and whether there are more than are shown. Links are left out."""
    found = [
        {
            "name": _text(name),
            "folder": stat.S_ISDIR(facts.st_mode),
            "size": facts.st_size,
            "modified": facts.st_mtime,
        }
        for name, facts in files.entries(path)
        if stat.S_ISDIR(facts.st_mode) or stat.S_ISREG(facts.st_mode)
    ]
    found.sort(key=lambda entry: not entry["folder"])
    return found[:MOST_SHOWN], len(found) > MOST_SHOWN


def _text(path: bytes) -> str:
    return os.fsdecode(path)
