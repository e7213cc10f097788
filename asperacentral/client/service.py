"""What both faces can ask for: transfers, dialogs, files that were given, windows. Every call says who makes it.

Nothing but looking at the client itself and at one's own transfers is done for a page before the user has allowed its
site. A page sees the transfers of its own origin only.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.threads import deferToThread

from asperacentral.client import files, servers
from asperacentral.client.consent import Consent
from asperacentral.client.dialogs import Dialogs, Kind, Question
from asperacentral.client.engine import Engine, Entry
from asperacentral.client.errors import BadRequest, ClientError, UnknownTransfer
from asperacentral.client.grants import Grants
from asperacentral.client.origins import Caller
from asperacentral.client.page_spec import Desk, Plan, plan
from asperacentral.client.transfer import Transfer, without_secrets
from asperacentral.fasp import FileState, OrderError
from asperacentral.fasp.management import LocalProtocolError

T = TypeVar("T")
MOST_SESSIONS = 100
MOST_QUEUED = 1000
"""Transfers of one origin that have not ended."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """How the client shows things: its own window by the part asked for, and a folder or file of the user's."""

    window: Callable[[str], None]
    folder: Callable[[Path], None]


class Service:
    """One user's client. Methods that may have to ask the user are coroutines; all raise ClientError."""

    def __init__(
        self,
        engine: Engine,
        grants: Grants,
        dialogs: Dialogs,
        consent: Consent,
        desk: Desk,
        shown: Shown,
        known_hosts: Path,
    ) -> None:
        self.engine = engine
        self.consent = consent
        self._grants = grants
        self._dialogs = dialogs
        self._desk = desk
        self._shown = shown
        self._known_hosts = known_hosts
        self._sessions: dict[str, None] = {}

    # Sessions of several users' clients: a page has ours started with a number, and looks which client knows it.

    def register_session(self, session_id: str) -> None:
        """Know the number of a page that had this client started."""
        self._sessions[session_id] = None
        while len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]

    def knows_session(self, session_id: str) -> bool:
        """Whether a page that gives this number had this client started."""
        return session_id in self._sessions

    # Transfers.

    async def start(
        self,
        caller: Caller,
        app_id: str,
        spec: Mapping[str, Any],
        *,
        absolute: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> Transfer:
        """Take a transfer; it is carried out whatever happens to the client when this returns."""
        await self.consent.need(caller)
        open_ones = sum(each.origin == caller.origin and not each.ended for each in self.engine.all())
        if open_ones >= MOST_QUEUED:
            raise ClientError(f"there are {open_ones} transfers of this page already")
        number = str(uuid.uuid4())
        tagged = _tagged(dict(spec), number)
        made = plan(tagged, caller, self._grants, self._desk, job_id=number, absolute=absolute)
        kept = {**(settings or {}), "use_absolute_destination_path": absolute}
        transfer = Transfer(
            number, caller.origin, app_id, without_secrets(tagged), time.time(), settings=kept
        )
        log.info("transfer %s for %s", number, caller)
        return self.engine.add(transfer, tagged, made)

    def planner(self, transfer: Transfer, spec: Mapping[str, Any]) -> Plan:
        """The plan of a transfer of an earlier life of the client."""
        caller = Caller(transfer.origin)
        absolute = bool(transfer.settings.get("use_absolute_destination_path"))
        return plan(spec, caller, self._grants, self._desk, job_id=transfer.uuid, absolute=absolute)

    def seen_by(self, caller: Caller, app_id: str | None) -> list[Transfer]:
        """The caller's transfers, of one application or all."""
        everything = self.engine.all()
        return [each for each in everything if each.origin == caller.origin and app_id in (None, each.app_id)]

    def find(self, caller: Caller, transfer_id: str) -> Entry:
        """A transfer of the caller's. UnknownTransfer."""
        entry = self.engine.find(transfer_id)
        if entry is None or entry.transfer.origin != caller.origin:
            raise UnknownTransfer(f"there is no transfer {transfer_id[:100]!r}")
        return entry

    async def stop(self, caller: Caller, transfer_id: str) -> None:
        """Move no more of it for now."""
        await self.consent.need(caller)
        self.engine.stop(self.find(caller, transfer_id))

    async def remove(self, caller: Caller, transfer_id: str) -> None:
        """Take it off the list."""
        await self.consent.need(caller)
        self.engine.remove(self.find(caller, transfer_id))

    async def resume(self, caller: Caller, transfer_id: str, changes: Mapping[str, Any]) -> Transfer:
        """Go on with one that was stopped or failed, with these fields of its spec changed."""
        await self.consent.need(caller)
        entry = self.find(caller, transfer_id)
        spec = {**entry.spec, **{name: value for name, value in changes.items() if value is not None}}
        absolute = bool(entry.transfer.settings.get("use_absolute_destination_path"))
        made = plan(spec, caller, self._grants, self._desk, job_id=transfer_id, absolute=absolute)
        return self.engine.resume(entry, spec, made)

    async def modify(self, caller: Caller, transfer_id: str, changes: Mapping[str, Any]) -> Transfer:
        """Change its rates (`target_rate_kbps`, `min_rate_kbps`) and its `rate_policy`."""
        await self.consent.need(caller)
        entry = self.find(caller, transfer_id)
        target, minimum = (_rate(changes, name) for name in ("target_rate_kbps", "min_rate_kbps"))
        policy = changes.get("rate_policy")
        if policy is not None and not isinstance(policy, str):
            raise BadRequest("rate_policy is a text")
        try:
            return self.engine.modify(entry, target, minimum, "low" if policy == "trickle" else policy)
        except (OrderError, LocalProtocolError) as problem:
            raise BadRequest(str(problem)) from None

    def files(self, caller: Caller, transfer_id: str, offset: int, limit: int) -> dict[str, Any]:
        """A part of the files of a transfer."""
        entry = self.find(caller, transfer_id)
        if offset < 0 or not 0 < limit <= 1000:
            raise BadRequest("a page of files has an offset and a limit of 1 to 1000")
        known = self.engine.files(entry)
        shown = []
        for file in known[offset : offset + limit]:
            name = entry.plan.name_of(file.name) if entry.plan else Path(file.name).name
            told: dict[str, Any] = {
                "file": name,
                "bytes_written": file.size if file.state is FileState.FINISHED else file.written,
                "bytes_expected": file.size,
                "elapsed_usec": entry.transfer.elapsed,
                "status": _FILE_STATUS[file.state],
            }
            if file.state is FileState.FAILED:
                told["error"] = {"code": file.error_code, "message": file.error_description}
            shown.append(told)
        return {"entries": shown, "total_count": len(known), "limit": limit, "offset": offset}

    # Dialogs.

    async def choose(
        self,
        caller: Caller,
        kind: Kind,
        *,
        multiple: bool = False,
        suggested: str = "",
        suffixes: Sequence[str] = (),
        wanted: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Have the user choose; what was chosen, by names that the caller may use. DialogCancelled."""
        await self.consent.need(caller)
        question = Question(
            kind, str(caller), multiple, _file_name(suggested), tuple(suffixes), tuple(wanted)
        )
        answer = await self._dialogs.ask(question)
        names = [str(path) for path in answer.paths]
        if caller.is_page:
            names = self._grants.give(caller.origin, answer.paths, to_save=kind is Kind.SAVE)
        return [files.described(path, name) for path, name in zip(answer.paths, names, strict=True)]

    # Files that were given.

    async def read(
        self, caller: Caller, name: str, offset: int = 0, size: int | None = None
    ) -> dict[str, str]:
        """Bytes of a file."""
        return await self._slowly(caller, name, files.read, offset, size)

    async def checksum(
        self, caller: Caller, name: str, offset: int, size: int, method: str
    ) -> dict[str, str]:
        """The digest of a file, or of a part."""
        return await self._slowly(caller, name, files.checksum, offset, size, method)

    async def directory(self, caller: Caller, name: str, depth: int | None) -> dict[str, Any]:
        """What is in a folder."""
        return await self._slowly(caller, name, files.directory, depth)

    async def _slowly(self, caller: Caller, name: str, work: Callable[..., T], *arguments: Any) -> T:
        await self.consent.need(caller)
        path = self._grants.find(caller.origin, name) if caller.is_page else Path(name)
        found: T = await deferToThread(work, path, *arguments)
        return found

    # Servers.

    async def reach(self, caller: Caller, host: str, port: int, seconds: float) -> None:
        """See whether a port of a server answers."""
        await self.consent.need(caller)
        await deferToThread(_run, lambda: servers.reach(host, port, seconds))

    async def log_in(self, caller: Caller, spec: Mapping[str, Any]) -> None:
        """See whether the server of a spec lets its user in."""
        await self.consent.need(caller)
        some_path = {"direction": "receive", "paths": [{"source": "."}]}
        far = {name: spec[name] for name in _SERVER_FIELDS if name in spec}
        made = plan({**far, **some_path}, caller, self._grants, self._desk, job_id=str(uuid.uuid4()))
        await deferToThread(_run, lambda: servers.log_in(made.order, self._known_hosts))

    # Windows.

    async def show(self, caller: Caller, part: str) -> None:
        """Show the client's own window."""
        await self.consent.need(caller)
        self._shown.window(part)

    async def show_folder(self, caller: Caller, transfer_id: str) -> None:
        """Show the user the folder where a transfer's files are on this machine."""
        await self.consent.need(caller)
        entry = self.find(caller, transfer_id)
        made = entry.plan or self.planner(entry.transfer, entry.spec)
        source, destination = made.order.source, made.order.destination
        path = Path(destination.paths[0] if source.is_remote else source.paths[0])
        self._shown.folder(path if path.is_dir() else path.parent)


_SERVER_FIELDS = ("remote_host", "remote_user", "remote_password", "ssh_port", "sshfp", "token")
_FILE_STATUS = {
    FileState.TRANSFERRING: "running",
    FileState.FINISHED: "completed",
    FileState.FAILED: "failed",
    FileState.SKIPPED: "skipped",
}


def _run(work: Callable[[], Awaitable[None]]) -> None:
    """Have asyncio's part of the work done in a thread of its own."""

    async def whole() -> None:
        await work()

    asyncio.run(whole())


def _tagged(spec: dict[str, Any], number: str) -> dict[str, Any]:
    """The spec with the transfer's number in its tags, as servers tell it in their reports."""
    tags = spec.get("tags")
    if tags is None and "tags64" in spec:
        return spec
    if not isinstance(tags, dict | None) or not isinstance((tags or {}).get("aspera"), dict | None):
        raise BadRequest("the transfer spec's tags have a wrong type")
    aspera = (tags or {}).get("aspera") or {}
    return {**spec, "tags": {**(tags or {}), "aspera": {**aspera, "xfer_id": number}}}


def _rate(changes: Mapping[str, Any], name: str) -> int | None:
    value = changes.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise BadRequest(f"{name} is a number of Kbps")
    if name == "target_rate_kbps" and value < 1:
        raise BadRequest("a target rate is at least 1 Kbps; stop_transfer stops a transfer")
    return int(value)


def _file_name(suggested: str) -> str:
    """The last part of a name that a page suggests, harmless."""
    name = "".join(character for character in suggested if character.isprintable())
    name = name.replace("\\", "/").rpartition("/")[2][:200]
    return "" if name in (".", "..") else name
