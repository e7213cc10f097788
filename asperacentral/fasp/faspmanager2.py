"""The functions of IBM's module `faspmanager2`, on our FASP Manager: programs written for that one run on this one.

A transfer is started from a transfer spec and reported as the raw text of management messages, in order, by a thread of
its own for each transfer, so that a listener may wait. One transfer may have several sessions; the messages of all of
them carry the transfer's id as their UserStr. `install` puts the module under its usual names.
"""
# ruff: noqa: N802, N803 - the names are the other module's

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import types
import uuid
from concurrent.futures import Future
from pathlib import Path

from asperacentral.fasp.errors import LaunchError
from asperacentral.fasp.library import transfer_spec
from asperacentral.fasp.library.jobs import JobResult
from asperacentral.fasp.library.manager import FaspManager
from asperacentral.fasp.management import LocalProtocolError, Message, MessageType, encode
from asperacentral.fasp.program import Program

__all__ = [
    "ITransferListener",
    "configureAsperaLocation",
    "configureLogLocation",
    "isRunning",
    "modifyTransfer",
    "startTransfer",
    "stopTransfer",
]

TARGET_RATE, MINIMUM_RATE, PRIORITY, PAUSE, RESUME = 1, 2, 3, 4, 5
"""What `modifyTransfer` can change: rates in Kbps, priority 1 (high) or 2 (regular), pausing."""

_PRIORITIES = {1: "high", 2: "fair"}

log = logging.getLogger(__name__)


class ITransferListener:
    """Who is told of a transfer."""

    def transferReporter(self, xferId: str, message: str) -> object:
        """One management message of the transfer, as text, header and all."""
        raise NotImplementedError


class _Transfer:
    """One transfer: its jobs, and the thread that reports."""

    def __init__(self, xfer_id: str, listener: ITransferListener) -> None:
        self.id = xfer_id
        self.jobs: list[str] = []
        self.open = 0
        self._listener = listener
        self._heard: set[str] = set()
        self._ended: set[str] = set()
        self._reports: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._report_all, name=f"transfer {xfer_id}", daemon=True).start()

    def hear(self, job_id: str, message: Message) -> None:
        """Pass a message on, as one of this transfer."""
        self._heard.add(job_id)
        if message.type in {MessageType.DONE, MessageType.ERROR}:
            self._ended.add(job_id)
        text = encode(Message(message.type, {**message.fields, "UserStr": self.id}))
        self._reports.put(text.decode("utf-8", "surrogateescape"))

    def end(self, ended: Future[JobResult]) -> None:
        """A job ended; one that never said so gets its last word from here."""
        result = ended.result()
        session = {"SessionId": result.statistics.session_id or str(uuid.uuid4())}
        if result.job_id not in self._heard:
            self.hear(result.job_id, Message(MessageType.INIT, session))
        if result.job_id not in self._ended:
            told = {"Code": str(result.code), "Description": " ".join(result.description.split())}
            moved = {"TransferBytes": str(result.statistics.transferred_bytes)}
            self.hear(result.job_id, Message(MessageType.ERROR, {**session, **told, **moved}))
        self.open -= 1
        if not self.open:
            self._reports.put(None)

    def abandon(self, manager: FaspManager) -> None:
        """It could not be started as a whole: end what was."""
        for job in self.jobs:
            manager.cancel_job(job)
        self._reports.put(None)

    def _report_all(self) -> None:
        while (text := self._reports.get()) is not None:
            try:
                self._listener.transferReporter(self.id, text)
            except Exception:
                log.exception("the listener of transfer %s failed", self.id)


