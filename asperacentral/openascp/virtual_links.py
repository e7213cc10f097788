"""What a manager's VLINK asks of a session: to share a cap with the others that are put under the same virtual link.

Pure. The numbers are those of aspera.conf's links, the caps are not: who is under both keeps within both.
"""

from __future__ import annotations

from asperacentral.fasp.management import Message
from asperacentral.fasp.messages import VIRTUAL_LINKS
from asperacentral.openascp.sharing import Pool


class BadLinkError(ValueError):
    """The message makes no sense; the text says why."""


def asked(message: Message, *, incoming: bool) -> Pool | None:
    """The cap that the session is to share; None for none: the link is off, or has no cap for the way in which the
    files go (`incoming`: to this machine). A cap of 0 is none. BadLinkError.
    """
    number = message.integer("VlinkID")
    if number not in VIRTUAL_LINKS:
        raise BadLinkError(f"there is no virtual link {message.text('VlinkID')[:20]!r}")
    way = "in" if incoming else "out"
    cap = message.integer(f"VlinkCap{way.title()}")
    if cap < 0:
        raise BadLinkError(f"virtual link {number} cannot have a cap of {cap} Kbps")
    return Pool(f"vlink-{number}-{way}", cap, number) if message.boolean("VlinkOn") and cap else None
