"""Answering the reliable query: what is in memory and what is in the store, as one stream (contract §7).

Every answer is a stretch of the stream of changes: items by their latest change, after a position. Memory knows
the newest state of what is under way; the store knows the rest. A query looks at one moment: what changes while it
is answered lies after that moment and is for the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from asperacentral.central import query
from asperacentral.central.futures import chain, done, then
from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.ports import Store
from asperacentral.central.query import FileTransferFilter, InfoPage, Page, SessionFilter
from asperacentral.central.runner import Runner
from asperacentral.central.sessions import SessionTable
from asperacentral.central.stamps import Stamps

Batch = tuple[Sequence[Any], int]
"""Matching items by change, at most as many as asked for, and how many more there are."""

Claimant = Callable[[FileTransferFilter, int], Future[Batch]]
"""Claims matching files that changed after a position."""


class Queries:
    """Evaluates filters over memory and store."""

    def __init__(self, store: Store, table: SessionTable, runner: Runner, stamps: Stamps) -> None:
        self._store = store
        self._table = table
        self._runner = runner
        self._stamps = stamps

    def sessions(self, wanted: SessionFilter) -> Future[Page[SessionRecord]]:
        """A page of sessions. Raises FilterChanged, InvalidValue."""
        return self._sessions("sessions", wanted, wanted)

    def sessions_in_validation(self, validator: str, wanted: SessionFilter) -> Future[Page[SessionRecord]]:
        """As `sessions`, of those with files that the validator could claim or has claimed."""

        def among(ids: Sequence[str]) -> Future[Page[SessionRecord]]:
            asked = frozenset(wanted.session_uuid or ids)
            # An id that no session has, since an empty criterion would be met by all.
            these = tuple(each for each in ids if each in asked) or ("",)
            return self._sessions("in validation", wanted, replace(wanted, session_uuid=these))

        return chain(self._store.sessions_in_validation(validator), among)

    def claimed(self, wanted: FileTransferFilter, claim: Claimant) -> Future[Page[FileRecord]]:
        """A page of files that `claim` has given to a validator just now. Raises FilterChanged, InvalidValue.

        What is left to claim stays where it is in the stream, so that the position moves on only after the last.
        """
        wanted = query.normalized(wanted)
        after, upto = self._position("claim", wanted), self._stamps.change
        self._runner.write_files()

        def page(batch: Batch) -> Page[FileRecord]:
            token = query.encode_token(after if batch[1] else upto, "claim", wanted)
            return Page(tuple(batch[0]), batch[1], token)

        return then(claim(wanted, after), page)

    def claimed_info(self, wanted: FileTransferFilter, claim: Claimant) -> Future[InfoPage]:
        """As `claimed`, with the sessions that own the files."""

        def owners(page: Page[FileRecord]) -> Future[InfoPage]:
            ids = tuple(dict.fromkeys(file.session_id for file in page.items)) or ("",)
            found = self._session_batch(self._owned_by(ids), 0, self._stamps.change)
            return then(
                found,
                lambda batch: InfoPage(tuple(batch[0]), page.items, page.remaining, page.iteration_token),
            )

        return chain(self.claimed(wanted, claim), owners)

    @staticmethod
    def _owned_by(ids: tuple[str, ...]) -> SessionFilter:
        return SessionFilter(session_uuid=ids, max_results=query.MAX_RESULTS)

    def _sessions(
        self, call: str, wanted: SessionFilter, evaluated: SessionFilter
    ) -> Future[Page[SessionRecord]]:
        wanted, evaluated = query.normalized(wanted), query.normalized(evaluated)
        after, upto = self._position(call, wanted), self._stamps.change
        return then(
            self._session_batch(evaluated, after, upto),
            lambda batch: self._page(call, wanted, batch, upto),
        )

    def files(self, wanted: FileTransferFilter) -> Future[Page[FileRecord]]:
        """A page of file transfers. Raises FilterChanged, InvalidValue."""
        wanted = query.normalized(wanted)
        after, upto = self._position("files", wanted), self._stamps.change
        return then(
            self._file_batch(wanted, after, upto), lambda batch: self._page("files", wanted, batch, upto)
        )

    def info(self, wanted: FileTransferFilter) -> Future[InfoPage]:
        """A page of sessions and files. With file criteria, only sessions that own a file of the page."""
        wanted = query.normalized(wanted)
        after, upto = self._position("info", wanted), self._stamps.change
        if not query.only_sessions(wanted):
            return chain(
                self._file_batch(wanted, after, upto), lambda files: self._owners(wanted, files, upto)
            )
        return chain(
            self._session_batch(wanted, after, upto),
            lambda sessions: then(
                self._file_batch(wanted, after, upto),
                lambda files: self._mixed(wanted, sessions, files, upto),
            ),
        )

    def _position(self, call: str, wanted: SessionFilter) -> int:
        token = wanted.iteration_token
        if not token:
            return 0
        if token == query.CURRENT_POSITION:
            return self._stamps.change
        return query.decode_token(token, call, wanted)

    def _session_batch(self, wanted: SessionFilter, after: int, upto: int) -> Future[Batch]:
        limit = query.limit_of(wanted)
        matches = query.session_matcher(wanted)
        # Named sessions are looked up, not looked for.
        among = self._table.of(wanted.session_uuid) if wanted.session_uuid else self._table
        here = [record for record in among if after < record.change and matches(record)]
        if wanted.last_session_only:
            last = self._last_sessions()
            here = [record for record in here if record.id in last]
        here.sort(key=lambda record: record.change)
        if after >= self._table.watermark:
            return done(_cut(here, 0, limit))
        older = self._store.sessions(
            wanted, after, min(upto, self._table.watermark), limit, self._table.behind()
        )
        return then(older, lambda batch: _merge(batch, here, limit))

    def _last_sessions(self) -> set[str]:
        """The latest session of each job, and every session without a job. Later sessions change later, so that
        what is in memory knows of all that could follow."""
        latest: dict[str, SessionRecord] = {}
        for record in self._table:
            job = record.job_id or record.id
            if job not in latest or record.job_retry_count >= latest[job].job_retry_count:
                latest[job] = record
        return {record.id for record in latest.values()}

    def _file_batch(self, wanted: FileTransferFilter, after: int, upto: int) -> Future[Batch]:
        limit = query.limit_of(wanted)
        matches = query.session_matcher(wanted)
        last = self._last_sessions() if wanted.last_session_only else None
        flying = [
            replace(file, fragments=file.fragments)
            for session, file in self._runner.files_in_flight()
            if after < file.change <= upto
            and matches(session)
            and query.matches_file(wanted, file)
            and (last is None or session.id in last)
        ]
        flying.sort(key=lambda file: file.change)
        self._runner.write_files()
        stored = chain(self._store.barrier(), lambda _: self._store.files(wanted, after, upto, limit))
        return then(stored, lambda batch: _merge(batch, flying, limit))

    def _owners(self, wanted: FileTransferFilter, files: Batch, upto: int) -> Future[InfoPage]:
        items, remaining = files
        token = self._token("info", wanted, items, remaining, upto)
        ids = tuple(dict.fromkeys(file.session_id for file in items))
        if not ids:
            return done(InfoPage((), (), 0, token))
        found = self._session_batch(self._owned_by(ids), 0, self._stamps.change)
        return then(found, lambda batch: InfoPage(tuple(batch[0]), tuple(items), remaining, token))

    def _mixed(self, wanted: FileTransferFilter, sessions: Batch, files: Batch, upto: int) -> InfoPage:
        limit = query.limit_of(wanted)
        items, remaining = _cut(_by_change([*sessions[0], *files[0]]), sessions[1] + files[1], limit)
        return InfoPage(
            tuple(item for item in items if isinstance(item, SessionRecord)),
            tuple(item for item in items if isinstance(item, FileRecord)),
            remaining,
            self._token("info", wanted, items, remaining, upto),
        )

    def _page(self, call: str, wanted: SessionFilter, batch: Batch, upto: int) -> Page[Any]:
        items, remaining = batch
        return Page(tuple(items), remaining, self._token(call, wanted, items, remaining, upto))

    def _token(
        self, call: str, wanted: SessionFilter, items: Sequence[Any], remaining: int, upto: int
    ) -> str:
        """After a full page: the last item's place; after the last page: the moment the query looked at."""
        last: int = items[-1].change if items else 0
        return query.encode_token(last if remaining else max(last, upto), call, wanted)


def _by_change(items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=lambda item: item.change)


def _cut(items: Sequence[Any], more: int, limit: int) -> Batch:
    return items[:limit], more + max(0, len(items) - limit)


def _merge(stored: Batch, here: Sequence[Any], limit: int) -> Batch:
    """Join two batches into one; an item in both is taken from memory, which is newer."""
    ids = {item.id for item in here}
    older = [item for item in stored[0] if item.id not in ids]
    return _cut(_by_change([*older, *here]), stored[1], limit)
