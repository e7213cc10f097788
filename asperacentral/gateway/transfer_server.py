"""The back end of a transfer server: what a transfer spec names is reached with openascp, by the FASP Manager library.

An upload is one persistent session. It is begun before anything is read of the body, so that the server has proved the
token by then; each file is staged, given to the session when it is whole, and removed when it was passed on, while the
next one comes already. A download is fetched into the staging folder and sent from there. The HTTP side alone is told
to the Central of this machine; the server's own Central hears of the other from the server half.

Only servers that the configuration names are reached: the gateway is no way into a network.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure as TwistedFailure

from asperacentral.fasp.errors import FaspCode, LaunchError, known
from asperacentral.fasp.library.events import EventKind, TransferEvent
from asperacentral.fasp.library.jobs import JobResult
from asperacentral.fasp.library.manager import FaspManager
from asperacentral.fasp.library.orders import JobOrder, Location, OrderError, TransferParameters
from asperacentral.fasp.library.retry import NO_RETRY
from asperacentral.gateway.authority import NotAuthorizedError
from asperacentral.gateway.backends import Offered
from asperacentral.gateway.docroot import DocrootSelection
from asperacentral.gateway.errors import TransferRefusedError
from asperacentral.gateway.spec import TransferSpec
from asperacentral.gateway.staging import Room, Staging
from asperacentral.openascp.confined import confined
from asperacentral.openascp.failures import Failure, SessionFailure

USUAL_PORTS = (22, 33001)
"""Ports of SSH that a server has which is named without one."""
USUAL_RATE = 1_000_000
"""Kbps of the session with the server when the transfer spec says none: the browser's connection is the bottleneck."""
QUIET = "--no-mgmt-port-files"

log = logging.getLogger(__name__)


class TransferServers:
    """The servers that one gateway may reach, `HOST` or `HOST:PORT`; `key` is the private key shown to them.

    `manager` is made when it is needed first: most gateways have a docroot only.
    """

    def __init__(
        self, servers: Collection[str], key: Path | None, staging: Staging, manager: Callable[[], FaspManager]
    ) -> None:
        self._servers = frozenset(server.lower() for server in servers)
        self._key = key
        self._staging = staging
        self._make_manager = manager
        self._manager: FaspManager | None = None

    def has(self, spec: TransferSpec) -> bool:
        """Whether a spec is for one of them; else it is for the docroot."""
        host = spec.host.lower()
        return f"{host}:{spec.port}" in self._servers or (host in self._servers and spec.port in USUAL_PORTS)

    def receiver(self, spec: TransferSpec) -> ServerReceiver:
        """Begin an upload. NotAuthorizedError, TransferRefusedError, Failure."""
        far = self._far(spec, "/")
        order = self._order(Location.local(), far, spec, persistent=True)
        return ServerReceiver(self._running(), order, self._staging.room())

    def selection(self, spec: TransferSpec) -> Deferred[ServerSelection]:
        """Fetch what a download brings. Fails with Failure; errors as above."""
        sources = tuple("/" + os.fsdecode(source) for source in spec.sources())
        room = self._staging.room()
        try:
            order = self._order(
                self._far(spec, *sources),
                Location.local(room.folder),
                spec,
                names=tuple(s[1:] for s in sources),
            )
            fetching = _Fetch(self._running(), order, room)
        except BaseException:
            room.close()
            raise
        return fetching.done.addCallback(lambda _: ServerSelection(room, spec))

    def close(self) -> Deferred[None]:
        """End what is under way."""
        return succeed(None) if self._manager is None else self._manager.shut_down()

    def _running(self) -> FaspManager:
        if self._manager is None:
            self._manager = self._make_manager()
        return self._manager

    def _far(self, spec: TransferSpec, *paths: str) -> Location:
        if not spec.token:
            raise NotAuthorizedError("the transfer spec has no token")
        if not spec.user:
            raise NotAuthorizedError("the transfer spec names no remote_user")
        return Location.remote(
            spec.host,
            *paths,
            user=spec.user,
            key_path=self._key or "",
            port=spec.port,
            token=spec.token,
        )

    def _order(
        self,
        source: Location,
        destination: Location,
        spec: TransferSpec,
        *,
        names: tuple[str, ...] = (),
        persistent: bool = False,
    ) -> JobOrder:
        parameters = TransferParameters(
            target_rate=spec.target_rate or USUAL_RATE,
            overwrite="never" if spec.overwrite == "never" else "always",
            create_path=True,
            cookie=spec.cookie,
            persistent=persistent,
            more_options=(QUIET,),
        )
        try:
            return JobOrder(source, destination, parameters, NO_RETRY, names=names)
        except OrderError as error:
            raise TransferRefusedError(400, str(error)) from None


def _launched(manager: FaspManager, order: JobOrder, listener: Callable[[TransferEvent], None]) -> str:
    try:
        return manager.launch_job(order, listener)
    except LaunchError as error:
        log.error("the transfer process cannot be started: %s", error)
        raise SessionFailure(FaspCode.ASCP) from None


