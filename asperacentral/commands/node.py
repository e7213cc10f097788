"""`asperacentral node`: run the embedded SSH end. Options, start and end only; the server is in `node/`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import logging
import os
import signal
import sys
from pathlib import Path

from asperacentral import config
from asperacentral.config import ConfigError
from asperacentral.credentials.passwords import PasswordError
from asperacentral.node import (
    Node,
    NodeSettings,
    Users,
    UsersFileError,
    load_or_make_host_key,
    one_user,
    read_users,
)
from asperacentral.node import hash_password as make_hash
from asperacentral.node.hostkey import HostKeyError
from asperacentral.openascp.incoming import RUN_DIRECTORY

HELP = "an SSH server of its own for the far side of transfers"

DESCRIPTION = """\
Run an embedded SSH server: openascp --server and SFTP in one folder per user, no shell, no other command, no
forwarding. Users are its own, from a file; the machine's accounts play no part. For demonstrations, tests and sites
without an sshd.

The users file (TOML) has a table for each user:

    [users.alice]
    password = "scrypt$..."                     # asperacentral node --hash-password
    authorized_keys = ["ssh-ed25519 AAAA..."]   # or the name of a file
    docroot = "/srv/alice"                      # default: a folder of the user's name below --docroot
    read = true
    write = true
    token_key = "token.key"                     # a file: transfers with a token only (asperacentral token), no SFTP

Example:
    asperacentral node --hash-password
    asperacentral node --users users.toml --docroot /srv/transfers --address 0.0.0.0

A user for a demonstration, without a file:
    ASPERA_NODE_PASS=secret asperacentral node --one-user demo --docroot /tmp/in --port 0
"""

PASSWORD_VARIABLE = "ASPERA_NODE_PASS"  # noqa: S105 - the name of a variable
"""Where `--one-user` finds the password: the environment, which other users cannot read."""

DEFAULT_PORT = 33001


class _CannotStart(Exception):
    """Why the node does not start, fit to be shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--address", default="127.0.0.1", help="listen here (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="TCP port; 0 = any free one (default: %(default)s)"
    )
    parser.add_argument("--port-file", type=Path, metavar="FILE", help="write the port here when listening")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--users", type=Path, metavar="FILE", help="who may log in (TOML, see above)")
    who.add_argument(
        "--one-user",
        metavar="NAME",
        help=f"one user, with the password in {PASSWORD_VARIABLE}; sees all of --docroot",
    )
    who.add_argument(
        "--hash-password", action="store_true", help="read a password, print the hash for the users file"
    )
    parser.add_argument("--docroot", type=Path, metavar="DIR", help="where users' folders are")
    parser.add_argument(
        "--host-key",
        type=Path,
        metavar="FILE",
        help="private key; made if missing (default: in the state folder)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. 0 after that, 1 with one line if it cannot start, 2 for wrong use."""
    try:
        if args.hash_password:
            print(make_hash(_read_password()))
            return 0
        settings = NodeSettings(
            users=_users(args),
            host_key=load_or_make_host_key(args.host_key or default_host_key()),
            address=args.address,
            port=args.port,
        )
        with contextlib.suppress(
            ConfigError
        ):  # without it no daemon is told, and no transfer is worse for it
            os.environ.setdefault(RUN_DIRECTORY, str(config.load(None, os.environ).run_directory))
        logging.getLogger("asyncssh").setLevel(logging.WARNING)
        asyncio.run(_serve(settings, args.port_file))
    except (_CannotStart, UsersFileError, HostKeyError, PasswordError) as problem:
        print(f"asperacentral node: {problem}", file=sys.stderr)
        return 1
    return 0


def default_host_key() -> Path:
    """The host key's place if none is given: the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "asperacentral" / "node_host_key"


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is 0 to 65535")
    return port


def _users(args: argparse.Namespace) -> Users:
    if args.one_user is not None:
        password = os.environ.pop(PASSWORD_VARIABLE, "")
        if not password:
            raise _CannotStart(f"--one-user needs the password in the environment, as {PASSWORD_VARIABLE}")
        if args.docroot is None:
            raise _CannotStart("--one-user needs --docroot DIR, the folder to show")
        return one_user(args.one_user, password, args.docroot)
    if args.users is None:
        raise _CannotStart(
            "nobody could log in; name a users file with --users FILE (asperacentral node --help shows one,"
            " --hash-password makes its hashes)"
        )
    return read_users(args.users, args.docroot)


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise _CannotStart("the two passwords differ")
    return password


async def _serve(settings: NodeSettings, port_file: Path | None) -> None:
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    node = Node(settings)
    try:
        async with node:
            if port_file is not None:
                _write_port(port_file, node.port)
            print(f"listening on {node.where}, host key {node.fingerprint}", flush=True)
            await ending.wait()
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise _CannotStart(f"cannot listen on {node.where}: {reason}") from None


def _write_port(file: Path, port: int) -> None:
    """Write the port so that a reader sees all of it or no file."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(f"{port}\n", "ascii")
        draft.replace(file)
    except OSError as problem:
        raise _CannotStart(f"cannot write the port file {file}: {problem.strerror}") from None
