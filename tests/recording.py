"""Every SOAP exchange of the suite against the contract's XSD files: answers always, requests where they are accepted.

A `Checker` is a recorder for an endpoint. In the test's own process its complaints are kept in `IN_PROCESS`; daemons
that tests start as programs (`recording_daemon`) leave theirs as files in the directory named by `VARIABLE`. The
fixture in `conftest` fails the test during which a complaint came up.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lxml import etree

from asperacentral.soap.envelope import decode
from asperacentral.soap.resources import Recorded
from tests.soap.contract import ENVELOPE, schema

VARIABLE = "ASPERACENTRAL_TEST_COMPLAINTS"
REQUEST, ANSWER = "request", "answer"

Complain = Callable[[str, str], None]
"""Is told which message is wrong, `REQUEST` or `ANSWER`, and how."""

_REMEMBERED = 10_000


class Checker:
    """Checks exchanges as they are made."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._valid: set[bytes] = set()
        self.exchanges = 0

    def __call__(self, exchange: Recorded) -> None:
        """Take one exchange; what was valid before is not checked again."""
        self.exchanges += 1
        self._check(
            ANSWER, exchange, exchange.answer, lambda: check_answer(exchange.status, exchange.answer.decode())
        )
        if was_accepted(exchange):
            self._check(
                REQUEST,
                exchange,
                exchange.request,
                lambda: check_request(decode(exchange.request, exchange.charset)),
            )

    def _check(self, kind: str, exchange: Recorded, message: bytes, check: Callable[[], None]) -> None:
        key = hashlib.blake2b(message, digest_size=16, person=kind.encode()).digest()
        if key in self._valid:
            return
        try:
            check()
        except Exception as wrong:
            self._complain(
                kind, f"{kind} at {exchange.endpoint}: {type(wrong).__name__}: {wrong}\n{message[:1500]!r}"
            )
            return
        if len(self._valid) >= _REMEMBERED:
            self._valid.clear()
        self._valid.add(key)


def was_accepted(exchange: Recorded) -> bool:
    """Whether the request was understood: it has an answer, or a typed fault."""
    return exchange.status == 200 or b"<detail>" in exchange.answer


def check_request(text: str) -> None:
    """AssertionError or DocumentInvalid unless the body element is valid."""
    _valid(_body(text))


def check_answer(status: int, text: str) -> None:
    """AssertionError or DocumentInvalid unless it is a valid answer, or a fault as SOAP 1.1 has it."""
    inner = _body(text)
    if inner.tag != f"{ENVELOPE}Fault":
        assert status == 200, f"status {status} without a fault"
        _valid(inner)
        return
    assert status != 200, "a fault with status 200"
    assert [child.tag for child in inner] in (
        ["faultcode", "faultstring"],
        ["faultcode", "faultstring", "detail"],
    )
    prefix, _, code = (inner.findtext("faultcode") or "").partition(":")
    assert f"{{{inner.nsmap.get(prefix)}}}" == ENVELOPE
    assert code in {"Client", "Server", "VersionMismatch", "MustUnderstand"}, code
    for detail in inner.findall("detail/*"):
        _valid(detail)


def _body(text: str) -> Any:
    # Bytes without a declaration: what the text was encoded in does not matter any more.
    bare = text.lstrip("\ufeff \r\n\t")
    if bare.startswith("<?xml"):
        bare = bare.partition("?>")[2]
    root: Any = etree.fromstring(bare.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    assert root.tag == f"{ENVELOPE}Envelope"
    (inner,) = root.find(f"{ENVELOPE}Body")
    return inner


def _valid(element: Any) -> None:
    # A copy, so that the prefix and namespace declarations of the envelope count as the element's own.
    schema().assertValid(etree.fromstring(etree.tostring(element, with_tail=False)))


COMPLAINTS: list[tuple[str, str]] = []
"""What was wrong in this process since it was last looked at."""

IN_PROCESS = Checker(lambda kind, text: COMPLAINTS.append((kind, text)))
"""The recorder of sites in the test's own process."""


def to_directory() -> Checker:
    """The recorder of a daemon that a test has started as a program."""
    directory = Path(os.environ[VARIABLE])

    def complain(kind: str, text: str) -> None:
        (directory / f"{kind}-{uuid.uuid4()}").write_text(text)

    return Checker(complain)


def taken(directory: Path) -> list[tuple[str, str]]:
    """All complaints since the last call, of this process and of daemons."""
    found = COMPLAINTS[:]
    COMPLAINTS.clear()
    for path in sorted(directory.iterdir()):
        found.append((path.name.partition("-")[0], path.read_text()))
        path.unlink()
    return found