def _failure(result: JobResult) -> Failure:
    """Why a job failed, in the words of its session."""
    code = known(result.code)
    return SessionFailure(code, f"the transfer server: {result.description or code.meaning}")


class ServerReceiver:
    """See `backends.Receiver`."""

    def __init__(self, manager: FaspManager, order: JobOrder, room: Room) -> None:
        self._manager = manager
        self._room = room
        self._connected = False
        self._waiting: Deferred[None] | None = None
        self._staged: dict[str, tuple[Path, int]] = {}
        self._number = 0
        self._open: tuple[Path, bytes, int] | None = None
        self._size = 0
        self._failed: Failure | None = None
        self._finished: Deferred[None] | None = None
        self._over = False
        self._gone = False
        try:
            self._job = _launched(manager, order, self._hear)
        except BaseException:
            room.close()
            raise
        manager.deferred_end(self._job).addCallback(self._ended)

    def begin(self, path: bytes, size: int | None) -> None:
        """See there."""
        self._raise_if_failed()
        file = self._room.folder / str(self._number)
        self._number += 1
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._open, self._size = (file, path, descriptor), 0

    def write(self, data: bytes) -> None:
        """See there."""
        self._raise_if_failed()
        if self._open is None:
            return
        self._room.take(len(data))
        self._size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._open[2], view) :]

    def end(self) -> None:
        """See there."""
        if self._open is None:
            return
        file, path, descriptor = self._open
        self._open = None
        os.close(descriptor)
        self._raise_if_failed()
        self._staged[str(file)] = file, self._size
        self._manager.add_source(self._job, str(file), "/" + os.fsdecode(path))

    def behind(self) -> Deferred[None] | None:
        """See there: until the server has let us in, and while much is staged that was not passed on."""
        if self._failed is not None:
            raise self._failed
        if self._connected and not (self._room.crowded and self._staged):
            return None
        if self._waiting is None:
            self._waiting = Deferred()
        return self._waiting

    def finish(self) -> Deferred[None]:
        """See there."""
        self._raise_if_failed()
        self._finished = Deferred()
        self._manager.lock_job(self._job)
        return self._finished

    def abandon(self) -> None:
        """See there."""
        if self._open is not None:
            os.close(self._open[2])
            self._open = None
        if not self._over:
            self._over = True
            if not self._gone:
                self._manager.cancel_job(self._job)
            self._room.close()

    def _hear(self, event: TransferEvent) -> None:
        if event.kind is EventKind.SESSION_START:
            self._connected = True
        elif event.kind is EventKind.ARG_STOP and event.message is not None:
            staged = self._staged.pop(event.message.text("Source"), None)
            if staged is not None and not self._over:
                self._room.remove(*staged)
        else:
            return
        self._go_on()

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if self._failed is not None:
            waiting.errback(self._failed)
        else:
            waiting.callback(None)

    def _ended(self, result: JobResult) -> None:
        self._gone = True
        self._manager.remove_job(self._job)
        if self._over:
            return
        if not result.ok or self._finished is None:
            self._failed = _failure(result)
        else:
            self._over = True
            self._room.close()
        self._go_on()
        if self._finished is not None:
            finished, self._finished = self._finished, None
            if self._failed is None:
                finished.callback(None)
            else:
                finished.errback(self._failed)

    def _raise_if_failed(self) -> None:
        if self._failed is not None:
            raise self._failed


class _Fetch:
    """One pull into a room; `done` fires when everything is there. What grows beyond the limit is cancelled."""

    def __init__(self, manager: FaspManager, order: JobOrder, room: Room) -> None:
        self._manager = manager
        self._room = room
        self._too_much: Failure | None = None
        self.done: Deferred[None] = Deferred(self._cancel)
        self._job = _launched(manager, order, self._hear)
        manager.deferred_end(self._job).addCallback(self._ended)

    def _hear(self, event: TransferEvent) -> None:
        statistics = event.statistics
        size = max(statistics.transferred_bytes, statistics.total_bytes or 0)
        try:
            if size > self._room.taken and self._too_much is None:
                self._room.take(size - self._room.taken)
        except Failure as failure:
            self._too_much = failure
            self._manager.cancel_job(self._job)

    def _cancel(self, _: Deferred[None]) -> None:
        self._manager.cancel_job(self._job)

    def _ended(self, result: JobResult) -> None:
        self._manager.remove_job(self._job)
        if result.ok and not self.done.called:
            self.done.callback(None)
            return
        self._room.close()
        if not self.done.called:
            self.done.errback(TwistedFailure(self._too_much or _failure(result)))


class ServerSelection:
    """See `backends.Selection`: what was fetched."""

    def __init__(self, room: Room, spec: TransferSpec) -> None:
        self._room = room
        try:
            self._found: Any = DocrootSelection(confined(os.fsencode(room.folder)), spec)
        except BaseException:
            room.close()
            raise
        self.files: Sequence[Offered] = self._found.files
        self.alone: bool = self._found.alone
        self.refused: Sequence[tuple[bytes, str]] = self._found.refused

    def close(self) -> None:
        """See there."""
        self._found.close()
        self._room.close()
