"""JSON-RPC: the methods that pages call on IBM Aspera for desktop, each as a call of the service. Knows no transport.

A method's row says what it needs: `ask` is a coroutine or a plain function of the caller and the parameters.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from asperacentral.client import jsonrpc
from asperacentral.client.dialogs import Kind
from asperacentral.client.errors import BadRequest, ClientError
from asperacentral.client.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Call, RpcError
from asperacentral.client.origins import Caller
from asperacentral.client.parameters import Parameters
from asperacentral.client.service import Service

SUBSCRIBE = "subscribe_transfer_activity"
SUBSCRIPTION = "transfer_activity"
REGISTER = "initialize"
"""Our own: a program of the user passes on the address by which a page had the client started."""
PARTS = ("general", "transfers", "network", "bandwidth", "security", "sites")

log = logging.getLogger(__name__)

Method = Callable[[Caller, Parameters], Any]


class RpcFace:
    """Answers requests, whichever way they come. `versions` is what `get_info` tells."""

    def __init__(self, service: Service, version: str) -> None:
        self._service = service
        self._version = version
        self._methods: Mapping[str, Method] = {
            "get_info": lambda _, __: {"version": self._version},
            "rpc.discover": lambda _, __: self._discovery(),
            "init_drag_drop": lambda _, __: True,
            "verify_session": self._verify_session,
            SUBSCRIBE: lambda _, p: isinstance(p.text("app_id", ""), str),
            "start_transfer": self._start,
            "stop_transfer": lambda who, p: service.stop(who, p.text("transfer_id")),
            "remove_transfer": lambda who, p: service.remove(who, p.text("transfer_id")),
            "resume_transfer": self._resume,
            "modify_transfer": self._modify,
            "get_transfer": lambda who, p: service.find(who, p.text("transfer_id")).transfer.seen(),
            "get_all_transfers": self._get_all,
            "get_files_list": self._files,
            "show_file_dialog": self._file_dialog,
            "show_folder_dialog": self._folder_dialog,
            "show_save_file_dialog": self._save_dialog,
            "dropped_files": self._dropped,
            "read_as_array_buffer": lambda who, p: service.read(who, p.inner("request").text("path")),
            "read_chunk_as_array_buffer": self._read_chunk,
            "get_checksum": self._checksum,
            "read_directory": self._directory,
            "show_directory": lambda who, p: service.show_folder(who, p.text("transfer_id")),
            "show_transfer_monitor": lambda who, p: self._monitor(who, p.text("transfer_id")),
            "show_about": lambda who, _: service.show(who, "about"),
            "show_transfer_manager": lambda who, _: service.show(who, "transfers"),
            "open_preferences": lambda who, _: service.show(who, "sites"),
            "authenticate": lambda who, p: service.log_in(who, p.table("transfer_spec")),
            "test_ssh_ports": self._ports,
            "update_branding": lambda who, p: self._branding(p),
        }

    @property
    def methods(self) -> list[str]:
        """Their names."""
        return list(self._methods)

    async def answer(self, caller: Caller, text: bytes | str) -> tuple[str | None, Call | None]:
        """The answer to a request, None to a notification, and the request if it was one and went well."""
        call: Call | None = None
        try:
            call = jsonrpc.read(text)
            result = await self._result(caller, call)
        except RpcError as problem:
            log.info("refused %s of %s: %s", call.method if call else "a request", caller, problem.message)
            return jsonrpc.error(call.id if call else None, problem), None
        except Exception:
            log.exception("a request of %s failed", caller)
            return jsonrpc.error(call.id if call else None, RpcError(INTERNAL_ERROR, "internal error")), None
        return (jsonrpc.result(call.id, result) if call.wants_answer else None), call

    async def _result(self, caller: Caller, call: Call) -> Any:
        if call.method == REGISTER and not caller.is_page:
            return self._register(Parameters.of(call.params, ("session_id",)))
        method = self._methods.get(call.method)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"there is no method {call.method[:100]!r}")
        try:
            result = method(caller, Parameters.of(call.params, _POSITIONS.get(call.method, ())))
            if inspect.isawaitable(result):
                result = await result
        except BadRequest as problem:
            raise RpcError(INVALID_PARAMS, str(problem)) from None
        except ClientError as problem:
            raise RpcError(problem.code, str(problem)) from None
        return True if result is None else result

    def _discovery(self) -> dict[str, Any]:
        return jsonrpc.discovery("asperacentral transfer client", self._version, self.methods)

    def _register(self, given: Parameters) -> bool:
        self._service.register_session(given.text("session_id"))
        return True

    def _verify_session(self, _: Caller, given: Parameters) -> dict[str, bool]:
        return {"result": self._service.knows_session(given.text("session_id"))}

    async def _start(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        how = given.inner("desktop_spec", optional=True)
        transfer = await self._service.start(
            caller,
            given.text("app_id", ""),
            given.table("transfer_spec"),
            absolute=how.flag("use_absolute_destination_path"),
        )
        return transfer.seen()

    async def _resume(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        changes = given.table("transfer_spec", optional=True)
        return (await self._service.resume(caller, given.text("transfer_id"), changes)).seen()

    async def _modify(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        changes = given.table("transfer_spec")
        return (await self._service.modify(caller, given.text("transfer_id"), changes)).seen()

    def _get_all(self, caller: Caller, given: Parameters) -> list[dict[str, Any]]:
        return [each.seen() for each in self._service.seen_by(caller, given.text("app_id", "") or None)]

    def _files(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        part = given.inner("pagination", optional=True)
        return self._service.files(
            caller, given.text("transfer_id"), part.number("offset", 0), part.number("limit", 100)
        )

    async def _file_dialog(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        return await self._dialog(caller, Kind.FILES, given)

    async def _folder_dialog(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        return await self._dialog(caller, Kind.FOLDER, given)

    async def _save_dialog(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        return await self._dialog(caller, Kind.SAVE, given)

    async def _dialog(self, caller: Caller, kind: Kind, given: Parameters) -> dict[str, Any]:
        wanted = given.inner("options", optional=True)
        return chosen(await choose(self._service, caller, kind, wanted))

    async def _dropped(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        return chosen(await dropped(self._service, caller, given))

    async def _read_chunk(self, caller: Caller, given: Parameters) -> dict[str, str]:
        return await read_chunk(self._service, caller, given.inner("request"))

    async def _checksum(self, caller: Caller, given: Parameters) -> dict[str, str]:
        return await checksum(self._service, caller, given.inner("request"))

    async def _directory(self, caller: Caller, given: Parameters) -> dict[str, Any]:
        wanted = given.inner("request")
        if wanted.table("filters", optional=True):
            raise BadRequest("filters are not supported")
        depth = wanted.number("depth", 0)
        return await self._service.directory(caller, wanted.text("path"), depth if depth > 0 else None)

    async def _monitor(self, caller: Caller, transfer_id: str) -> None:
        self._service.find(caller, transfer_id)
        await self._service.show(caller, "transfers")

    async def _ports(self, caller: Caller, given: Parameters) -> None:
        wanted = given.inner("request")
        port, seconds = wanted.number("ssh_port", 33001), wanted.number("timeout_sec", 3)
        await self._service.reach(caller, wanted.text("remote_host"), port, seconds)

    def _branding(self, given: Parameters) -> bool:
        """Taken and not used: a site must not dress up windows that ask about sites."""
        given.inner("branding")
        return True


_POSITIONS = {SUBSCRIBE: ("app_id",)}


def chosen(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What was chosen in a dialog, as pages get it."""
    return {"dataTransfer": {"files": found}}


