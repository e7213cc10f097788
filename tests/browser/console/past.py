"""A console with a past: a daemon whose store holds sessions and files of the test's choice, and a user."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.ports import Write
from asperacentral.commands.local import LocalDaemon
from asperacentral.credentials.passwords import hash_password
from asperacentral.store.store import Store

USER, PASSWORD = "operator", "console-geheim"
LOOKER = "looker"

_USERS = f"""[users.{USER}]
password = "{hash_password(PASSWORD)}"
control = true
[users.{LOOKER}]
password = "{hash_password(PASSWORD)}"
"""


def console_daemon(folder: Path) -> LocalDaemon:
    """A daemon, not yet started, with a console."""
    folder.mkdir(parents=True, exist_ok=True)
    users = folder / "users.toml"
    users.write_text(_USERS)
    own = f"<asperacentral><console>enable</console><web_users>{users}</web_users></asperacentral>"
    return LocalDaemon(folder, more=own)


def remember(folder: Path, sessions: Sequence[SessionRecord], files: Sequence[FileRecord] = ()) -> None:
    """Put these into the store of a daemon that does not run."""
    store = Store(folder / "var/central-store.db", folder / "var/central-store.key", lambda f, *a: f(*a))
    store.write(Write(sessions=tuple(sessions), files=tuple(files)), durable=True, give_up=True).result(60)
    store.close()


def past_session(number: int, **values: object) -> SessionRecord:
    """A session that has ended well, `number` seconds before now unless said otherwise."""
    now = time.time()
    record = SessionRecord(
        id=f"00000000-0000-4000-8000-{number:012d}",
        start_date=now - 60 - number,
        end_date=now - 30,
        status="completed",
        cookie=f"reel {number}",
        user="ingest",
        server_address="192.0.2.7",
        bytes_transferred=number * 1_000_000,
        expected_byte_count=number * 1_000_000,
        files_complete=number,
        change=number + 1,
    )
    for name, value in values.items():
        setattr(record, name, value)
    return record


def past_file(session: SessionRecord, number: int, path: str, **values: object) -> FileRecord:
    """A file of it that was moved."""
    record = FileRecord(
        session_id=session.id,
        path=path,
        local_id=number,
        id=f"00000000-00000000-00000000-00000000-{number:08d}",
        start_date=session.start_date,
        end_date=session.end_date,
        status="completed",
        size=number * 1000,
        bytes_written=number * 1000,
        change=1_000_000 + number,
    )
    for name, value in values.items():
        setattr(record, name, value)
    return record
