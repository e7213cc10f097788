"""The command line of one session as frozen values; `option_table` lists the options, this module what they mean.

An option of ascp that is not supported is refused, never ignored, since ignoring one could move the wrong files.
Secrets come by environment and are taken out of it when read. Rates are Kbps, sizes bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import time
import uuid
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asperacentral.fasp.messages import LARGEST_RATE
from asperacentral.fasp.proof import KEY_VARIABLE
from asperacentral.openascp import hostkeys
from asperacentral.openascp.files.afterwards import Afterwards
from asperacentral.openascp.files.attributes import Preserve
from asperacentral.openascp.files.selection import PatternError, Rule, Selection, TimeLimits, moment
from asperacentral.openascp.option_sources import Sources, read_sources
from asperacentral.openascp.option_table import UsageError, manager_parser, parser
from asperacentral.openascp.option_values import Rate

__all__ = ["Options", "Secrets", "UsageError", "manager_of", "parse", "session_id_of"]

MOST_MANAGERS = 31
_TAG = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the environment brought. Shown by nobody."""

    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    """The text of a private key."""
    file_passphrase: str = field(default="", repr=False)
    management_key: str = field(default="", repr=False)

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Secrets:
        """Read the secrets and remove them, so that no child inherits them; those of no use here are removed too."""
        names = (
            "ASPERA_SCP_PASS",
            "ASPERA_SCP_TOKEN",
            "ASPERA_SCP_COOKIE",
            "ASPERA_SCP_KEY",
            "ASPERA_SCP_FILEPASS",
            KEY_VARIABLE,
        )
        password, token, cookie, key, file_passphrase, management_key = (
            environment.pop(name, "") for name in names
        )
        for name in ("ASPERA_SCP_LICENSE", "ASPERA_PROXY_PASS", "ASPERA_SRC_PASS", "ASPERA_DST_PASS"):
            environment.pop(name, None)
        return cls(password, token, " ".join(cookie.splitlines()), key, file_passphrase, management_key)


