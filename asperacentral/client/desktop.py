"""The client as a whole: builds its parts, listens, and ends in order. The one place that knows all of them."""

# Twisted's classes are only partly typed.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.web.resource import Resource

from asperacentral.client import native
from asperacentral.client.book import Book
from asperacentral.client.connect import ConnectFace
from asperacentral.client.connect_web import ConnectResource
from asperacentral.client.consent import Consent
from asperacentral.client.dialogs import Dialogs, Presenter
from asperacentral.client.engine import AT_ONCE, Engine
from asperacentral.client.grants import Grants
from asperacentral.client.handover import Handover
from asperacentral.client.page_spec import Desk
from asperacentral.client.pages import Pages
from asperacentral.client.rpc import RpcFace
from asperacentral.client.rpc_web import RpcResource
from asperacentral.client.service import Service, Shown
from asperacentral.client.web import ClientSite
from asperacentral.client.window import Window
from asperacentral.fasp import FaspManager, ownership

RPC_PORTS = range(33024, 33030)
CONNECT_PORTS = range(33003, 33023)
ADDRESS = "127.0.0.1"
PORTS_FILE = "ports.json"
URI_FILE = "http.uri"

log = logging.getLogger(__name__)


class CannotStart(Exception):
    """The client cannot run; `str(error)` says why in one line."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a client runs. `folder` is where it remembers things; ports are tried in their order, 0 is any free one.

    `opener` shows web addresses and folders (xdg-open if empty); `native_dialogs` tells to use the desktop's own. Where
    programs look for Connect, `uri_folder` says where it is. The versions are those of the products whose pages ask.
    """

    folder: Path
    downloads: Path
    known_hosts: Path
    rpc_ports: Sequence[int] = RPC_PORTS
    connect_ports: Sequence[int] = CONNECT_PORTS
    transfer_key: Path | None = None
    opener: str = ""
    native_dialogs: bool = True
    at_once: int = AT_ONCE
    uri_folder: Path | None = None
    desktop_version: str = "1.0.14"
    connect_version: str = "4.2.14"


class Desktop:
    """A running client; `rpc_port`, `connect_port` and `pages_port` are where it listens."""

    def __init__(self, options: Options, reactor: Any) -> None:
        """CannotStart when another client of this folder runs, or a port or file cannot be had."""
        self._reactor = reactor
        self._listening: list[Any] = []
        try:
            self._lock = _lock(options.folder)
            self.book = Book(options.folder)
            manager = FaspManager(reactor=reactor, known_hosts=options.known_hosts)
        except (OSError, CannotListenError) as problem:
            raise CannotStart(f"{options.folder}: {problem}") from None
        self._ports_file = options.folder / PORTS_FILE
        self._uri_files = (options.uri_folder / URI_FILE,) if options.uri_folder else ()
        self.engine = Engine(reactor, manager, self.book, at_once=options.at_once)
        opener = native.opener(reactor, options.opener)
        window = Window(self.engine, self.book)
        guarded = ownership.user_of(0, 0) is not None  # this system says whose a connection is
        show = opener if guarded else Handover(options.folder, opener, reactor)
        pages = Pages(reactor, self._address_of_pages, show, options.downloads)
        self.dialogs = Dialogs(_presenter(reactor, options, pages))
        self.consent = Consent(self.book, self.dialogs, reactor.seconds)
        self.service = Service(
            self.engine,
            Grants(self.book.grants(), self.book.grant),
            self.dialogs,
            self.consent,
            Desk(options.downloads, options.transfer_key),
            Shown(
                lambda part: show(f"{self._address_of_pages()}/{window.address(part)}"),
                lambda folder: opener(str(folder)),
            ),
            options.known_hosts,
        )
        own: Any = Resource()
        own.putChild(b"dialog", pages)
        own.putChild(b"window", window)
        rpc = RpcFace(self.service, options.desktop_version)
        connect = ConnectFace(self.service, options.connect_version)
        self.pages_port = self._listen(own, (0,), open_to_pages=False)
        self.rpc_port = self._listen(RpcResource(rpc, self.engine, reactor), options.rpc_ports)
        self.connect_port = self._listen(ConnectResource(connect), options.connect_ports)
        self.engine.restore(self.service.planner)
        self._write_ports()

    def stop(self) -> Deferred[Any]:
        """Listen no more, end what runs (it goes on in the next life), and fire when all is done."""
        for file in (self._ports_file, *self._uri_files):
            file.unlink(missing_ok=True)
        ended = [port.stopListening() for port in self._listening]
        done = gatherResults([*(each for each in ended if each is not None), self.engine.close()])
        return done.addBoth(self._let_go)

    def _let_go(self, result: Any) -> Any:
        self.book.close()
        os.close(self._lock)
        return result

    def _address_of_pages(self) -> str:
        return f"http://{ADDRESS}:{self.pages_port}"

    def _listen(self, root: Resource, ports: Sequence[int], *, open_to_pages: bool = True) -> int:
        site = ClientSite(root, self._reactor, open_to_pages=open_to_pages)
        for port in ports:
            try:
                listening = self._reactor.listenTCP(port, site, 50, ADDRESS)
            except CannotListenError:
                continue
            self._listening.append(listening)
            site.port = listening.getHost().port
            return site.port
        raise CannotStart(f"none of the ports {ports[0]} to {ports[-1]} of {ADDRESS} is free")

    def _write_ports(self) -> None:
        ports = {
            "rpc": self.rpc_port,
            "connect": self.connect_port,
            "pages": self.pages_port,
            "pid": os.getpid(),
        }
        for file in self._uri_files:
            file.parent.mkdir(parents=True, exist_ok=True)
            _replace(file, f"http://{ADDRESS}:{self.connect_port}\n")
        _replace(self._ports_file, json.dumps(ports))


def _replace(file: Path, text: str) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(text)
    draft.replace(file)


def _presenter(reactor: Any, options: Options, pages: Pages) -> Presenter:
    program = native.find(os.environ) if options.native_dialogs else None
    if program is None:
        return pages
    log.info("questions are put by %s", program)
    return native.NativeDialogs(reactor, program)


def _lock(folder: Path) -> int:
    """Hold the folder for this client. CannotStart when another one does."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise CannotStart(f"another transfer client of {folder} is running") from None
    return lock