async def choose(service: Service, caller: Caller, kind: Kind, wanted: Parameters) -> list[dict[str, Any]]:
    """A dialog by the options that both faces have."""
    suffixes: list[str] = []
    for kind_of_file in wanted.several("allowedFileTypes"):
        suffixes += [f".{each.lstrip('.*')}" for each in kind_of_file.texts("extensions") if each != "*"]
    several = kind is not Kind.SAVE and wanted.flag("allowMultipleSelection", True)
    suggested = wanted.text("suggestedName", "")
    harmless = [each for each in suffixes if each[1:].isalnum()][:50]
    return await service.choose(caller, kind, multiple=several, suggested=suggested, suffixes=harmless)


async def dropped(service: Service, caller: Caller, given: Parameters) -> list[dict[str, Any]]:
    """Files that were dropped on a page. A browser tells their names only, so the user shows which they are."""
    names = [each.text("name", "") for each in given.several("files")][:20]
    shown = ["".join(c for c in name.rpartition("/")[2] if c.isprintable())[:80] for name in names]
    return await service.choose(caller, Kind.FILES, multiple=True, wanted=[name for name in shown if name])


async def read_chunk(service: Service, caller: Caller, wanted: Parameters) -> dict[str, str]:
    """A part of a file."""
    return await service.read(
        caller, wanted.text("path"), wanted.number("offset"), wanted.number("chunkSize")
    )


async def checksum(service: Service, caller: Caller, wanted: Parameters) -> dict[str, str]:
    """The digest of a file or a part of it."""
    offset, size = wanted.number("offset", 0), wanted.number("chunkSize", 0)
    return await service.checksum(
        caller, wanted.text("path"), offset, size, wanted.text("checksumMethod", "md5")
    )