@dataclass(frozen=True, slots=True)
class Options:
    """One session's command line. Paths of files to move are bytes.

    `placed` is empty, or has for each source its path below the destination. `byte_range` is the first byte and the
    one after the last, 0 for the end. `target_share` and `minimum_share` are set instead of the rates when those are
    percentages of what `measure` finds.
    """

    mode: str
    host: str
    user: str
    sources: tuple[bytes, ...]
    destination: bytes
    several: bool = False
    placed: tuple[bytes, ...] = ()
    port: int = 22
    ipv6: bool = False
    udp_port: int = 33001
    transport: str = "any"
    datagram_size: int = 0
    target_rate: int = 10000
    minimum_rate: int = 0
    target_share: Rate | None = None
    minimum_share: Rate | None = None
    measure: str = ""
    rate_cap: int = 0
    policy: str = "fair"
    cipher: str = "aes128"
    read_block: int = 0
    write_block: int = 0
    resume_level: int = 0
    overwrite: str = "diff"
    create_path: bool = False
    precalculate: bool = False
    rules: tuple[Rule, ...] = ()
    limits: TimeLimits = TimeLimits()
    links: str = "follow"
    skip_special: bool = False
    skip_duplicates: bool = False
    byte_range: tuple[int, int] = (0, 0)
    preserve: Preserve = Preserve()
    afterwards: Afterwards = Afterwards()
    delete_before: bool = False
    save: bool = False
    save_suffix: str = ""
    checksum: str = "none"
    manifest: str = "none"
    manifest_path: Path | None = None
    manifest_suffix: str = ""
    file_crypt: str = ""
    key_files: tuple[Path, ...] = ()
    token: str = field(default="", repr=False)
    fingerprint: hostkeys.Fingerprint | None = None
    host_key_policy: str = "tofu"
    known_hosts: Path = Path()
    remote_program: str = ""
    managers: tuple[tuple[str, int], ...] = ()
    manager_port_file: Path | None = None
    no_port_files: bool = False
    keepalive: bool = False
    part: tuple[int, int] = (1, 1)
    multi_session_threshold: int = 0
    tags: str = ""
    retry_timeout: int = 0
    user_str: str = ""
    session_id: str = ""
    partial_tag: str = ""
    partial_suffix: str = ".partial"
    quiet: bool = False
    debug: int = 0
    log: str = ""
    log_size: int = 0

    @property
    def sending(self) -> bool:
        """Tell whether files leave this machine."""
        return self.mode == "send"

    @property
    def manager(self) -> tuple[str, int] | None:
        """The first manager, if there is one."""
        return self.managers[0] if self.managers else None

    @property
    def largest_rate(self) -> int:
        """The rate while the link is measured, and the most it can be found to carry, Kbps."""
        return self.rate_cap or LARGEST_RATE

    def selection(self) -> Selection:
        """Which files are moved."""
        return Selection(self.rules, self.limits)


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line without the program's name.

    UsageError when it is wrong; SystemExit after help or version were printed.
    """
    given = parser().parse_args(list(arguments))
    sources = read_sources(given)
    session_id = session_id_of(given.user_str)
    options = Options(
        mode=given.mode,
        host=given.host,
        user=given.user,
        sources=sources.paths,
        destination=sources.destination,
        several=sources.several,
        placed=sources.placed,
        port=given.port,
        ipv6=given.ipv6,
        udp_port=given.udp_port,
        transport=given.transport,
        datagram_size=given.datagram_size,
        target_rate=given.target_rate.of(0),
        minimum_rate=given.minimum_rate.of(0),
        target_share=given.target_rate if given.target_rate.percent else None,
        minimum_share=given.minimum_rate if given.minimum_rate.percent else None,
        measure=given.measure,
        rate_cap=given.rate_cap,
        policy=given.policy,
        cipher="none" if given.clear else given.cipher,
        read_block=given.read_block,
        write_block=given.write_block,
        resume_level=given.resume_level,
        overwrite=given.overwrite,
        create_path=given.create_path,
        precalculate=given.precalculate and not given.no_precalculate,
        rules=tuple(Rule(os.fsencode(pattern), exclude) for pattern, exclude in given.rules or ()),
        limits=_limits(given),
        links=given.symbolic_links,
        skip_special=given.skip_special_files,
        skip_duplicates=given.skip_dir_traversal_dupes,
        byte_range=given.byte_range,
        preserve=_preserve(given),
        afterwards=_afterwards(given),
        delete_before=given.delete_before_transfer,
        save=given.save or bool(given.save_suffix),
        save_suffix=given.save_suffix,
        checksum=given.checksum,
        manifest=given.file_manifest or ("text" if given.file_manifest_path else "none"),
        manifest_path=given.file_manifest_path,
        manifest_suffix=given.manifest_suffix,
        file_crypt=given.file_crypt,
        key_files=tuple(given.key_files or ()),
        token=given.token,
        fingerprint=given.fingerprint,
        host_key_policy="any" if given.ignore_host_key else given.host_key_policy,
        known_hosts=given.known_hosts.expanduser(),
        remote_program=given.remote_program,
        managers=tuple(given.managers or ()),
        manager_port_file=given.manager_port_file,
        no_port_files=given.no_mgmt_port_files,
        keepalive=given.keepalive,
        part=given.part,
        multi_session_threshold=given.multi_session_threshold,
        tags=given.tags or "",
        retry_timeout=given.retry_timeout,
        user_str=given.user_str,
        session_id=session_id,
        partial_tag=given.partial_tag or _tag(given, sources, session_id),
        partial_suffix=given.partial_suffix or ".partial",
        quiet=given.quiet,
        debug=given.debug + given.verbose,
        log=given.log[0],
        log_size=given.log[1],
    )
    _check(options, sources)
    return options


def manager_of(arguments: Sequence[str]) -> tuple[tuple[str, int] | None, str]:
    """The manager and the user string of a command line that is wrong elsewhere, as far as they can be read."""
    try:
        given, _ = manager_parser().parse_known_args(list(arguments))
    except UsageError:
        return None, ""
    return (given.managers[0] if given.managers else None), given.user_str


def session_id_of(user_str: str) -> str:
    """The session's UUID: the user string if it is one, else a fresh one."""
    return user_str.lower() if _is_uuid(user_str) else str(uuid.uuid4())


