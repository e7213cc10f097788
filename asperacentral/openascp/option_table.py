"""openascp's command line: every option of ascp, taken or refused with the reason, and a few of our own."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from asperacentral import __version__
from asperacentral.fasp.messages import POLICIES
from asperacentral.fasp.order import TRANSPORTS
from asperacentral.openascp import hostkeys, overwrite
from asperacentral.openascp import option_values as values
from asperacentral.openascp.files import attributes, checksums, links, manifest

REFUSED: dict[str, tuple[str, str]] = {
    "-K": ("RATE", "the link is measured by the session's own data (-w), not by probes"),
    "-X": ("SIZE", "what is lost is asked for in ranges, not in requests of a size"),
    "-SSH": ("", "the SSH client is built in"),
    "--ssh-arg": ("ARGUMENT", "the SSH client is built in"),
    "--ws-connect": ("", "sessions begin over SSH, not over WebSocket"),
    "--proxy": ("URL", "Aspera proxies are not supported"),
    "-t": ("PORT", "there is no HTTP fallback"),
    "-Y": ("FILE", "there is no HTTP fallback"),
    "-I": ("FILE", "there is no HTTP fallback"),
    "-x": ("HOST[:PORT]", "there is no HTTP fallback"),
    "-j": ("NUMBER", "there is no HTTP fallback"),
    "-e": ("FILE", "scripts before and after are not run: follow the session's messages instead"),
    "-f": ("FILE", "the client side reads no aspera.conf"),
    "-R": ("DIR", "the far side logs where its own configuration says"),
    "--apply-local-docroot": ("", "the client side has no docroot"),
    "--preserve-creation-time": ("", "Linux has no way to set the creation time of a file"),
}
"""Options of ascp that are not supported: how their value is called, empty if they have none, and why."""


class UsageError(Exception):
    """The command line is wrong; the text is one line for its user."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report what is wrong in one line; options of ascp that are unknown here are among it."""
        text = message.replace("unrecognized arguments:", "option not supported:")
        raise UsageError(" ".join(text.split()))


class _Refuse(argparse.Action):
    """An option of ascp that is known and not supported."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Say why."""
        option = str(option_string)
        raise UsageError(f"option not supported: {option}: {REFUSED[option][1]}")


class _Fallback(argparse.Action):
    """-y: only 0 is possible."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Say why not."""
        if values != "0":
            raise UsageError(f"option not supported: -y {values}: there is no HTTP fallback")