class _House:
    """What the functions of the module share."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.program = Program.openascp()
        self.log_options: tuple[str, ...] = ()
        self.transfers: dict[str, _Transfer] = {}
        self._manager: FaspManager | None = None
        self._made_for: Program | None = None

    def manager(self) -> FaspManager:
        """The manager, made when it is first needed."""
        if self._manager is None:
            self._manager = FaspManager(program=self.program)
            self._made_for = self.program
        elif self._made_for != self.program and not any(each.open for each in self.transfers.values()):
            self._manager.close()
            self._manager = None
            return self.manager()
        return self._manager


_house = _House()


def configureAsperaLocation(directory: str) -> bool:
    """Take the `ascp` in this directory, or in its `bin`, for transfers that come; our own program if there is none."""
    with _house.lock:
        _house.program = Program.openascp()
        for path in (Path(directory, "ascp"), Path(directory, "bin", "ascp")):
            if path.is_file() and os.access(path, os.X_OK):
                _house.program = Program.ascp(str(path))
    return True


def configureLogLocation(directory: str) -> bool:
    """Have transfer processes log in this directory; False if that is none that can be written."""
    if not directory or not Path(directory).is_dir() or not os.access(directory, os.W_OK):
        return False
    with _house.lock:
        _house.log_options = ("-L", directory)
    return True


def startTransfer(xferId: str, configuration: object, transferSpec: str, listener: ITransferListener) -> int:
    """Start a transfer and return 0; how it goes is reported to `listener`. `configuration` is not used.

    ValueError when the id is in use, the spec cannot be carried out or its process cannot be started.
    """
    if (
        not xferId
        or len(xferId.splitlines()) > 1
        or not callable(getattr(listener, "transferReporter", None))
    ):
        raise ValueError("a transfer needs an id of one line and a listener with transferReporter")
    with _house.lock:
        if isRunning(xferId):
            raise ValueError(f"transfer {xferId} is under way already")
        orders = transfer_spec.orders(transfer_spec.read(transferSpec), _house.log_options)
        manager = _house.manager()
        transfer = _Transfer(xferId, listener)
        transfer.open = len(orders)
        try:
            for order in orders:
                transfer.jobs.append(manager.launch_job(order, raw=transfer.hear))
        except LaunchError as error:
            transfer.abandon(manager)
            raise ValueError(str(error)) from None
        _house.transfers[xferId] = transfer
        for job in transfer.jobs:
            manager.ended(job).add_done_callback(transfer.end)
    return 0


def modifyTransfer(xferId: str, option: int, value: int = 0) -> bool:
    """Change a running transfer, by the numbers above; False if it is over or the change is none."""
    with _house.lock:
        transfer = _house.transfers.get(xferId)
        if transfer is None:
            return False
        changed = [_modify(_house.manager(), job, option, value) for job in transfer.jobs]
    return all(changed)


def _modify(manager: FaspManager, job: str, option: int, value: int) -> bool:
    try:
        match option:
            case 1:
                return manager.control_job(job, target_rate=value)
            case 2:
                return manager.control_job(job, minimum_rate=value)
            case 3 if value in _PRIORITIES:
                return manager.control_job(job, policy=_PRIORITIES[value])
            case 4:
                return manager.pause_job(job)
            case 5:
                return manager.resume_job(job)
    except LocalProtocolError as error:
        log.warning("a change of transfer %s: %s", job, error)
    return False


def stopTransfer(xferId: str) -> bool:
    """Cancel a transfer if it runs, and forget it once it has ended. False if there is none."""
    with _house.lock:
        transfer = _house.transfers.get(xferId)
        if transfer is None:
            return False
        manager = _house.manager()
        for job in transfer.jobs:
            manager.cancel_job(job)
            manager.ended(job).add_done_callback(lambda _: _forget(transfer))
        return True


def isRunning(xferId: str) -> bool:
    """Whether a transfer is under way."""
    transfer = _house.transfers.get(xferId)
    return transfer is not None and transfer.open > 0


def _forget(transfer: _Transfer) -> None:
    if not transfer.open and _house.transfers.get(transfer.id) is transfer:
        del _house.transfers[transfer.id]


def install() -> None:
    """Have `import faspmanager2` and `from cos_aspera import faspmanager2` find this module."""
    module = sys.modules[__name__]
    package = types.ModuleType("cos_aspera", "Stands for the package that programs look for.")
    package.__path__ = []
    package.faspmanager2 = module  # type: ignore[attr-defined]
    sys.modules["faspmanager2"] = module
    sys.modules["cos_aspera"] = package
    sys.modules["cos_aspera.faspmanager2"] = module
