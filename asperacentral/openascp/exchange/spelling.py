"""How messages are written and read: a message as the list of its name and its fields by name. Pure.

Records inside a message are lists of their fields in order. A reader skips messages and fields it does not know, so
that newer versions may say more; everything else is strict. Records come by the hundred, so they are read by columns:
one field of all of them at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from itertools import chain, islice
from typing import Any, get_args, get_origin, get_type_hints

from asperacentral.openascp.exchange.codec import RemoteProtocolError
from asperacentral.openascp.exchange.messages import NAMES, Message

LARGEST_NUMBER = 2**63 - 1
LONGEST_BYTES = 256 * 1024
LONGEST_TEXT = 64 * 1024
MOST_RECORDS = 100_000

_NAME_OF = {kind: name for name, kind in NAMES.items()}
_FIELDS = {kind: tuple(each.name for each in fields(kind)) for kind in NAMES.values()}


def write(message: Message) -> list[Any]:
    """A message as a value for `codec.encode_control`, which takes tuples for lists."""
    kind = type(message)
    return [_NAME_OF[kind], {name: getattr(message, name) for name in _FIELDS[kind]}]


def read(value: Any) -> Message | None:
    """The message a control frame holds; None for one of a newer version. RemoteProtocolError when it is none."""
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[0], str):
        raise RemoteProtocolError("a message without a name")
    kind = NAMES.get(value[0])
    if kind is None:
        return None
    if not isinstance(value[1], dict):
        raise RemoteProtocolError(f"{value[0]} without fields")
    given = {}
    for name, reader, needed in _READERS[kind]:
        if name in value[1]:
            (given[name],) = reader([value[1][name]], name)
        elif needed:
            raise RemoteProtocolError(f"{value[0]} without {name}")
    return kind(**given)


_Reader = Callable[[Sequence[Any], str], Sequence[Any]]
"""Makes what a field means of what is said for it, in any number of records. RemoteProtocolError."""


def _readers(kind: type[Any]) -> tuple[tuple[str, _Reader, bool], ...]:
    """Name, reader and whether it must be there, of each field."""
    hints = get_type_hints(kind)
    return tuple((each.name, _reader(hints[each.name]), _needed(each)) for each in fields(kind))


def _needed(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _reader(hint: Any) -> _Reader:
    """How fields of this type are read."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if hasattr(hint, "_make"):
        return _record_reader(hint)
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        return _list_reader(parts[0]) if parts[-1] is Ellipsis else _tuple_reader(parts)
    if get_origin(hint) is dict:
        return _mappings
    raise TypeError(f"no message has fields of {hint}")


def _list_reader(part: Any) -> _Reader:
    """Lists of any length."""
    reader = _reader(part)

    def read_lists(values: Sequence[Any], name: str) -> Sequence[Any]:
        lengths = _lengths(values, name)
        inner = reader(list(chain.from_iterable(values)), name)
        if len(values) == 1:
            return [tuple(inner)]
        if not inner:
            return [()] * len(values)
        rest = iter(inner)
        return [tuple(islice(rest, length)) for length in lengths]

    return read_lists


def _tuple_reader(parts: Sequence[Any]) -> _Reader:
    """Lists of as many values as there are parts."""
    readers = [_reader(part) for part in parts]

    def read_tuples(values: Sequence[Any], name: str) -> Sequence[Any]:
        if not {len(parts)}.issuperset(_lengths(values, name)):
            raise _wrong(name, "is not the list it should be")
        columns = zip(*values, strict=True)
        return list(
            zip(*[read(column, name) for read, column in zip(readers, columns, strict=False)], strict=True)
        )

    return read_tuples


def _record_reader(kind: type[Any]) -> _Reader:
    """Records, which may lack fields that have defaults, or have more than are known."""
    hints = get_type_hints(kind)
    names = tuple(kind._fields)
    readers = [_reader(hints[name]) for name in names]
    defaults = [kind._field_defaults.get(name) for name in names]
    usual, needed = len(names), len(names) - len(kind._field_defaults)

    def read_records(values: Sequence[Any], name: str) -> Sequence[Any]:
        lengths = set(_lengths(values, name))
        if lengths and min(lengths) < needed:
            raise _wrong(name, f"has a record of {min(lengths)} fields")
        if not {usual}.issuperset(lengths):
            values = [[*each[:usual], *_as_said(defaults[len(each) :])] for each in values]
        columns = zip(names, readers, zip(*values, strict=True), strict=False)
        return list(
            map(kind._make, zip(*[read(column, field) for field, read, column in columns], strict=True))
        )

    return read_records


def _as_said(defaults: list[Any]) -> list[Any]:
    return [list(each) if isinstance(each, tuple) else each for each in defaults]


def _lengths(values: Sequence[Any], name: str) -> list[int]:
    if not {list}.issuperset(map(type, values)):
        raise _wrong(name, "is not the list it should be")
    lengths = list(map(len, values))
    if max(lengths, default=0) > MOST_RECORDS:
        raise _wrong(name, "is too long a list")
    return lengths


def _numbers(values: Sequence[Any], name: str) -> Sequence[Any]:
    if not {int}.issuperset(map(type, values)):
        raise _wrong(name, "is no number")
    if values and not -LARGEST_NUMBER <= min(values) <= max(values) <= LARGEST_NUMBER:
        raise _wrong(name, "is no number of 64 bits")
    return values


def _bytes(values: Sequence[Any], name: str) -> Sequence[Any]:
    if not {bytes}.issuperset(map(type, values)) or max(map(len, values), default=0) > LONGEST_BYTES:
        raise _wrong(name, "is not bytes, or too many")
    return values


def _texts(values: Sequence[Any], name: str) -> Sequence[Any]:
    if not {str}.issuperset(map(type, values)) or max(map(len, values), default=0) > LONGEST_TEXT:
        raise _wrong(name, "is no text, or too long")
    return values


def _flags(values: Sequence[Any], name: str) -> Sequence[Any]:
    if not {bool}.issuperset(map(type, values)):
        raise _wrong(name, "is neither true nor false")
    return values


def _mappings(values: Sequence[Any], name: str) -> Sequence[Any]:
    for value in values:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise _wrong(name, "is no table of names")
    return values


def _wrong(name: str, what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{name} {what}")


_SCALARS: dict[Any, _Reader] = {int: _numbers, bytes: _bytes, str: _texts, bool: _flags}
_READERS = {kind: _readers(kind) for kind in NAMES.values()}
