"""What one session is to move: the FASP Manager's `JobOrder`, independent of who asks.

Rates are Kbps (1,000 bit/s). Words for policy, overwrite and cipher are those of ascp's options.
"""

from __future__ import annotations

from dataclasses import dataclass

RESUME_LEVELS = ("none", "attributes", "sparse checksum", "full checksum")
"""ascp's -k 0..3."""


@dataclass(frozen=True, slots=True)
class JobOrder:
    """One session's work. `mode` is "send" (push) or "recv" (pull); secrets are plain text here and never logged.

    `destination` follows cp's rules: a directory if it is one, or with `create_path`, or with several sources;
    else a file name. `user_str` comes back as UserStr in every message; it is the session's id. `raw_options` are
    arguments that follow those made of the other fields, so that they win. `account` is the account of this machine
    that the process runs as, empty for the manager's own.
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
    raw_options: tuple[str, ...] = ()
    account: str = ""

    def __repr__(self) -> str:
        """Shown without secrets and paths."""
        return f"<JobOrder {self.user_str} {self.mode} {self.user}@{self.host}:{self.port}>"
