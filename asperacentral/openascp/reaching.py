"""How a client's session comes to its SSH connection: what its options and secrets say of the login and the host."""

from __future__ import annotations

import asyncssh

from asperacentral.openascp.ahead import Opening
from asperacentral.openascp.connection import Login, connect
from asperacentral.openascp.dialing import Dialing
from asperacentral.openascp.hostkeys import HostKeyCheck
from asperacentral.openascp.options import Options, Secrets
from asperacentral.openascp.wire import Connector


async def reach(
    options: Options, secrets: Secrets, opening: Opening | None = None, dialing: Dialing | None = None
) -> asyncssh.SSHClientConnection:
    """Log in where the options say, on the connection that is being made, if one is; see `connect`. SessionFailure."""
    check = HostKeyCheck(
        options.host,
        options.port,
        fingerprint=options.fingerprint,
        file=options.known_hosts,
        policy=options.host_key_policy,
    )
    login = Login(
        options.host,
        options.port,
        options.user,
        secrets.password,
        options.key_files,
        secrets.key,
        options.cipher,
        options.ipv6,
    )
    return await connect(login, check, Connector(ipv6=options.ipv6, dialing=dialing), opening)
