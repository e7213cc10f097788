"""Our dialect of spyne's Soap11, lenient in what it reads.

Children are matched by local name in any order, unknown ones skipped and logged, values checked against their XSD
types; what is wrong is told with its path. The document is already an element (`envelope`) when it arrives here;
answers are written by `writer`. Knows no operations.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from typing import Any
from xml.etree.ElementTree import Element

from asperacentral.soap.faults import CLIENT, SoapFault
from asperacentral.soap.fields import Boolean
from asperacentral.soap.names import SCHEMA_INSTANCE, local_name
from asperacentral.soap.spyne_names import (
    ComplexModelBase,
    Integer,
    Soap11,
    Unicode,
    ValidationError,
)

log = logging.getLogger(__name__)

_NIL = f"{{{SCHEMA_INSTANCE}}}nil"
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_SHOWN = 60

STEP = 256
"""Children of an element that are read in one step: a fraction of a millisecond."""


class ContractProtocol(Soap11):
    """Reads body elements into models."""

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        """Nothing to do: the transport has read the envelope and put its body element into `in_document`."""

    def decompose_incoming_envelope(self, ctx: Any, message: Any = None) -> None:
        """Take the body element as it is; its name selects the operation."""
        ctx.in_body_doc = ctx.in_document
        ctx.method_request_string = ctx.in_document.tag

    def deserializing(self, ctx: Any) -> Generator[None, None, None]:
        """Read the body element into the operation's request model, a long one in steps; SoapFault when it does not
        fit."""
        model = ctx.descriptor.in_message
        if model.get_flat_type_info(model):
            ctx.in_object = yield from read_model(model, ctx.in_body_doc, local_name(ctx.in_body_doc.tag))
        else:
            _log_skipped(local_name(ctx.in_body_doc.tag), [child.tag for child in ctx.in_body_doc])
            ctx.in_object = []


def read_model(model: Any, element: Element, path: str) -> Generator[None, None, Any]:
    """Read `element` as `model`, in steps; `path` tells errors where. SoapFault names the element and the reason."""
    members = model.get_flat_type_info(model)
    found: dict[str, Any] = {}
    skipped: list[str] = []
    for number, child in enumerate(element, 1):
        if number % STEP == 0:
            yield
        name = local_name(child.tag)
        name = model.aliases.get(name, name)
        kind = members.get(name)
        if kind is None:
            skipped.append(child.tag)
        elif child.get(_NIL) not in {"true", "1"}:
            value = yield from _read_member(kind, child, f"{path}/{name}")
            if kind.Attributes.max_occurs > 1:
                found.setdefault(name, []).append(value)
            elif name in found:
                raise SoapFault(CLIENT, f"{path}/{name} is given more than once")
            else:
                found[name] = value
    for name, kind in members.items():
        if kind.Attributes.min_occurs > 0 and name not in found:
            raise SoapFault(CLIENT, f"{path}/{name} is missing")
    _log_skipped(path, skipped)
    return (model.__orig__ or model)(**found)


def _log_skipped(path: str, tags: list[str]) -> None:
    if tags:
        names = ", ".join(repr(local_name(tag)[:_SHOWN]) for tag in tags[:5])
        log.info("%s: skipped %d unknown elements: %s", path, len(tags), names)


def _read_member(kind: Any, element: Element, path: str) -> Generator[None, None, Any]:
    if issubclass(kind, ComplexModelBase):
        return (yield from read_model(kind, element, path))
    if len(element):
        raise SoapFault(CLIENT, f"{path} holds elements where text is expected")
    return _read_text(kind, element.text or "", path)


def _read_text(kind: Any, text: str, path: str) -> Any:
    """The value of a simple type; surrounding white space counts in strings only."""
    if issubclass(kind, Unicode):
        return text
    word = text.strip(" \t\r\n")
    if issubclass(kind, Boolean):
        if word.lower() not in _BOOLEANS:
            raise _not_a(kind, word, path)
        return _BOOLEANS[word.lower()]
    if issubclass(kind, Integer) and not _INTEGER.fullmatch(word):
        raise _not_a(kind, word, path)
    try:
        value = _CONVERTER.from_unicode(kind, word)
        valid = kind.validate_native(kind, value)
    except (ValidationError, ValueError, OverflowError):
        valid = False
    if not valid:
        raise _not_a(kind, word, path)
    return value


def _not_a(kind: Any, word: str, path: str) -> SoapFault:
    shown = word if len(word) <= _SHOWN else word[:_SHOWN] + "..."
    return SoapFault(CLIENT, f"{path}: {shown!r} is not a valid {(kind.__orig__ or kind).get_type_name()}")


_CONVERTER = Soap11()
