"""All managers of one process: those it was given by -M, which it needs, and those it finds by port files, which it
does not. Each has a line of its own (`link`); all are told the same, and any of them may give commands.

The first manager given is the one that started the process: it alone has a key and is looked for again when it is gone;
`abandoned` hears when it was looked for in vain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from asperacentral.fasp.management import Message
from asperacentral.openascp.link import ManagementLink

MOST_LINKS = 32
RUN_DIRECTORY = "OPENASCP_RUN_DIRECTORY"
"""The environment variable with the folder of port files."""
USUAL_RUN_DIRECTORY = Path("/opt/aspera/var/run/aspera")
DIAL_SECONDS = 2.0
"""How long a manager that is not needed may take to answer."""
PATIENCE_SECONDS = 3.0
"""How long the end of a session waits for one of them."""

Address = tuple[str, int]

log = logging.getLogger(__name__)


class ManagerUnreachableError(Exception):
    """A manager that is needed does not answer; `port` is its port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"no manager answers at port {port}")
        self.port = port


def announced(environment: Mapping[str, str]) -> list[Address]:
    """The managers that left a `*.port` or `*.optport` file. What holds no address is skipped."""
    folder = Path(environment.get(RUN_DIRECTORY) or USUAL_RUN_DIRECTORY)
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in {".port", ".optport"})
    except OSError:
        return []
    found = []
    for file in files:
        try:
            host, _, port = file.read_text("ascii").strip().rpartition(":")
            address = (host or "127.0.0.1", int(port))
        except (OSError, ValueError):
            continue
        if 0 < address[1] < 65536:
            found.append(address)
    return found


class Managers:
    """The lines to `needed` managers and, as far as there is room, to `optional` ones. See `ManagementLink`."""

    def __init__(
        self,
        needed: Sequence[Address],
        optional: Iterable[Address] = (),
        *,
        greeting: Callable[[bool], Iterable[Message]],
        command: Callable[[Message], None],
        port_file: Path | None = None,
        key: str = "",
        abandoned: Callable[[], None] = lambda: None,
    ) -> None:
        self._needed = [
            (
                address,
                ManagementLink(
                    greeting=greeting,
                    command=command,
                    port_file=None if number else port_file,
                    key="" if number else key,
                    abandoned=abandoned,
                ),
            )
            for number, address in enumerate(needed)
        ]
        ports = {port for _, port in needed}
        others = [address for address in dict.fromkeys(optional) if address[1] not in ports]
        self._optional = [
            (address, ManagementLink(greeting=greeting, command=command, patience=PATIENCE_SECONDS))
            for address in others[: MOST_LINKS - len(self._needed)]
        ]
        self._links = [link for _, link in self._needed]

    @property
    def connected(self) -> bool:
        """Whether any manager listens now."""
        return any(link.connected for link in self._links)

    @property
    def any(self) -> bool:
        """Whether there is a manager at all, listening now or perhaps later: else no report need be written."""
        return bool(self._links)

    async def dial(self) -> None:
        """Connect to all. ManagerUnreachableError when one that is needed does not answer; others are left out."""
        for (host, port), link in self._needed:
            try:
                await link.dial(host, port)
            except OSError as error:
                raise ManagerUnreachableError(port) from error
        answers = await asyncio.gather(*(self._try(address, link) for address, link in self._optional))
        self._links += [link for link in answers if link is not None]

    async def _try(self, address: Address, link: ManagementLink) -> ManagementLink | None:
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                await link.dial(*address)
        except OSError as error:  # TimeoutError is one
            log.info("the manager at port %d is left out: %s", address[1], error or "it does not answer")
            return None
        return link

    def tell(self, message: Message) -> None:
        """Send a report that must arrive."""
        for link in self._links:
            link.tell(message)

    def mention(self, message: Message) -> None:
        """Send a report that the next one renews."""
        for link in self._links:
            link.mention(message)

    async def finish(self, message: Message) -> None:
        """Tell the last message to all and close, once they have it or patience ends."""
        await asyncio.gather(*(link.finish(message) for link in self._links))
