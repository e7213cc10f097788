"""An embedded SSH end: SFTP into a folder per user, with users of its own instead of the machine's accounts.

For demonstrations, tests and sites without an SSH server. It knows nothing of orders, jobs or sessions: to it
a transfer is a client like any other.

    async with Node(NodeSettings(users=users, host_key=key)) as node:
        print(node.port)
"""

from __future__ import annotations

from asperacentral.credentials.passwords import hash_password
from asperacentral.node.hostkey import load_or_make_host_key
from asperacentral.node.server import Node, NodeSettings
from asperacentral.node.users import User, Users, UsersFileError, one_user, read_users

__all__ = [
    "Node",
    "NodeSettings",
    "User",
    "Users",
    "UsersFileError",
    "hash_password",
    "load_or_make_host_key",
    "one_user",
    "read_users",
]