@functools.cache
def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; it raises UsageError instead of ending the process."""
    made = _Parser(
        prog="openascp",
        description="Move files to or from an SSH server, with ascp's options.",
        epilog="Environment: ASPERA_SCP_PASS (password, or passphrase of the key), ASPERA_SCP_KEY (text of the private"
        " key), ASPERA_SCP_TOKEN, ASPERA_SCP_COOKIE, ASPERA_SCP_FILEPASS (passphrase of --file-crypt).",
        allow_abbrev=False,
        usage="openascp [options] --mode=send|recv --host=HOST [--user=USER] source... destination",
    )
    _add_session_options(made)
    _add_rate_options(made)
    _add_source_options(made)
    _add_file_options(made)
    _add_attribute_options(made)
    _add_clean_up_options(made)
    _add_own_options(made)
    _add_refused_options(made)
    made.add_argument("paths", nargs="*", metavar="source... destination")
    return made


def manager_parser() -> argparse.ArgumentParser:
    """For a command line that is wrong elsewhere: only who is to be told."""
    made = _Parser(add_help=False, allow_abbrev=False)
    made.add_argument("-M", dest="managers", action="append", type=values.address)
    made.add_argument("-u", dest="user_str", default="")
    return made


def _add_session_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("session").add_argument
    add(
        "-M",
        dest="managers",
        action="append",
        type=values.address,
        metavar="[HOST:]PORT",
        help="report to the manager there; may be repeated",
    )
    add("--no-mgmt-port-files", action="store_true", help="do not look for managers in port files")
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
    add("-P", dest="port", type=values.port, default=22, metavar="PORT", help="SSH port (%(default)s)")
    add("-6", dest="ipv6", action="store_true", help="connect by IPv6 only")
    add(
        "-i",
        dest="key_files",
        action="append",
        type=Path,
        metavar="KEYFILE",
        help="private key; may be repeated",
    )
    add(
        "-W",
        dest="token",
        default="",
        metavar="TOKEN",
        help="authorization token; ASPERA_SCP_TOKEN is not seen by others",
    )
    add("--check-sshfp", dest="fingerprint", type=values.fingerprint, metavar="FINGERPRINT")
    add("--ignore-host-key", action="store_true")
    add("-c", dest="cipher", type=values.cipher, default="aes128", help="none, aes128, aes192, aes256")
    add(
        "-T",
        dest="clear",
        action="store_true",
        help="ask for no encryption; over SSH data is encrypted anyway",
    )
    add("-S", dest="remote_program", default="", metavar="COMMAND", help="the far side's openascp")
    add(
        "--tags64",
        dest="tags",
        type=values.base64_tags,
        default=None,
        metavar="BASE64",
        help="JSON shown to managers",
    )
    add("--retry-timeout", type=values.count, default=0, metavar="SECONDS", help="told to managers, no more")
    add("--keepalive", action="store_true", help="take sources from the manager until it ends the session")
    add(
        "-C",
        dest="part",
        type=values.part,
        default=(1, 1),
        metavar="M:N",
        help="this is session M of N of one transfer",
    )
    add(
        "--multi-session-threshold",
        type=values.size,
        default=0,
        metavar="BYTES",
        help="split files from this size on",
    )
    add("-y", action=_Fallback, metavar="0", help="no HTTP fallback, as always")
    add("-q", dest="quiet", action="store_true", help="print nothing")
    add("-v", dest="verbose", action="count", default=0)
    add("-D", dest="debug", action="count", default=0, help="log more; repeat for still more")
    add(
        "-L",
        dest="log",
        type=values.log_place,
        default=("", 0),
        metavar="DIR[:MB]|-",
        help="log there, - for the terminal",
    )
    add("-A", action="version", version=f"openascp version {__version__}", help="print the version")


def _add_rate_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("rates").add_argument
    nothing, usual = values.Rate(0), values.Rate(10000)
    add(
        "-l",
        dest="target_rate",
        type=values.rate,
        default=usual,
        metavar="RATE",
        help="Kbps, or with k, m, g, %%",
    )
    add("-m", dest="minimum_rate", type=values.rate, default=nothing, metavar="RATE")
    add("--policy", choices=POLICIES, default="fair")
    add(
        "-w",
        dest="measure",
        choices=("r", "f"),
        default="",
        help="measure the link first; rates may be in percent of it",
    )
    add("-O", dest="udp_port", type=values.port, default=33001, metavar="PORT", help="UDP port (%(default)s)")
    add(
        "-Z",
        dest="datagram_size",
        type=values.datagram_size,
        default=0,
        metavar="BYTES",
        help="0: what the path carries",
    )
    add(
        "-g",
        dest="read_block",
        type=values.block_size,
        default=0,
        metavar="BYTES",
        help="most to read at a time",
    )
    add(
        "-G",
        dest="write_block",
        type=values.block_size,
        default=0,
        metavar="BYTES",
        help="most to write at a time",
    )


def _add_source_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("sources and destination").add_argument
    add("--file-list", type=Path, metavar="FILE", help="sources, one on each line")
    add(
        "--file-pair-list",
        type=Path,
        metavar="FILE",
        help="sources and their names below the destination, by turns",
    )
    add("--source-prefix", default="", metavar="PATH", help="put before each source")
    add("--source-prefix64", type=values.base64_path, default=b"", metavar="BASE64")
    add("--src-base", default="", metavar="PATH", help="keep the folders below it at the destination")
    add("--src-base64", type=values.base64_path, default=b"", metavar="BASE64")
    add("--dest64", action="store_true", help="the destination is given in base64")
    add("-d", dest="create_path", action="store_true", help="make the destination folder")
    add(
        "-E",
        dest="rules",
        action="append",
        type=lambda text: (text, True),
        metavar="PATTERN",
        help="leave out",
    )
    add(
        "-N",
        dest="rules",
        action="append",
        type=lambda text: (text, False),
        metavar="PATTERN",
        help="protect from the -E after it",
    )
    add(
        "--exclude-newer-than",
        type=values.seconds,
        metavar="SECONDS",
        help="by last change; negative: before now",
    )
    add("--exclude-older-than", type=values.seconds, metavar="SECONDS")
    add("--symbolic-links", choices=links.POLICIES, default="follow")
    add(
        "--skip-special-files",
        action="store_true",
        help="leave out devices, pipes and sockets without an error",
    )
    add(
        "--skip-dir-traversal-dupes",
        action="store_true",
        help="scan a folder once, however many links lead to it",
    )
    add("--precalculate-job-size", dest="precalculate", action="store_true")
    add("--precalculate-disable", dest="no_precalculate", action="store_true")
    add(
        "-@",
        dest="byte_range",
        type=values.byte_range,
        default=(0, 0),
        metavar="LOW:HIGH",
        help="these bytes only",
    )


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("files").add_argument
    add("-k", dest="resume_level", type=int, choices=range(4), default=0, help="how files are compared")
    add("--overwrite", choices=overwrite.RULES, default="diff")
    add("--save-before-overwrite", dest="save", action="store_true", help="keep what would be overwritten")
    add(
        "--partial-file-suffix", dest="partial_suffix", type=values.suffix, default=".partial", metavar="TEXT"
    )
    add("--file-checksum", dest="checksum", choices=checksums.NAMES, default="none")
    add("--file-manifest", choices=manifest.POLICIES, default="")
    add("--file-manifest-path", type=Path, metavar="DIR")
    add(
        "--file-manifest-inprogress-suffix",
        dest="manifest_suffix",
        type=values.suffix,
        default="",
        metavar="TEXT",
    )
    add("--file-crypt", choices=("encrypt", "decrypt"), default="", help="encryption at rest")


def _add_attribute_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("attributes").add_argument
    add(
        "-p",
        "--preserve-times",
        dest="preserve_times",
        action="store_true",
        help="time of last change and access",
    )
    for name in (
        "modification-time",
        "access-time",
        "source-access-time",
        "file-owner-uid",
        "file-owner-gid",
    ):
        add(f"--preserve-{name}", action="store_true")
    for name in ("acls", "xattrs"):
        add(f"--preserve-{name}", choices=attributes.STORAGES, default="none")
        add(f"--remote-preserve-{name}", choices=attributes.STORAGES, default="")


def _add_clean_up_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("before and after").add_argument
    add(
        "--delete-before-transfer",
        action="store_true",
        help="at the destination, what the source does not have",
    )
    add("--remove-after-transfer", dest="remove", action="store_true", help="sources that were moved")
    add("--move-after-transfer", dest="move_to", default="", metavar="DIR", help="sources that were moved")
    add("--remove-skipped", action="store_true", help="also sources that were there already")
    add("--remove-empty-directories", dest="remove_empty", action="store_true", help="below the sources")
    add(
        "--remove-empty-source-directory",
        dest="remove_source_folder",
        action="store_true",
        help="sources themselves",
    )


def _add_own_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("not known to ascp").add_argument
    add(
        "--mgmt-port-file",
        dest="manager_port_file",
        type=Path,
        metavar="FILE",
        help="the manager's port, re-read",
    )
    add("--known-hosts", type=Path, default=Path("~/.ssh/known_hosts"), metavar="FILE")
    add("--host-key-policy", choices=hostkeys.POLICIES, default="tofu")
    add(
        "--rate-cap",
        type=values.count,
        default=0,
        metavar="KBPS",
        help="no measured rate is higher; 0: no cap",
    )
    add(
        "--transport",
        choices=TRANSPORTS,
        default="any",
        help="udp: end with an error where UDP does not get through; ssh: do not try it",
    )
    add("--partial-tag", default="", metavar="TAG", help="marks this job's partial files")
    add(
        "--save-suffix",
        type=values.suffix,
        default="",
        metavar="TEXT",
        help="names what --save-before-overwrite keeps",
    )


def _add_refused_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("of ascp and not supported").add_argument
    for option, (metavar, reason) in REFUSED.items():
        if metavar:
            add(option, action=_Refuse, metavar=metavar, help=reason)
        else:
            add(option, action=_Refuse, nargs=0, help=reason)
