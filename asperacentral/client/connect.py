"""Connect's local HTTP API: what Aspera Connect answers on 33003 to 33022, each path as a call of the service.

Paths lie below `/v5/connect`. Bodies are JSON whatever their type says. Errors are told in Connect's form, with the
HTTP status as their code. Knows no transport.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asperacentral.client import jsonrpc
from asperacentral.client.dialogs import Kind
from asperacentral.client.errors import (
    BAD_REQUEST,
    CANCELLED,
    NOT_PERMITTED,
    UNKNOWN_TRANSFER,
    BadRequest,
    ClientError,
)
from asperacentral.client.jsonrpc import RpcError
from asperacentral.client.origins import Caller
from asperacentral.client.parameters import Parameters
from asperacentral.client.rpc import checksum, choose, chosen, dropped, read_chunk
from asperacentral.client.service import Service
from asperacentral.client.transfer import Status, Transfer

PREFIX = "/v5/connect/"
MOST_REMOVED = 1000
MOST_STARTED = 100
"""Transfers in one request to start."""
_HTTP = {NOT_PERMITTED: 403, UNKNOWN_TRANSFER: 404, BAD_REQUEST: 400, CANCELLED: 400}

log = logging.getLogger(__name__)

Call = Callable[[Caller, Parameters, str], Awaitable[Any]]
"""Answers a caller's body; the text is what follows the path."""


