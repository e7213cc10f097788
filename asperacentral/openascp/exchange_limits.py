"""What two halves cannot do: a session that asks for it goes by SFTP, or ends with a clear error if that cannot."""

from __future__ import annotations

from collections.abc import Callable

from asperacentral.openascp.files.afterwards import Afterwards
from asperacentral.openascp.files.selection import TimeLimits
from asperacentral.openascp.options import Options

Asked = Callable[[Options], bool]

NOT_BY_EXCHANGE: tuple[tuple[str, Asked], ...] = (
    ("--preserve-acls", lambda options: options.preserve.acls != "none"),
    ("--preserve-xattrs", lambda options: options.preserve.xattrs != "none"),
    ("--keepalive", lambda options: options.keepalive),
    ("-C", lambda options: options.part != (1, 1)),
    ("-@", lambda options: options.byte_range != (0, 0)),
    ("-p and --preserve-...", lambda options: options.preserve.times or options.preserve.source_access_time),
    ("--preserve-file-owner-uid and -gid", lambda options: options.preserve.uid or options.preserve.gid),
    ("-E, -N and --exclude-...", lambda options: bool(options.rules) or options.limits != TimeLimits()),
    ("--symbolic-links", lambda options: options.links != "follow"),
    ("--skip-special-files", lambda options: options.skip_special),
    ("--skip-dir-traversal-dupes", lambda options: options.skip_duplicates),
    ("--src-base and --file-pair-list", lambda options: bool(options.placed)),
    ("--delete-before-transfer", lambda options: options.delete_before),
    ("options for after the transfer", lambda options: options.afterwards != Afterwards()),
    ("--save-before-overwrite", lambda options: options.save),
    ("--file-checksum", lambda options: options.checksum != "none"),
    ("--file-crypt", lambda options: bool(options.file_crypt)),
    ("-w", lambda options: bool(options.measure)),
    ("-g and -G", lambda options: bool(options.read_block or options.write_block)),
)


def not_by_exchange(options: Options) -> str:
    """The first option that was given and that halves cannot carry out; empty when there is none."""
    return next((name for name, asked in NOT_BY_EXCHANGE if asked(options)), "")
