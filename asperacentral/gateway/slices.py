"""The dialogue of WebSocket uploads, versions 1 and 2: frames in, steps and acknowledgements out. Pure.

    version   client says                              step                answer
    both      {"transfer_spec": ...}                   Spec                end upload
    1         {"slice_upload": ..., data in base64}    [Begin] Data [End]  end upload
    2         {"slice_upload": ...}, no file open      Begin               end_slice_upload
    2         binary                                   Data [End]          end upload
    2         {"slice_upload": ...}, the open file's   [End]               end_slice_upload

`end upload` makes the client go on, and after the last slice believe that all is done, so there is exactly one for the
spec and one for each slice, and a file ends (End) with its last byte, not with the record that closes it. Which record
opens and which closes a file is told by what is open: one of a single slice has two that are the same. A file whose
size the record does not say ends with that record, or in version 1 with its last slice.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from asperacentral.gateway.spec import SpecError, parse

SLICE_TAKEN = "end upload"
RECORD_TAKEN = "end_slice_upload"


@dataclass(frozen=True, slots=True)
class Spec:
    """The transfer spec has come, in its document."""

    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begin:
    """A file begins."""

    name: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the file."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """The file has its last byte."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """To be said when all steps before are safe."""

    text: str


Step = Spec | Begin | Data | End | Acknowledge


@dataclass(slots=True)
class _Open:
    key: tuple[str, Any]
    size: int | None
    slices: int | None
    received: int = 0
    ended: bool = False
    in_records: bool = False

    def reached(self) -> bool:
        return self.size is not None and self.received >= self.size


class SliceDialogue:
    """One connection's. SpecError for what is out of order or cannot be read."""

    def __init__(self) -> None:
        self._file: _Open | None = None
        self._has_spec = False

    def text(self, text: str) -> Iterator[Step]:
        """A text frame."""
        document = parse(text)
        if not self._has_spec:
            self._has_spec = True
            yield Spec(document)
            yield Acknowledge(SLICE_TAKEN)
            return
        record = document.get("slice_upload")
        if not isinstance(record, dict):
            raise SpecError("a slice_upload is expected; binary data must come in binary frames")
        yield from self._slice(record) if "data" in record else self._record(record)

    def binary(self, data: bytes) -> Iterator[Step]:
        """A binary frame."""
        file = self._file
        if file is None or file.in_records:
            raise SpecError("data without a slice_upload before it")
        yield from self._take(file, data)
        yield Acknowledge(SLICE_TAKEN)

    def _record(self, record: Mapping[str, Any]) -> Iterator[Step]:
        file = self._file
        if file is not None and (file.key == _key(record) or not file.ended):
            if file.key != _key(record):
                raise SpecError("a file begins before the one before it has ended")
            self._file = None
            if not file.ended:
                yield End()
        else:
            file = self._file = _opened(record)
            yield Begin(file.key[0], file.size)
        yield Acknowledge(RECORD_TAKEN)

    def _slice(self, record: Mapping[str, Any]) -> Iterator[Step]:
        file = self._file
        if file is None or file.ended:
            file = self._file = _opened(record)
            file.in_records = True
            yield Begin(file.key[0], file.size)
        elif file.key != _key(record):
            raise SpecError("a file begins before the one before it has ended")
        yield from self._take(file, _decoded(record.get("data")))
        last = file.slices is not None and record.get("slice") == file.slices - 1
        if last and not file.ended:
            file.ended = True
            yield End()
        yield Acknowledge(SLICE_TAKEN)

    @staticmethod
    def _take(file: _Open, data: bytes) -> Iterator[Step]:
        if file.ended and data:
            raise SpecError("a file is longer than was said")
        file.received += len(data)
        if data:
            yield Data(data)
        if file.reached() and not file.ended:
            file.ended = True
            yield End()


def _key(record: Mapping[str, Any]) -> tuple[str, Any]:
    """What tells a file from others of the upload."""
    name, index = record.get("name"), record.get("fileIndex")
    if not isinstance(name, str) or not (index is None or isinstance(index, int)):
        raise SpecError("a slice_upload needs a name")
    return name, index


def _opened(record: Mapping[str, Any]) -> _Open:
    return _Open(_key(record), _count(record, "size"), _count(record, "total_slices"))


def _count(record: Mapping[str, Any], name: str) -> int | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SpecError(f"a slice_upload's {name} must be a number")
    return value


def _decoded(data: Any) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise SpecError("a slice's data is not base64") from None
