"""Answering the reliable query: what is in memory and what is in the store, as one stream (contract §7).

Every answer is a stretch of the stream of changes: items by their latest change, after a position. Memory knows
the newest state of what is under way; the store knows the rest. A query looks at one moment: what changes while it
is answered lies after that moment and is for the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from asperacentral.central import query
from asperacentral.central.futures import chain, done, then
from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.ports import Found, Store
from asperacentral.central.query import FileTransferFilter, InfoPage, Page, SessionFilter
from asperacentral.central.runner import Runner
from asperacentral.central.sessions import SessionTable
from asperacentral.central.stamps import Stamps

Claimant = Callable[[FileTransferFilter, int], Future[Found[FileRecord]]]
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

        The position moves on to where nothing is left to claim before it.
        """
        wanted = query.normalized(wanted)
        after, upto = self._position("claim", wanted), self._stamps.change
        self._runner.write_files()

        def page(found: Found[FileRecord]) -> Page[FileRecord]:
            token = query.encode_token(found.reached if found.more else upto, "claim", wanted)
            return Page(tuple(found.items), found.more, token)

        return then(claim(wanted, after), page)

    def claimed_info(self, wanted: FileTransferFilter, claim: Claimant) -> Future[InfoPage]:
        """As `claimed`, with the sessions that own the files."""

        def owners(page: Page[FileRecord]) -> Future[InfoPage]:
            ids = tuple(dict.fromkeys(file.session_id for file in page.items)) or ("",)
            found = self._session_batch(self._owned_by(ids), 0, self._stamps.change)
            return then(
                found,
                lambda found: InfoPage(tuple(found.items), page.items, page.remaining, page.iteration_token),
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
            self._session_batch(evaluated, after, upto), lambda found: self._page(call, wanted, found)
        )

    def files(self, wanted: FileTransferFilter) -> Future[Page[FileRecord]]:
        """A page of file transfers. Raises FilterChanged, InvalidValue."""
        wanted = query.normalized(wanted)
        after, upto = self._position("files", wanted), self._stamps.change
        return then(self._file_batch(wanted, after, upto), lambda found: self._page("files", wanted, found))

    def info(self, wanted: FileTransferFilter) -> Future[InfoPage]:
        """A page of sessions and files. With file criteria, only sessions that own a file of the page."""
        wanted = query.normalized(wanted)
        after, upto = self._position("info", wanted), self._stamps.change
        if not query.only_sessions(wanted):
            return chain(self._file_batch(wanted, after, upto), lambda files: self._owners(wanted, files))
        return chain(
            self._session_batch(wanted, after, upto),
            lambda sessions: then(
                self._file_batch(wanted, after, upto),
                lambda files: self._mixed(wanted, sessions, files),
            ),
        )

    def _position(self, call: str, wanted: SessionFilter) -> int:
        token = wanted.iteration_token
        if not token:
            return 0
        if token == query.CURRENT_POSITION:
            return self._stamps.change
        return query.decode_token(token, call, wanted)

    def _session_batch(self, wanted: SessionFilter, after: int, upto: int) -> Future[Found[Any]]:
        limit = query.limit_of(wanted)
        matches = query.session_matcher(wanted)
        # Named sessions are looked up, not looked for.
        among = self._table.of(wanted.session_uuid) if wanted.session_uuid else self._table
        here = [record for record in among if after < record.change and matches(record)]
        if wanted.last_session_only:
            last = self._last_sessions()
            here = [record for record in here if record.id in last]
        if after >= self._table.watermark:
            return done(_merge(Found((), 0, upto), here, limit))
        behind = self._table.behind()
        older = self._store.sessions(wanted, after, min(upto, self._table.watermark), limit, behind)
        return then(
            older, lambda found: _merge(_all_the_way(found, self._table.watermark, upto), here, limit)
        )

    def _last_sessions(self) -> set[str]:
        """The latest session of each job, and every session without a job. Later sessions change later, so that
        what is in memory knows of all that could follow."""
        latest: dict[str, SessionRecord] = {}
        for record in self._table:
            job = record.job_id or record.id
            if job not in latest or record.job_retry_count >= latest[job].job_retry_count:
                latest[job] = record
        return {record.id for record in latest.values()}

    def _file_batch(self, wanted: FileTransferFilter, after: int, upto: int) -> Future[Found[Any]]:
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
        self._runner.write_files()
        stored = chain(self._store.barrier(), lambda _: self._store.files(wanted, after, upto, limit))
        return then(stored, lambda found: _merge(found, flying, limit))

    def _owners(self, wanted: FileTransferFilter, files: Found[Any]) -> Future[InfoPage]:
        token = query.encode_token(files.reached, "info", wanted)
        ids = tuple(dict.fromkeys(file.session_id for file in files.items))
        if not ids:
            return done(InfoPage((), (), files.more, token))
        found = self._session_batch(self._owned_by(ids), 0, self._stamps.change)
        return then(
            found, lambda sessions: InfoPage(tuple(sessions.items), tuple(files.items), files.more, token)
        )

    def _mixed(self, wanted: FileTransferFilter, sessions: Found[Any], files: Found[Any]) -> InfoPage:
        both = _joined(sessions, files, query.limit_of(wanted))
        return InfoPage(
            tuple(item for item in both.items if isinstance(item, SessionRecord)),
            tuple(item for item in both.items if isinstance(item, FileRecord)),
            both.more,
            query.encode_token(both.reached, "info", wanted),
        )

    def _page(self, call: str, wanted: SessionFilter, found: Found[Any]) -> Page[Any]:
        return Page(tuple(found.items), found.more, query.encode_token(found.reached, call, wanted))


def _all_the_way(found: Found[Any], watermark: int, upto: int) -> Found[Any]:
    """What the store has up to the watermark is all there is up to `upto`, save what is in memory."""
    return replace(found, reached=upto) if found.reached >= min(watermark, upto) else found


def _merge(stored: Found[Any], here: Sequence[Any], limit: int) -> Found[Any]:
    """What the store has and what is in memory as one; an item in both is taken from memory, which is newer."""
    ids = {item.id for item in here}
    older = [item for item in stored.items if item.id not in ids]
    return _joined(Found(older, stored.more, stored.reached), Found(here, 0, _EVER), limit)


def _joined(some: Found[Any], others: Found[Any], limit: int) -> Found[Any]:
    """Both as one, as far as both go and there is room. What changed while the question was answered is told of
    as it is now, though the place that is reached lies before."""
    reached = min(some.reached, others.reached)
    items = sorted((*some.items, *others.items), key=lambda item: item.change)
    more = some.more + others.more
    complete = not more
    within = items if complete else [item for item in items if item.change <= reached]
    taken = within[:limit]
    if len(taken) < len(within):
        reached = min(reached, taken[-1].change)
    return Found(taken, more + len(items) - len(taken), reached)


_EVER = 2**63 - 1
"""Beyond every place in the stream of changes."""