def _tag(given: argparse.Namespace, sources: Sources, session_id: str) -> str:
    """What partial files are named by: the session, or, of several that share the work, what they have in common."""
    sessions = given.part[1]
    if sessions == 1:
        return session_id.replace("-", "")[:12]
    common = (
        (given.mode, given.host, given.port, given.user, sessions, given.multi_session_threshold),
        (given.byte_range, sources.paths, sources.placed, sources.destination),
    )
    return hashlib.sha256(repr(common).encode()).hexdigest()[:12]


def _limits(given: argparse.Namespace) -> TimeLimits:
    now = time.time()
    newest, oldest = given.exclude_newer_than, given.exclude_older_than
    return TimeLimits(
        None if newest is None else moment(newest, now), None if oldest is None else moment(oldest, now)
    )


def _preserve(given: argparse.Namespace) -> Preserve:
    """What is kept. Where the receiving side is the far one, the --remote options say how it stores."""
    remote = given.mode == "send"
    return Preserve(
        modification_time=given.preserve_times or given.preserve_modification_time,
        access_time=given.preserve_times or given.preserve_access_time,
        source_access_time=given.preserve_source_access_time,
        uid=given.preserve_file_owner_uid,
        gid=given.preserve_file_owner_gid,
        xattrs=(remote and given.remote_preserve_xattrs) or given.preserve_xattrs,
        acls=(remote and given.remote_preserve_acls) or given.preserve_acls,
    )


def _afterwards(given: argparse.Namespace) -> Afterwards:
    return Afterwards(
        remove=given.remove,
        move_to=os.fsencode(given.move_to),
        remove_skipped=given.remove_skipped,
        remove_empty=given.remove_empty,
        remove_source_folder=given.remove_source_folder,
    )


def _check(options: Options, sources: Sources) -> None:
    """Refuse what does not fit together. UsageError."""
    rules: tuple[tuple[bool, str], ...] = (
        (
            not _TAG.fullmatch(options.partial_tag),
            "--partial-tag must be 1 to 64 letters, digits, dots, - or _",
        ),
        (
            any(len(text.splitlines()) > 1 for text in (options.user_str, options.host, options.user)),
            "-u, --host and --user must not hold line breaks",
        ),
        (len(options.managers) > MOST_MANAGERS, f"-M can be given {MOST_MANAGERS} times at most"),
        (
            bool(options.target_share or options.minimum_share) and not options.measure,
            "a rate in percent needs -w, which measures the link",
        ),
        (
            bool(options.afterwards.remove and options.afterwards.move_to),
            "--remove-after-transfer and --move-after-transfer exclude each other",
        ),
        (
            options.afterwards.remove_skipped and not options.afterwards.concerns(skipped=True),
            "--remove-skipped needs --remove-after-transfer or --move-after-transfer",
        ),
        (
            options.delete_before and (options.keepalive or len(options.sources) != 1 or sources.several),
            "--delete-before-transfer takes exactly one source, and no --keepalive",
        ),
        (
            options.delete_before and options.part != (1, 1),
            "--delete-before-transfer and -C exclude each other",
        ),
        (options.keepalive and options.part != (1, 1), "--keepalive and -C exclude each other"),
        (
            options.delete_before and options.part != (1, 1),
            "--delete-before-transfer and -C exclude each other: a session might delete what another has just moved",
        ),
        (
            bool(options.file_crypt) and options.part[1] > 1 and options.multi_session_threshold > 0,
            "--file-crypt and --multi-session-threshold exclude each other: what is encrypted is moved in one piece",
        ),
        (
            options.file_crypt == ("decrypt" if options.sending else "encrypt"),
            "--file-crypt=encrypt goes with --mode=send, decrypt with recv",
        ),
        (
            options.byte_range != (0, 0) and options.file_crypt == "decrypt",
            "-@ takes a part of the encrypted file, which cannot be decrypted alone",
        ),
    )
    for wrong, text in rules:
        if wrong:
            raise UsageError(text)
    try:
        options.selection()
    except PatternError as error:
        raise UsageError(str(error)) from None


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
