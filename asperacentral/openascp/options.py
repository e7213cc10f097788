"""The command line: ascp's options as far as they take effect here, and a few of our own.

An option of ascp that is not supported is refused, never ignored, since ignoring one could move the wrong files.
Secrets come by environment only and are taken out of it when read. Rates are Kbps.
"""

from __future__ import annotations

import argparse
import os
import re
import uuid
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from asperacentral import __version__
from asperacentral.fasp.messages import POLICIES
from asperacentral.openascp import hostkeys, overwrite

CIPHERS = ("none", "aes128", "aes192", "aes256")
_MODES = ("", "-cfb", "-gcm", "cfb", "gcm")
_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([kKmMgG]?)")
_SCALE = {"": 1, "k": 1, "m": 1000, "g": 1_000_000}
_TAG = re.compile(r"[A-Za-z0-9._-]{1,64}")
LARGEST_RATE = 1_000_000_000
"""Kbps: 1 Tbit/s; more is taken for this."""
PORTS = range(1, 65536)


class UsageError(Exception):
    """The command line is wrong; the text is one line for its user."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the environment brought. Shown by nobody."""

    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Secrets:
        """Read the secrets and remove them, so that no child inherits them."""
        names = ("ASPERA_SCP_PASS", "ASPERA_SCP_TOKEN", "ASPERA_SCP_COOKIE")
        password, token, cookie = (environment.pop(name, "") for name in names)
        return cls(password, token, " ".join(cookie.splitlines()))


@dataclass(frozen=True, slots=True)
class Options:
    """One session's command line. Paths of files to move are bytes."""

    mode: str
    host: str
    user: str
    sources: tuple[bytes, ...]
    destination: bytes
    several: bool = False
    port: int = 22
    udp_port: int = 33001
    target_rate: int = 10000
    minimum_rate: int = 0
    policy: str = "fair"
    cipher: str = "aes128"
    resume_level: int = 0
    overwrite: str = "diff"
    create_path: bool = False
    precalculate: bool = False
    key_file: Path | None = None
    fingerprint: hostkeys.Fingerprint | None = None
    host_key_policy: str = "tofu"
    known_hosts: Path = Path()
    manager: tuple[str, int] | None = None
    manager_port_file: Path | None = None
    user_str: str = ""
    session_id: str = ""
    partial_tag: str = ""
    partial_suffix: str = ".partial"
    quiet: bool = False
    debug: int = 0
    log: str = ""

    @property
    def sending(self) -> bool:
        """Tell whether files leave this machine."""
        return self.mode == "send"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report what is wrong in one line; options of ascp that are unknown here are among it."""
        raise UsageError(message.replace("unrecognized arguments:", "option not supported:"))


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line without the program's name.

    UsageError when it is wrong; SystemExit after help or version were printed.
    """
    given = _parser().parse_args(list(arguments))
    sources, several = _sources(given)
    user_str = given.user_str
    session_id = session_id_of(user_str)
    tag = given.partial_tag or session_id.replace("-", "")[:12]
    if not _TAG.fullmatch(tag):
        raise UsageError("--partial-tag must be 1 to 64 letters, digits, dots, - or _")
    if "/" in given.partial_suffix or "\0" in given.partial_suffix or len(given.partial_suffix) > 64:
        raise UsageError("--partial-file-suffix must be a short text without /")
    if any(len(text.splitlines()) > 1 for text in (user_str, given.host, given.user)):
        raise UsageError("-u, --host and --user must not hold line breaks")
    return Options(
        mode=given.mode,
        host=given.host,
        user=given.user,
        sources=sources,
        destination=os.fsencode(given.paths[-1]),
        several=several,
        port=given.port,
        udp_port=given.udp_port,
        target_rate=given.target_rate,
        minimum_rate=given.minimum_rate,
        policy=given.policy,
        cipher="none" if given.clear else given.cipher,
        resume_level=given.resume_level,
        overwrite=given.overwrite,
        create_path=given.create_path,
        precalculate=given.precalculate,
        key_file=given.key_file,
        fingerprint=given.fingerprint,
        host_key_policy="any" if given.ignore_host_key else given.host_key_policy,
        known_hosts=given.known_hosts.expanduser(),
        manager=given.manager,
        manager_port_file=given.manager_port_file,
        user_str=user_str,
        session_id=session_id,
        partial_tag=tag,
        partial_suffix=given.partial_suffix or ".partial",
        quiet=given.quiet,
        debug=given.debug + given.verbose,
        log=given.log,
    )


