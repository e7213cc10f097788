"""What the client remembers over restarts, in one SQLite file: transfers, sites the user allowed, names it gave to
them.

Each change is on the disk when a method returns. The transfer specs as they came, with their secrets, are sealed with
a key that is a file of its own; they go with the transfer.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asperacentral.client.grants import MOST, Grant
from asperacentral.client.transfer import Transfer
from asperacentral.store.seal import Seal, SealBroken

_SCHEMA = """
CREATE TABLE IF NOT EXISTS transfers (
    uuid TEXT PRIMARY KEY,
    added REAL NOT NULL,
    kept TEXT NOT NULL,
    sealed BLOB
);
CREATE TABLE IF NOT EXISTS sites (
    origin TEXT PRIMARY KEY,
    allowed INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS grants (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    origin TEXT NOT NULL,
    path BLOB NOT NULL,
    to_save INTEGER NOT NULL
);
"""


class Book:
    """The client's memory in `folder`. Used by one thread. OSError or sqlite3.Error when it cannot be had."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._seal = Seal(folder / "client.key")
        path = folder / "client.db"
        path.touch(0o600)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Be done."""
        self._database.close()

    # Transfers.

    def transfers(self) -> list[tuple[Transfer, dict[str, Any]]]:
        """All transfers, oldest first, each with the spec as it came; empty where the seal is broken."""
        rows = self._database.execute("SELECT kept, sealed FROM transfers ORDER BY added").fetchall()
        return [(Transfer.restored(json.loads(kept)), self._opened(sealed)) for kept, sealed in rows]

    def add(self, transfer: Transfer, spec: dict[str, Any]) -> None:
        """Remember a new one, or one with a new spec."""
        sealed = self._seal.close({"spec": json.dumps(spec)})
        row = (transfer.uuid, transfer.add_time, json.dumps(transfer.stored()), sealed)
        self._database.execute("INSERT OR REPLACE INTO transfers VALUES (?, ?, ?, ?)", row)

    def update(self, transfer: Transfer) -> None:
        """Remember how it stands now."""
        kept = json.dumps(transfer.stored())
        self._database.execute("UPDATE transfers SET kept = ? WHERE uuid = ?", (kept, transfer.uuid))

    def drop_secrets(self, transfer_id: str) -> None:
        """Forget the spec as it came: nothing more is to be moved."""
        self._database.execute("UPDATE transfers SET sealed = NULL WHERE uuid = ?", (transfer_id,))

    def remove(self, transfer_id: str) -> None:
        """Forget it."""
        self._database.execute("DELETE FROM transfers WHERE uuid = ?", (transfer_id,))

    # Sites.

    def sites(self) -> dict[str, bool]:
        """Origins that were decided upon, and whether they are allowed."""
        rows = self._database.execute("SELECT origin, allowed FROM sites ORDER BY origin").fetchall()
        return {origin: bool(allowed) for origin, allowed in rows}

    def decide(self, origin: str, allowed: bool) -> None:
        """Remember the user's decision."""
        self._database.execute("INSERT OR REPLACE INTO sites VALUES (?, ?)", (origin, int(allowed)))

    def forget(self, origin: str) -> bool:
        """Ask again next time; whether there was a decision."""
        return self._database.execute("DELETE FROM sites WHERE origin = ?", (origin,)).rowcount > 0

    # Names of files that pages were given.

    def grants(self) -> list[Grant]:
        """Those that are remembered, oldest first."""
        self._database.execute(
            "DELETE FROM grants WHERE number <= (SELECT max(number) FROM grants) - ?", (MOST,)
        )
        rows = self._database.execute(
            "SELECT key, origin, path, to_save FROM grants ORDER BY number"
        ).fetchall()
        return [
            Grant(key, origin, Path(os.fsdecode(path)), bool(to_save)) for key, origin, path, to_save in rows
        ]

    def grant(self, grants: Sequence[Grant]) -> None:
        """Remember new ones."""
        rows = [(each.key, each.origin, os.fsencode(each.path), int(each.to_save)) for each in grants]
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO grants (key, origin, path, to_save) VALUES (?, ?, ?, ?)", rows
        )
        self._database.execute("COMMIT")

    def _opened(self, sealed: bytes | None) -> dict[str, Any]:
        try:
            spec: dict[str, Any] = json.loads(self._seal.open(sealed).get("spec", "{}"))
        except SealBroken:
            return {}
        return spec
