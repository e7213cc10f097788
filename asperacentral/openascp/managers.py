"""The lines to all managers of a session: what one hears, all hear, and each may give commands.

All of -M have to answer at the start. Only the first can prove itself and is dialled again when it was lost: it is
the one that started the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from asperacentral.fasp.management import Message
from asperacentral.openascp.link import ManagementLink

Address = tuple[str, int]


class ManagerUnreachableError(Exception):
    """A manager given by -M does not answer; `port` is where it should."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.port = port


class Managers:
    """`addresses` are those of -M. `greeting` and `command` are as those of ManagementLink."""

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        greeting: Callable[[bool], Iterable[Message]],
        command: Callable[[Message], None],
        port_file: Path | None,
        key: str,
    ) -> None:
        self._links = [
            (address, ManagementLink(greeting=greeting, command=command))
            if number
            else (
                address,
                ManagementLink(greeting=greeting, command=command, port_file=port_file, key=key),
            )
            for number, address in enumerate(addresses)
        ]

    async def dial(self) -> None:
        """Connect to all. ManagerUnreachableError for the first that does not answer."""
        for (host, port), link in self._links:
            try:
                await link.dial(host, port)
            except OSError as error:
                raise ManagerUnreachableError(port) from error

    def tell(self, message: Message) -> None:
        """See ManagementLink."""
        for _, link in self._links:
            link.tell(message)

    def mention(self, message: Message) -> None:
        """See ManagementLink."""
        for _, link in self._links:
            link.mention(message)

    async def finish(self, message: Message) -> None:
        """Tell the last message to all and close, each as its own patience allows."""
        if self._links:
            await asyncio.gather(*(link.finish(message) for _, link in self._links))
