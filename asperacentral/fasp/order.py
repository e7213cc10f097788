"""What one session is to move: the FASP Manager's `JobOrder`, independent of who asks.

Rates are Kbps (1,000 bit/s). Words for policy, overwrite and cipher are those of ascp's options.
"""

from __future__ import annotations

from dataclasses import dataclass

RESUME_LEVELS = ("none", "attributes", "sparse checksum", "full checksum")
"""ascp's -k 0..3."""

TRANSPORTS = ("any", "udp", "ssh")
"""What may carry the files: whatever gets through, UDP best; UDP and nothing else; the SSH connection (or SFTP)."""


@dataclass(frozen=True, slots=True)
class FileRules:
    """Which files are moved, how, and what becomes of them, in the words of ascp's options.

    `preserve` holds the ends of its --preserve options. Times of exclusion are seconds since the epoch, or before now
    if negative; blocks are bytes, 0 for the program's choice. `crypt` is encrypt, decrypt or empty. `save` keeps what
    would be overwritten, called by `save_suffix` where the program can.
    """

    symbolic_links: str = "follow"
    skip_special: bool = False
    exclude_patterns: tuple[str, ...] = ()
    exclude_older_than: int | None = None
    exclude_newer_than: int | None = None
    preserve: tuple[str, ...] = ()
    save: bool = False
    save_suffix: str = ""
    checksum: str = "none"
    manifest: str = "none"
    manifest_path: str = ""
    manifest_suffix: str = ""
    crypt: str = ""
    remove_after: bool = False
    remove_empty: bool = False
    read_block: int = 0
    write_block: int = 0


@dataclass(frozen=True, slots=True)
class JobOrder:
    """One session's work. `mode` is "send" (push) or "recv" (pull); secrets are plain text here and never logged.

    `destination` follows cp's rules: a directory if it is one, or with `create_path`, or with several sources;
    else a file name. `user_str` comes back as UserStr in every message; it is the session's id. `raw_options` are
    arguments that follow those made of the other fields, so that they win. `account` is the account of this machine
    that the process runs as, empty for the manager's own. With `measure` the link's capacity is measured first, and
    rates may be in percent of it; `rate_cap` (Kbps, 0 for none) bounds them. A `datagram_size` of 0 is what the path
    carries. `program` is ascp or ascp4. `transport` is one of `TRANSPORTS`.
    """

    user_str: str
    mode: str
    host: str
    sources: tuple[str, ...]
    destination: str
    port: int = 22
    user: str = ""
    key_path: str = ""
    password: str = ""
    token: str = ""
    cookie: str = ""
    partial_tag: str = ""
    create_path: bool = False
    resume_level: int = 2
    overwrite: str = "diff"
    policy: str = "fair"
    target_rate: int = 10000
    minimum_rate: int = 0
    udp_port: int = 33001
    cipher: str = "none"
    host_key_fingerprint: str = ""
    precalculate: bool = False
    partial_suffix: str = ""
    files: FileRules = FileRules()
    file_passphrase: str = ""
    program: str = "ascp"
    ipv6: bool = False
    no_port_files: bool = False
    datagram_size: int = 0
    transport: str = "any"
    measure: bool = False
    target_percent: int | None = None
    minimum_percent: int | None = None
    rate_cap: int = 0
    raw_options: tuple[str, ...] = ()
    account: str = ""

    def __repr__(self) -> str:
        """Shown without secrets and paths."""
        return f"<JobOrder {self.user_str} {self.mode} {self.user}@{self.host}:{self.port}>"
