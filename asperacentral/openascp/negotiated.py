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
    """Fields of SESSION by their names on the wire; `transport` is what is known of that."""
    number, sessions = options.part
    over_udp = transport.get("Transport") == "udp"
    ssh_cipher = network.cipher(connection, sending=options.sending)
    cipher = options.cipher.replace("aes", "aes-") if over_udp else ssh_cipher
    return {
        "Cipher": cipher,
        "ClusterNodeId": 0 if sessions == 1 else number,
        "ClusterNumNodes": sessions,
        "Destination": shown(options.destination),
        "Encryption": cipher != "none",
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
