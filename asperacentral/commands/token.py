"""`asperacentral token`: make a token that permits a transfer, or the key that tokens are made with."""

from __future__ import annotations

import argparse
import base64
import os
import re
import secrets
import stat
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from asperacentral.openascp.names import BadPathError
from asperacentral.openascp.token import DIRECTIONS, Permission, TokenKeyError, check_key, issue

HELP = "make a token that permits a transfer with this server"

DESCRIPTION = """\
Print a token: whoever shows it to a server half that has the same key may transfer in one direction, beneath the
paths, until it expires, and nothing else. Paths begin at the docroot. For --direction send each is the folder that
files are sent into (made if it is missing); for recv a folder or a file.

The key is a file with a secret of 16 bytes or more, which others must not be able to read. The server knows the
same secret as <authorization><token><encryption_key> in aspera.conf, or as token_key of a node's user. A token
goes into an order as <ApplicationData><Token>, or to openascp as ASPERA_SCP_TOKEN in the environment.

Examples:
    asperacentral token --make-key /etc/asperacentral/token.key
    asperacentral token --key token.key --direction send --path /in/alice --expires 12h --user xfer
    asperacentral token --key token.key --direction recv --path /out/a.bin --path /out/b --expires 2027-01-31T12:00:00
"""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Mistake(Exception):
    """Why there is no token, fit to be shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--key", metavar="FILE", type=Path, help="the file with the secret")
    key.add_argument("--make-key", metavar="FILE", type=Path, help="make a new secret in FILE, and no token")
    parser.add_argument("--direction", choices=DIRECTIONS, help="what the token's holder does")
    parser.add_argument(
        "--path", metavar="PATH", dest="paths", action="append", default=[], help="may be repeated"
    )
    parser.add_argument(
        "--expires", metavar="WHEN", help="such as 90s, 30m, 12h, 7d, or a UTC time as 2027-01-31T12:00:00"
    )
    parser.add_argument("--user", metavar="NAME", default="", help="good for this login only (default: any)")


def run(args: argparse.Namespace) -> int:
    """0 when the token is printed or the key made, 1 with one line if not, 2 for wrong use."""
    try:
        if args.make_key is not None:
            _make_key(args.make_key)
            return 0
        if not args.direction or not args.paths or not args.expires:
            print("asperacentral token: --direction, --path and --expires are needed", file=sys.stderr)
            return 2
        now = int(time.time())
        paths = tuple(os.fsencode(path) for path in args.paths)
        permission = Permission(args.direction, paths, now, _expiry(args.expires, now), args.user)
        print(issue(_key(args.key), permission))
    except BadPathError as problem:
        print(f"asperacentral token: {problem.strerror}", file=sys.stderr)
        return 1
    except (_Mistake, TokenKeyError, ValueError) as problem:
        print(f"asperacentral token: {problem}", file=sys.stderr)
        return 1
    return 0


def _expiry(text: str, now: int) -> int:
    if match := re.fullmatch(r"([0-9]{1,9})([smhd])", text):
        return now + int(match[1]) * _UNITS[match[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Mistake(
            f"--expires: {text!r} is neither like 12h nor a time like 2027-01-31T12:00:00"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _key(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & stat.S_IROTH:
                raise _Mistake(f"{file}: everybody can read this key; chmod o-r it, or make a new one")
            return check_key(opened.read(64 * 1024))
    except OSError as problem:
        raise _Mistake(f"{file}: {problem.strerror}") from None


def _make_key(file: Path) -> None:
    """A new file, which only its owner can read; an existing one is left alone."""
    secret = base64.b64encode(secrets.token_bytes(32))
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(secret + b"\n")
    except OSError as problem:
        raise _Mistake(f"{file}: {problem.strerror}") from None
