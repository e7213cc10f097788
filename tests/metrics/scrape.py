"""Metrics on a site without sockets, read back by the reference implementation's own parser."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from asperacentral.web.site import Face, make_site
from tests.rest.caller import Answer

LABELS = dict[str, str]


class Asker:
    """A site with this face only."""

    def __init__(self, face: Face, measure: Any = lambda *_: None) -> None:
        self.clock = Clock()
        self.site = make_site([face], reactor=self.clock, measure=measure)

    def get(
        self, path: str, *, method: str = "GET", host: str = "127.0.0.1", **headers: str
    ) -> Answer | None:
        """The answer; None while there is none yet. `_` in a header's name stands for a dash."""
        sent = {"Host": "127.0.0.1:40001"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        transport = StringTransport(peerAddress=IPv4Address("TCP", host, 4711))
        connection = self.site.buildProtocol(transport.getPeer())
        connection.makeConnection(transport)
        connection.dataReceived(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
        self.clock.advance(0)
        came, _, body = transport.value().partition(b"\r\n\r\n")
        if not came:
            return None
        first, *others = came.decode("latin-1").split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in others)}
        return Answer(int(first.split(" ")[1]), found, body)


def samples(body: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a scrape by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(body: bytes, name: str, /, **labels: str) -> float | None:
    """One sample's value, None if it is not there."""
    return samples(body).get((f"asperacentral_{name}", frozenset(labels.items())))
