"""What was downloaded of each package, on disk: a package of many files counts when every file has been, whichever
requests carried them.

A package is what a token permits to be fetched: its user and its paths, so that a token made anew for the same folder
continues where the one before ended. A file counts when the request that brought it ended well, and as long as it is
the one that was brought: same size, same time of its last change.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from asperacentral.gateway.backends import Offered

NEW, PARTLY, DOWNLOADED = "new", "partially downloaded", "downloaded"

_metadata = sa.MetaData()
_files = sa.Table(
    "downloaded_files",
    _metadata,
    sa.Column("package", sa.Text, primary_key=True),
    sa.Column("path", sa.LargeBinary, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("modified", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class PackageState:
    """How far a package has been downloaded; `missing` are the paths that were not yet."""

    files: int
    missing: Sequence[bytes]

    @property
    def word(self) -> str:
        """In a word."""
        if not self.missing and self.files:
            return DOWNLOADED
        return NEW if len(self.missing) == self.files else PARTLY


def package_name(user: str, paths: Iterable[bytes]) -> str:
    """What stands for a package here."""
    said = b"\0".join([user.encode("utf-8", "surrogateescape"), *sorted(paths)])
    return hashlib.sha256(said).hexdigest()


class Packages:
    """The record of one gateway, in an SQLite file. Every method may be called in any thread, and waits for the disk.

    OSError or sqlalchemy's errors when the file cannot be used.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})
        self._lock = threading.Lock()

        @sa.event.listens_for(self._engine, "connect")
        def durable(connection: object, _record: object) -> None:
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]

        with self._engine.begin() as connection:
            _metadata.create_all(connection)
        file.chmod(0o600)

    def note(self, package: str, files: Sequence[Offered], at: float) -> None:
        """These were brought whole; on disk when this returns. `at` is seconds since the epoch."""
        rows = [
            {"package": package, "path": each.path, "size": each.size, "modified": each.modified, "at": at}
            for each in files
        ]
        if not rows:
            return
        statement = insert(_files)
        renewed = {name: statement.excluded[name] for name in ("size", "modified", "at")}
        with self._lock, self._engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["package", "path"], set_=renewed), rows
            )

    def state(self, package: str, files: Sequence[Offered]) -> PackageState:
        """How far the package has come that has these files now."""
        asked = sa.select(_files.c.path, _files.c.size, _files.c.modified).where(_files.c.package == package)
        with self._engine.connect() as connection:
            known = {(row.path, row.size, row.modified) for row in connection.execute(asked)}
        missing = [each.path for each in files if (each.path, each.size, each.modified) not in known]
        return PackageState(len(files), missing)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()
