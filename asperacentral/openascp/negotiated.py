"""What the SESSION message tells of a connection and of the command line."""

from __future__ import annotations

import asyncssh

from asperacentral.fasp import messages
from asperacentral.openascp import network
from asperacentral.openascp.failures import shown
from asperacentral.openascp.options import Options


def negotiated(
    connection: asyncssh.SSHClientConnection, options: Options, **transport: messages.Value
) -> dict[str, messages.Value]:
    """Fields of SESSION by their names on the wire."""
    number, sessions = options.part
    return {
        "Cipher": network.cipher(connection, sending=options.sending),
        "ClusterNodeId": 0 if sessions == 1 else number,
        "ClusterNumNodes": sessions,
        "Destination": shown(options.destination),
        "Encryption": True,
        "Host": options.host,
        "LocalIP": str(connection.get_extra_info("sockname")[0]),
        "Port": options.udp_port,
        "Precalc": options.precalculate,
        "RetryTimeout": options.retry_timeout or None,
        "Tags": options.tags or None,
        "RemoteAddress": str(connection.get_extra_info("peername")[0]),
        "Source": shown(options.sources[0]) if options.sources else "",
        "TCPPort": options.port,
        "User": options.user,
        **transport,
    }
