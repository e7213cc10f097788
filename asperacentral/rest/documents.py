"""JSON from strangers: read with bounds, or refused with a reason. Knows nothing of what a document means."""

from __future__ import annotations

import json
import math
from typing import Any

from asperacentral.rest.errors import BadRequest

MAX_VALUES = 20_000
"""Members and elements in one document."""

MAX_DEPTH = 64
MAX_DIGITS = 40


def read_document(body: bytes) -> dict[str, Any]:
    """The object in a body; nothing at all is an empty one. Raises BadRequest."""
    # Before parsing: a megabyte of brackets takes many times its size in memory.
    if body.count(b",") + body.count(b"{") + body.count(b"[") > MAX_VALUES:
        raise BadRequest(f"the body has more than {MAX_VALUES} values")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8, at byte {error.start}") from None
    if not text.strip():
        return {}
    try:
        document = _DECODER.decode(text.strip())
        _check_depth([document])
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"the body is not JSON: {error.msg}, {place}") from None
    except RecursionError:
        raise BadRequest(f"the body is nested more than {MAX_DEPTH} deep") from None
    if not isinstance(document, dict):
        raise BadRequest(f"the body is {kind_of(document)}, expected an object")
    return document


def kind_of(value: Any) -> str:
    """What kind of JSON value it is, with its article."""
    if value is None:
        return "null"
    kinds = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return kinds.get(type(value), "a number")


def shown(name: str) -> str:
    """A key as errors show it: cut, and without what a terminal would take for more than text."""
    return ascii(name if len(name) <= 60 else f"{name[:57]}...")


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        folders = [each.values() if isinstance(each, dict) else each for each in level]
        level = [value for values in folders for value in values if isinstance(value, (dict, list))]
        if not level:
            return
    raise RecursionError


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise BadRequest(f"{shown(twice)} is given more than once")
    return members


def _integer(digits: str) -> int:
    return int(_bounded(digits))


def _bounded(digits: str) -> str:
    if len(digits) > MAX_DIGITS:
        raise BadRequest(f"a number has more than {MAX_DIGITS} digits")
    return digits


def _decimal(digits: str) -> float:
    number = float(_bounded(digits))
    if not math.isfinite(number):
        raise BadRequest("a number is too large")
    return number


def _no_number(word: str) -> Any:
    raise BadRequest(f"{word} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_decimal, parse_constant=_no_number
)
