"""Calls of the REST face on a site without sockets: what would go over a connection, and a clock of the test's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from asperacentral.rest.site import rest_face
from asperacentral.soap.site import soap_face
from asperacentral.web.site import make_site
from tests.soap.memory_central import MemoryCentral

BASE = "/services/rest/transfers/v1"


@dataclass
class Answer:
    """An HTTP answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """What an error says; its shape is looked at on the way."""
        assert self.headers["content-type"] == "application/json"
        error = self.document["error"]
        assert set(error) == {"code", "reason", "user_message"}
        assert error["code"] == self.status
        assert error["reason"].replace("_", "").isalpha()
        return str(error["user_message"])


class Caller:
    """A site with both faces, and a central behind it that a test can look into."""

    def __init__(self, central: Any = None, **options: Any) -> None:
        self.central: Any = central or MemoryCentral()
        self.clock = Clock()
        faces = [soap_face(self.central), rest_face(self.central)]
        self.site = make_site(faces, reactor=self.clock, **options)

    def send(self, data: bytes) -> bytes:
        """What comes back on a connection of its own."""
        transport = StringTransport(peerAddress=IPv4Address("TCP", "127.0.0.1", 4711))
        connection = self.site.buildProtocol(transport.getPeer())
        connection.makeConnection(transport)
        connection.dataReceived(data)
        for _ in range(100):
            self.clock.advance(0)
        came: bytes = transport.value()
        return came

    def call(
        self, path: str, body: Any = b"", *, method: str = "POST", headers: dict[str, str] | None = None
    ) -> Answer:
        """A call with a body: bytes as they are, anything else as JSON. A path without a slash is below the base."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        place = path if path.startswith("/") else f"{BASE}/{path}"
        sent = {"Host": "x", "Content-Length": str(len(data))} | (headers or {})
        head = f"{method} {place} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in sent.items()
        )
        came, _, rest = self.send(head.encode() + b"\r\n" + data).partition(b"\r\n\r\n")
        first, *lines = came.decode("latin-1").split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split(" ")[1]), found, rest)