def manager_of(arguments: Sequence[str]) -> tuple[tuple[str, int] | None, str]:
    """The manager and the user string of a command line that is wrong elsewhere, as far as they can be read."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-M", dest="manager", type=_address)
    parser.add_argument("-u", dest="user_str", default="")
    try:
        given, _ = parser.parse_known_args(list(arguments))
    except UsageError:
        return None, ""
    return given.manager, given.user_str


def session_id_of(user_str: str) -> str:
    """The session's UUID: the user string if it is one, else a fresh one."""
    return user_str.lower() if _is_uuid(user_str) else str(uuid.uuid4())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="openascp",
        description="Move files to or from an SSH server, with ascp's options.",
        epilog="Environment: ASPERA_SCP_PASS (password, or passphrase of the key), ASPERA_SCP_TOKEN,"
        " ASPERA_SCP_COOKIE.",
        allow_abbrev=False,
        usage="openascp [options] --mode=send|recv --host=HOST [--user=USER] source... destination",
    )
    _add_session_options(parser)
    _add_file_options(parser)
    _add_own_options(parser)
    parser.add_argument("paths", nargs="+", metavar="source... destination")
    return parser


def _add_session_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("session")
    add = group.add_argument
    add("-M", dest="manager", type=_address, metavar="[HOST:]PORT", help="report to the manager there")
    add(
        "-u",
        dest="user_str",
        default="",
        metavar="TEXT",
        help="comes back as UserStr; a UUID is the SessionId",
    )
    add("--mode", choices=("send", "recv"), required=True)
    add("--host", required=True)
    add("--user", default="")
    add("-P", dest="port", type=_port, default=22, help="SSH port (%(default)s)")
    add("-O", dest="udp_port", type=_port, default=33001, help="UDP port (%(default)s)")
    add("-l", dest="target_rate", type=_rate, default=10000, metavar="RATE", help="Kbps, or with k, m, g")
    add("-m", dest="minimum_rate", type=_rate, default=0, metavar="RATE")
    add("--policy", choices=POLICIES, default="fair")
    add("-c", dest="cipher", type=_cipher, default="aes128", help="none, aes128, aes192, aes256")
    add(
        "-T",
        dest="clear",
        action="store_true",
        help="ask for no encryption; over SSH data is encrypted anyway",
    )
    add("-i", dest="key_file", type=Path, metavar="KEYFILE", help="private key")
    add("--check-sshfp", dest="fingerprint", type=_fingerprint, metavar="FINGERPRINT")
    add("--ignore-host-key", action="store_true")
    add("-q", dest="quiet", action="store_true", help="print nothing")
    add("-v", dest="verbose", action="count", default=0)
    add("-D", dest="debug", action="count", default=0, help="log more; repeat for still more")
    add("-L", dest="log", default="", metavar="DIR|-", help="log there, - for the terminal")
    add("-A", action="version", version=f"openascp version {__version__}", help="print the version")


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    add = group.add_argument
    add("-k", dest="resume_level", type=int, choices=range(4), default=0, help="how files are compared")
    add("--overwrite", choices=overwrite.RULES, default="diff")
    add("-d", dest="create_path", action="store_true", help="make the destination folder")
    add("--file-list", type=Path, metavar="FILE", help="sources, one on each line")
    add("--source-prefix", default="", metavar="PATH", help="put before each source")
    add("--precalculate-job-size", dest="precalculate", action="store_true")
    add("--partial-file-suffix", dest="partial_suffix", default=".partial", metavar="TEXT")


def _add_own_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("not known to ascp")
    add = group.add_argument
    add(
        "--mgmt-port-file",
        dest="manager_port_file",
        type=Path,
        metavar="FILE",
        help="the manager's port, re-read",
    )
    add("--known-hosts", type=Path, default=Path("~/.ssh/known_hosts"), metavar="FILE")
    add("--host-key-policy", choices=hostkeys.POLICIES, default="tofu")
    add("--partial-tag", default="", metavar="TAG", help="marks this job's partial files")


def _sources(given: argparse.Namespace) -> tuple[tuple[bytes, ...], bool]:
    """All sources, and whether a list was given."""
    paths = [os.fsencode(path) for path in given.paths[:-1]]
    if given.file_list is not None:
        if paths:
            raise UsageError("--file-list and sources on the command line exclude each other")
        try:
            lines = given.file_list.read_bytes().split(b"\n")
        except OSError as error:
            raise UsageError(f"the file list cannot be read: {error.strerror}") from None
        paths = [line.removesuffix(b"\r") for line in lines if line.strip()]
    elif not paths:
        raise UsageError("sources and a destination are needed")
    if any(b"\0" in path for path in paths):
        raise UsageError("a path holds a NUL character")
    if prefix := os.fsencode(given.source_prefix):
        paths = [prefix.rstrip(b"/") + b"/" + path.lstrip(b"/") for path in paths]
    return tuple(paths), given.file_list is not None


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in PORTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", _port(port)


def _rate(text: str) -> int:
    found = _RATE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate in Kbps")
    return min(round(float(found[1]) * _SCALE[found[2].lower()]), LARGEST_RATE)


def _cipher(text: str) -> str:
    for cipher in CIPHERS:
        if text.lower().replace("aes-", "aes") in {cipher + mode for mode in _MODES}:
            return cipher
    raise argparse.ArgumentTypeError(f"{text!r} is no cipher")


def _fingerprint(text: str) -> hostkeys.Fingerprint:
    try:
        return hostkeys.Fingerprint.parse(text)
    except hostkeys.FingerprintError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
