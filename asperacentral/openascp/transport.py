"""Whether a session may, or must, move its files over UDP: what its options say, and aspera.conf of its machine.

Pure. `any` and `allow` mean UDP where it gets through, and SSH or SFTP elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from asperacentral.fasp.errors import FaspCode
from asperacentral.fasp.messages import Value
from asperacentral.openascp.failures import SessionFailure


class Transport:
    """The rule for a client's session, who has `asked` for one of fasp's TRANSPORTS. SessionFailure where that and
    what is `configured` exclude each other.
    """

    def __init__(self, asked: str, configured: str) -> None:
        if (asked, configured) in (("udp", "deny"), ("ssh", "require")):
            word = "denies" if configured == "deny" else "requires"
            raise SessionFailure(
                FaspCode.BAD_CONFIGURATION,
                f"--transport={asked}, but aspera.conf {word} UDP (<protocol_options>)",
            )
        self._why = "--transport=udp" if asked == "udp" else "aspera.conf" if configured == "require" else ""
        self._none = asked == "ssh" or configured == "deny"

    @property
    def udp_only(self) -> bool:
        """Whether a session without UDP may not be."""
        return bool(self._why)

    def port(self, port: int) -> int:
        """The UDP port to ask for: `port`, or 0 for no UDP."""
        return 0 if self._none else port

    def without_udp(self, reason: str) -> None:
        """The files are to go another way, for this reason. SessionFailure when they may not."""
        if self._why:
            raise SessionFailure(
                FaspCode.CONNECTION_ERROR, f"{reason}, and {self._why} allows no other way than UDP"
            )

    def chosen(self, told: Mapping[str, Value]) -> None:
        """What SESSION is to say of the plane was found out. SessionFailure when that may not be."""
        if told["Transport"] != "udp":
            tried = "FallbackProtocol" in told
            self.without_udp("UDP does not get through" if tried else "the far side offers no UDP")


def on_server(rule: str, *, wanted: bool, offered: bool) -> None:
    """What a server half refuses before it begins: sessions without UDP where its aspera.conf requires it."""
    if rule == "require" and not offered:
        reason = "UDP cannot be offered" if wanted else "the client asks for none"
        raise SessionFailure(
            FaspCode.CONNECTION_ERROR, f"this server moves files over UDP only, and {reason}"
        )
