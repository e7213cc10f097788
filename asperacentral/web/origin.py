"""Whose page a browser's request comes from: pages of others may not use the daemon through a browser on its machine.

A browser names the page's origin in each POST; programs name none. Pure.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection


def is_own(origin: str, host: str, names: Collection[str] = ()) -> bool:
    """Whether a page of `origin` (the header's value) came from the server that the request calls `host`.

    A name that is neither this machine's own nor among `names`, in lower case, is not trusted, since whoever owns it
    could lead it here.
    """
    return origin.partition("://")[2].lower() == host.lower() and is_of_this_machine(host, names)


def is_of_this_machine(host: str, names: Collection[str] = ()) -> bool:
    """Whether a Host header is a name or an address that nobody else could have led here."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name.lower() in ("localhost", socket.gethostname().lower(), *names):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