class ConnectFace:
    """Answers requests. `version` is the one of Connect that pages are told."""

    def __init__(self, service: Service, version: str) -> None:
        self._service = service
        self._version = version
        self._removed: OrderedDict[str, Transfer] = OrderedDict()
        service.engine.listen(self._remember_removed)
        self._calls: Mapping[tuple[str, str], Call] = {
            ("GET", "info/ping"): self._nothing,
            ("GET", "info/version"): self._tell_version,
            ("POST", "info/authenticate"): self._authenticate,
            ("POST", "info/ports"): self._ports,
            ("POST", "transfers/start"): self._start,
            ("POST", "transfers/activity"): self._activity,
            ("POST", "transfers/info"): self._info,
            ("POST", "transfers/modify"): self._modify,
            ("POST", "transfers/stop"): self._stop,
            ("POST", "transfers/remove"): self._remove,
            ("POST", "transfers/resume"): self._resume,
            ("POST", "windows/select-open-file-dialog"): self._dialog(Kind.FILES),
            ("POST", "windows/select-open-folder-dialog"): self._dialog(Kind.FOLDER),
            ("POST", "windows/select-save-file-dialog"): self._dialog(Kind.SAVE),
            ("GET", "windows/about"): self._window("about"),
            ("GET", "windows/preferences"): self._window("sites"),
            ("GET", "windows/transfer-manager"): self._window("transfers"),
            ("GET", "windows/transfer-monitor"): self._window("transfers"),
            ("GET", "windows/finder"): self._finder,
            ("POST", "file/read-as-array-buffer"): self._read,
            ("POST", "file/read-chunk-as-array-buffer"): self._read_chunk,
            ("POST", "file/checksum"): self._checksum,
            ("POST", "file/dropped-files"): self._dropped,
            ("GET", "file/initialize-drag-drop"): self._nothing,
            ("POST", "update/require"): self._update,
        }

    async def answer(self, caller: Caller, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """The status and the JSON value for a request."""
        place = path.removeprefix(PREFIX).strip("/") if path.startswith(PREFIX) else ""
        name, _, last = place.rpartition("/")
        found = self._calls.get((method, place)), self._calls.get((method, name))
        call, rest = (found[0], "") if found[0] else (found[1], last)
        if call is None:
            return 404, _error(404, f"there is no {method} {path[:200]}")
        try:
            return 200, await call(
                caller, Parameters.of(jsonrpc.document(body) if body.strip() else {}), rest
            )
        except RpcError as problem:
            return 400, _error(400, problem.message)
        except ClientError as problem:
            log.info("refused %s of %s: %s", place, caller, problem)
            status = _HTTP.get(problem.code, 500)
            return status, _error(status, str(problem))

    async def _nothing(self, _: Caller, __: Parameters, ___: str) -> dict[str, Any]:
        return {}

    async def _tell_version(self, _: Caller, __: Parameters, ___: str) -> dict[str, Any]:
        return {"version": self._version, "system_wide": False}

    async def _authenticate(self, caller: Caller, given: Parameters, _: str) -> dict[str, Any]:
        await self._service.log_in(caller, given.table("transfer_spec", optional=True) or given.values)
        return {}

    async def _ports(self, caller: Caller, given: Parameters, _: str) -> dict[str, Any]:
        host, port = given.text("remote_host"), given.number("ssh_port", 33001)
        await self._service.reach(caller, host, port, given.number("timeout_sec", 3))
        return {}

    async def _start(self, caller: Caller, given: Parameters, _: str) -> dict[str, Any]:
        wanted = given.several("transfer_specs")
        if not 0 < len(wanted) <= MOST_STARTED:
            raise BadRequest(f"a request starts 1 to {MOST_STARTED} transfers")
        common = given.table("aspera_connect_settings", optional=True)
        started = []
        for number, each in enumerate(wanted):
            own = {**common, **each.table("aspera_connect_settings", optional=True)}
            settings = Parameters(own, "aspera_connect_settings.")
            transfer = await self._service.start(
                caller,
                settings.text("app_id", ""),
                each.table("transfer_spec"),
                absolute=settings.flag("use_absolute_destination_path"),
                settings={name: own[name] for name in _KEPT if isinstance(own.get(name), str)},
            )
            started.append(_started(transfer, number))
        return {"transfer_specs": started}

    async def _activity(self, caller: Caller, given: Parameters, _: str) -> dict[str, Any]:
        since = given.number("iteration_token", 0)
        app_id = _app_id(given)
        # Who asks for the first time knows of none that could have gone.
        gone = [each for each in self._removed.values() if each.origin == caller.origin and since]
        own = [
            *self._service.seen_by(caller, app_id),
            *(each for each in gone if app_id in (None, each.app_id)),
        ]
        news = sorted((each for each in own if each.change > since), key=lambda each: each.change)
        token = max([since, *(each.change for each in news)])
        shown = [each.seen() for each in news]
        return {"iteration_token": token, "result_count": len(shown), "transfers": shown}

    async def _info(self, caller: Caller, _: Parameters, number: str) -> dict[str, Any]:
        return {"transfer_info": self._service.find(caller, number).transfer.seen()}

    async def _modify(self, caller: Caller, given: Parameters, number: str) -> dict[str, Any]:
        await self._service.modify(caller, number, given.values)
        return {}

    async def _stop(self, caller: Caller, _: Parameters, number: str) -> dict[str, Any]:
        await self._service.stop(caller, number)
        return {}

    async def _remove(self, caller: Caller, _: Parameters, number: str) -> dict[str, Any]:
        await self._service.remove(caller, number)
        return {}

    async def _resume(self, caller: Caller, given: Parameters, number: str) -> dict[str, Any]:
        changes = {name: value for name, value in given.values.items() if name not in _OF_THE_PAGE}
        transfer = await self._service.resume(caller, number, changes)
        return {"transfer_spec": {**transfer.spec, "uuid": transfer.uuid}}

    def _dialog(self, kind: Kind) -> Call:
        async def ask(caller: Caller, given: Parameters, _: str) -> dict[str, Any]:
            return chosen(await choose(self._service, caller, kind, given))

        return ask

    def _window(self, part: str) -> Call:
        async def show(caller: Caller, _: Parameters, __: str) -> dict[str, Any]:
            await self._service.show(caller, part)
            return {}

        return show

    async def _finder(self, caller: Caller, _: Parameters, number: str) -> dict[str, Any]:
        await self._service.show_folder(caller, number)
        return {}

    async def _read(self, caller: Caller, given: Parameters, _: str) -> dict[str, str]:
        return await self._service.read(caller, given.text("path"))

    async def _read_chunk(self, caller: Caller, given: Parameters, _: str) -> dict[str, str]:
        return await read_chunk(self._service, caller, given)

    async def _checksum(self, caller: Caller, given: Parameters, _: str) -> dict[str, str]:
        return await checksum(self._service, caller, given)

    async def _dropped(self, caller: Caller, given: Parameters, _: str) -> dict[str, Any]:
        return chosen(await dropped(self._service, caller, given.inner("dataTransfer", optional=True)))

    async def _update(self, caller: Caller, given: Parameters, _: str) -> dict[str, Any]:
        """A page wants a newer Connect. The user is told; nothing is fetched from where the page says."""
        log.warning("%s wants Connect %.20s or newer", caller, given.text("min_version", ""))
        if self._service.consent.is_allowed(caller):
            await self._service.show(caller, "outdated")
        return {}

    def _remember_removed(self, transfer: Transfer) -> None:
        if transfer.status is Status.REMOVED:
            self._removed[transfer.uuid] = transfer
            if len(self._removed) > MOST_REMOVED:
                self._removed.popitem(last=False)


_KEPT = ("request_id", "back_link")
_OF_THE_PAGE = ("aspera_connect_settings", "authorization_key")
"""What bodies say of the page that asks."""


def _app_id(given: Parameters) -> str | None:
    return given.inner("aspera_connect_settings", optional=True).text("app_id", "") or None


def _started(transfer: Transfer, number: int) -> dict[str, Any]:
    settings = {"app_id": transfer.app_id, **transfer.settings}
    tags = {"aspera": {"index": number, "xfer_id": transfer.uuid, "xfer_retry": 3600}}
    return {
        "uuid": transfer.uuid,
        "transfer_spec": dict(transfer.spec),
        "aspera_connect_settings": settings,
        "tags": tags,
    }


def _error(code: int, text: str) -> dict[str, Any]:
    return {"error": {"code": code, "internal_message": text, "user_message": text}}
