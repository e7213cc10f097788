"""The sessions in memory: those under way and those that ended lately, in the order of their latest change.

The store has them all. What is here is everything that changed after `watermark`, so a query needs the store only
for what lies before it. Ended sessions leave when there are too many, the longest unchanged first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from asperacentral.central.model import SessionRecord

RECENT = 5_000
"""How many ended sessions stay in memory, with their renderings (about 4 kB each)."""


class SessionTable:
    """Session records by id."""

    def __init__(self, recent: int = RECENT) -> None:
        self._recent = recent
        self._live: dict[str, SessionRecord] = {}
        self._ended: dict[str, SessionRecord] = {}
        self._persisted: dict[str, int] = {}
        self.watermark = 0

    def start(self, records: Iterable[SessionRecord], watermark: int) -> None:
        """Take up the sessions the store has kept, newest change first or not; all are taken as ended."""
        self._ended = {record.id: record for record in sorted(records, key=lambda r: r.change)}
        self.watermark = watermark

    def __getitem__(self, session_id: str) -> SessionRecord | None:
        return self._live.get(session_id) or self._ended.get(session_id)

    def __iter__(self) -> Iterator[SessionRecord]:
        yield from self._ended.values()
        yield from self._live.values()

    def of(self, session_ids: Iterable[str]) -> list[SessionRecord]:
        """Those of the sessions that are here."""
        found = (self[session_id] for session_id in dict.fromkeys(session_ids))
        return [record for record in found if record is not None]

    def live(self, session_id: str) -> SessionRecord | None:
        """The session if it is under way."""
        return self._live.get(session_id)

    def live_ids(self) -> tuple[str, ...]:
        """Sessions under way, oldest first."""
        return tuple(self._live)

    def add(self, record: SessionRecord) -> None:
        """A session begins, or one of the store's is adopted."""
        self._ended.pop(record.id, None)
        self._live[record.id] = record

    def written(self, record: SessionRecord) -> None:
        """The record is being written as it is now."""
        self._persisted[record.id] = record.change

    def end(self, record: SessionRecord) -> None:
        """The session has ended; its record stays for a while."""
        self._live.pop(record.id, None)
        self._persisted.pop(record.id, None)
        self._ended[record.id] = record
        record.templates.clear()
        while len(self._ended) > self._recent:
            oldest = self._ended.pop(next(iter(self._ended)))
            self.watermark = max(self.watermark, oldest.change)

    def forget(self, before: float) -> None:
        """Drop the sessions that ended before `before` (seconds since the epoch): the store drops them too."""
        self._ended = {
            key: record for key, record in self._ended.items() if (record.end_date or 0.0) >= before
        }

    def behind(self) -> tuple[str, ...]:
        """Sessions here whose stored version lies before the watermark: not to be taken from the store."""
        return tuple(
            session_id for session_id in self._live if self._persisted.get(session_id, 0) <= self.watermark
        )
