"""What a session can ask for that SFTP cannot give: with a far side that has no openascp it ends with a clear error."""

from __future__ import annotations

from collections.abc import Callable

from asperacentral.openascp.options import Options

Asked = Callable[[Options], bool]

IMPOSSIBLE: tuple[tuple[str, Asked], ...] = (
    ("--preserve-acls", lambda options: options.preserve.acls != "none"),
    ("--preserve-xattrs", lambda options: options.preserve.xattrs != "none"),
    ("--keepalive", lambda options: options.keepalive),
    ("-C", lambda options: options.part != (1, 1)),
    ("-@", lambda options: options.byte_range != (0, 0)),
    (
        "--file-checksum with --file-crypt",  # it is that of the encrypted form, which is nowhere as a whole
        lambda options: options.checksum != "none" and bool(options.file_crypt),
    ),
    (
        "--preserve-source-access-time",  # setting it would cut off the fractions of the time of last change
        lambda options: options.preserve.source_access_time and not options.sending,
    ),
)


def impossible(options: Options) -> str:
    """The first option that was given and cannot be carried out over SFTP; empty when there is none."""
    return next((name for name, asked in IMPOSSIBLE if asked(options)), "")
