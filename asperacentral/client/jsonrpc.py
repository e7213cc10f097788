"""JSON-RPC 2.0 as it is on the wire: requests out of texts, answers into texts. Pure.

One request in a text; batches are refused, since no client of ours sends them. Parameters are an object, or a list
where the method's names can be put to its values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

MOST_DEPTH = 40
"""Levels of objects and lists in a request."""


class RpcError(Exception):
    """A request that is refused: `code` by JSON-RPC, and a text for the one who asked."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Without `id` it is a notification, which gets no answer."""

    method: str
    params: Mapping[str, Any] | list[Any]
    id: int | float | str | None = None
    wants_answer: bool = True


def document(text: bytes | str) -> Any:
    """The JSON value of a text. RpcError when it is none, or nested too deeply."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "this is not JSON") from None
    if _too_deep(value):
        raise RpcError(PARSE_ERROR, f"this is nested more than {MOST_DEPTH} levels deep")
    return value


def read(text: bytes | str) -> Call:
    """The request in a text. RpcError."""
    asked = document(text)
    if isinstance(asked, list):
        raise RpcError(INVALID_REQUEST, "one request at a time, please: batches are not taken")
    if not isinstance(asked, dict) or asked.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'a request is an object with "jsonrpc": "2.0"')
    method, params, number = asked.get("method"), asked.get("params", {}), asked.get("id")
    if not isinstance(method, str) or not method:
        raise RpcError(INVALID_REQUEST, "a request names its method")
    if params is None:
        params = {}
    if not isinstance(params, (dict, list)):
        raise RpcError(INVALID_REQUEST, "params are an object or a list")
    if isinstance(number, bool) or not isinstance(number, (int, float, str, type(None))):
        raise RpcError(INVALID_REQUEST, "an id is a number or a text")
    return Call(method, params, number, "id" in asked)


def result(number: int | float | str | None, value: Any) -> str:
    """The answer to a request that went well."""
    return _text({"jsonrpc": "2.0", "id": number, "result": value})


def error(number: int | float | str | None, problem: RpcError) -> str:
    """The answer to one that did not."""
    told = {"code": problem.code, "message": problem.message}
    if problem.data is not None:
        told["data"] = problem.data
    return _text({"jsonrpc": "2.0", "id": number, "error": told})


def notification(method: str, params: Mapping[str, Any]) -> str:
    """What a subscriber is told unasked."""
    return _text({"jsonrpc": "2.0", "method": method, "params": params})


def discovery(title: str, version: str, methods: list[str]) -> dict[str, Any]:
    """The OpenRPC document with the names of the methods."""
    described = [{"name": name, "params": [], "result": {"name": "result", "schema": {}}} for name in methods]
    return {"openrpc": "1.2.6", "info": {"title": title, "version": version}, "methods": described}


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
