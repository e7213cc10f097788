"""Carries out the transfers of the list by the FASP Manager: so many at once, the others in their turn.

What was taken is written down before it is answered, so a client that is killed goes on with it when it comes back:
processes that it left behind are ended, and the jobs are started again and resume. Everything runs in the reactor's
thread. Listeners are told of each change, at most twice a second for each transfer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred

from asperacentral.client import leftovers
from asperacentral.client.book import Book
from asperacentral.client.errors import BadRequest, ClientError
from asperacentral.client.page_spec import Plan
from asperacentral.client.transfer import Status, Step, Transfer, without_secrets
from asperacentral.fasp import FaspManager, JobResult, JobState, LaunchError, SessionStatistics
from asperacentral.fasp.reactor import DelayedCall, ManagerReactor
from asperacentral.fasp.statistics import FileStatistics

AT_ONCE = 8
"""Transfers that run at a time."""
LOOK_SECONDS = 0.5
KEPT_ENDED = 1000
"""Transfers that have ended and stay in the list."""

Planner = Callable[[Transfer, Mapping[str, Any]], Plan]
"""Makes the plan of a transfer from its spec as it came. ClientError."""
Listener = Callable[[Transfer], None]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """A transfer, its spec as it came, and, while it is to run, its plan."""

    transfer: Transfer
    spec: dict[str, Any]
    plan: Plan | None = None
    going: bool = False
    stopping: bool = False
    removing: bool = False
    looked: tuple[float, int] = (0.0, 0)
    session: str = ""
    sessions: int = 0


class Engine:
    """All transfers. `planner` is asked again for those of an earlier life of the client."""

    def __init__(
        self, reactor: ManagerReactor, manager: FaspManager, book: Book, *, at_once: int = AT_ONCE
    ) -> None:
        self._reactor = reactor
        self._manager = manager
        self._book = book
        self._at_once = at_once
        self._entries: dict[str, Entry] = {}
        self._listeners: list[Listener] = []
        self._change = round(time.time() * 1000)  # above all that an earlier life has told
        self._look: DelayedCall | None = None
        self._closed = False

    def restore(self, planner: Planner) -> None:
        """Take up what an earlier life left: ended transfers are listed, the others go on."""
        for transfer, spec in self._book.transfers():
            self._change = max(self._change, transfer.change)
            self._entries[transfer.uuid] = entry = Entry(transfer, spec)
            if transfer.ended:
                continue
            leftovers.end(transfer.process)
            entry.transfer = transfer.after(Step.RECOVER, process=(0, 0))
            try:
                entry.plan = planner(entry.transfer, spec)
            except ClientError as problem:
                self._step(entry, Step.FAIL, error_text=f"it could not go on after a restart: {problem}")
        self._fill()

    def close(self) -> Deferred[None]:
        """End what runs; it goes on in the client's next life."""
        self._closed = True
        if self._look is not None:
            self._look.cancel()
            self._look = None
        return self._manager.shut_down()

    # What callers ask for.

    def add(self, transfer: Transfer, spec: dict[str, Any], plan: Plan) -> Transfer:
        """Take a new transfer; it is on the disk when this returns."""
        entry = Entry(transfer, spec, plan)
        self._entries[transfer.uuid] = entry
        self._change += 1
        entry.transfer = replace(transfer, change=self._change)
        self._book.add(entry.transfer, spec)
        self._tell(entry)
        self._forget_old()
        self._fill()
        return entry.transfer

    def find(self, transfer_id: str) -> Entry | None:
        """The transfer of this id."""
        return self._entries.get(transfer_id)

    def all(self) -> list[Transfer]:
        """All of them, oldest first."""
        return [entry.transfer for entry in self._entries.values()]

    def stop(self, entry: Entry) -> None:
        """Move no more; it may be resumed. Nothing happens to one that has ended."""
        if entry.transfer.status is Status.QUEUED:
            self._step(entry, Step.CANCEL, end_time=time.time())
        elif entry.going:
            entry.stopping = True
            self._manager.cancel_job(entry.transfer.uuid)

    def resume(self, entry: Entry, spec: dict[str, Any], plan: Plan) -> Transfer:
        """Go on with one that failed or was stopped, by a spec that may have changed. BadRequest for others."""
        if not entry.transfer.can(Step.RESUME) or entry.going:
            raise BadRequest(f"this transfer is {entry.transfer.status} and cannot be resumed")
        entry.spec, entry.plan = spec, plan
        entry.stopping = False
        entry.transfer = replace(
            entry.transfer, spec=without_secrets(spec), end_time=0.0, error_code=0, error_text=""
        )
        self._book.add(entry.transfer, spec)
        self._step(entry, Step.RESUME, retries=entry.transfer.retries + 1)
        self._fill()
        return entry.transfer

    def modify(self, entry: Entry, target: int | None, minimum: int | None, policy: str | None) -> Transfer:
        """Change rates (Kbps) and policy of one that runs or is still to run. BadRequest when it has ended."""
        if entry.transfer.ended or entry.plan is None:
            raise BadRequest(f"this transfer is {entry.transfer.status} and cannot be changed")
        changes = {"target_rate_kbps": target, "min_rate_kbps": minimum, "rate_policy": policy}
        given = {name: value for name, value in changes.items() if value is not None}
        how = entry.plan.order.parameters
        rates: dict[str, Any] = {
            "target_rate": how.target_rate if target is None else target,
            "minimum_rate": how.minimum_rate if minimum is None else minimum,
            "policy": policy or how.policy,
        }
        order = replace(entry.plan.order, parameters=replace(how, **rates))
        if entry.going:
            self._manager.control_job(
                entry.transfer.uuid, target_rate=target, minimum_rate=minimum, policy=policy
            )
        entry.plan = replace(entry.plan, order=order)
        entry.spec = {**entry.spec, **given}
        self._change += 1
        entry.transfer = replace(entry.transfer, spec=without_secrets(entry.spec), change=self._change)
        self._book.add(entry.transfer, entry.spec)
        self._tell(entry)
        return entry.transfer

    def remove(self, entry: Entry) -> None:
        """Take it off the list; one that runs is stopped first."""
        entry.removing = True
        if not entry.transfer.ended:
            self.stop(entry)
        if entry.transfer.ended and not entry.going:
            self._remove(entry)

    def files(self, entry: Entry) -> tuple[FileStatistics, ...]:
        """Its files as its latest session in this life told of them."""
        known = entry.transfer.uuid in self._manager.job_ids()
        return self._manager.files(entry.transfer.uuid) if known else ()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell of changes from now on; what it returns ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Running.

    def _fill(self) -> None:
        running = sum(entry.going for entry in self._entries.values())
        for entry in list(self._entries.values()):
            if running >= self._at_once:
                break
            if entry.transfer.status is Status.QUEUED and entry.plan is not None and not entry.going:
                running += self._launch(entry, entry.plan)
        if running and self._look is None and not self._closed:
            self._look = self._reactor.callLater(LOOK_SECONDS, self._look_at_all)

    def _launch(self, entry: Entry, plan: Plan) -> bool:
        job = plan.order.job_id
        try:
            if job in self._manager.job_ids():
                self._manager.remove_job(job)
            if plan.folder is not None:
                plan.folder.mkdir(parents=True, exist_ok=True)
            self._manager.launch_job(plan.order)
        except (LaunchError, OSError) as problem:
            self._step(entry, Step.FAIL, error_text=str(problem), end_time=time.time())
            return False
        entry.going = True
        entry.session, entry.sessions = "", 0
        self._step(entry, Step.LAUNCH)
        self._note_process(entry)
        self._manager.ended(job).add_done_callback(lambda ended: self._ended(entry, ended))
        return True

    def _look_at_all(self) -> None:
        self._look = None
        for entry in list(self._entries.values()):
            if entry.going:
                self._look_at(entry)
        self._fill()

    def _look_at(self, entry: Entry) -> None:
        self._note_process(entry)
        state = self._manager.state(entry.transfer.uuid)
        counted = self._counted(entry)
        step = None
        if state is JobState.WAITING:
            step = Step.POSTPONE
        elif counted.elapsed or counted.attempted or self._manager.statistics(entry.transfer.uuid).session_id:
            step = Step.CONNECT
        if step is not None and counted.after(step).status is not counted.status:
            entry.transfer = counted
            self._step(entry, step)
        elif replace(counted, elapsed=0) != replace(entry.transfer, elapsed=0):
            self._change += 1
            entry.transfer = replace(counted, change=self._change)
            self._tell(entry)

    def _counted(self, entry: Entry) -> Transfer:
        """The transfer with the counters of its job."""
        told = self._manager.statistics(entry.transfer.uuid)
        if told.session_id and told.session_id != entry.session:
            entry.session, entry.sessions = told.session_id, entry.sessions + 1
        written = told.written_bytes if entry.sessions > 1 else told.existing_bytes + told.transferred_bytes
        expected = max(told.total_bytes or 0, written)
        before, moved = entry.looked
        now = self._reactor.seconds()
        rate = entry.transfer.rate
        if now > before:
            rate = max(int((told.transferred_bytes - moved) * 8 / 1000 / (now - before)), 0) if before else 0
            entry.looked = (now, told.transferred_bytes)
        files = self._manager.files(entry.transfer.uuid)
        plan = entry.plan
        latest = files[-1].name if files else ""
        return replace(
            entry.transfer,
            written=written,
            expected=expected,
            rate=rate,
            elapsed=told.elapsed,
            current_file=plan.name_of(latest) if plan and latest else entry.transfer.current_file,
            **_counts(told),
        )

    def _ended(self, entry: Entry, ended: Future[JobResult]) -> None:
        if self._closed:
            return
        result = ended.result()
        entry.transfer = self._counted(entry)
        entry.going = False
        entry.looked = (0.0, 0)
        now = time.time()
        average = int(result.statistics.average_rate)
        if result.state is JobState.COMPLETED:
            whole = entry.transfer.expected
            self._step(entry, Step.COMPLETE, end_time=now, rate=average, written=whole, process=(0, 0))
            self._book.drop_secrets(entry.transfer.uuid)
            entry.spec = dict(entry.transfer.spec)
        elif result.state is JobState.CANCELLED or entry.stopping:
            self._step(entry, Step.CANCEL, end_time=now, rate=0, process=(0, 0))
        else:
            told = {"error_code": result.code, "error_text": result.description}
            self._step(entry, Step.FAIL, end_time=now, rate=0, process=(0, 0), **told)
        if entry.removing:
            self._remove(entry)
        self._fill()

    def _note_process(self, entry: Entry) -> None:
        """Write down who moves the files, so that a later life can end it."""
        pid = self._manager.process_id(entry.transfer.uuid)
        if pid and pid != entry.transfer.process[0]:
            entry.transfer = replace(entry.transfer, process=(pid, leftovers.started(pid)))
            self._book.update(entry.transfer)

    def _step(self, entry: Entry, step: Step, **changes: Any) -> None:
        self._change += 1
        entry.transfer = entry.transfer.after(step, change=self._change, **changes)
        log.info("transfer %s: %s", entry.transfer.uuid, entry.transfer.status)
        self._book.update(entry.transfer)
        self._tell(entry)

    def _remove(self, entry: Entry) -> None:
        if entry.transfer.uuid in self._manager.job_ids():
            self._manager.remove_job(entry.transfer.uuid)
        self._entries.pop(entry.transfer.uuid, None)
        self._step(entry, Step.REMOVE)
        self._book.remove(entry.transfer.uuid)

    def _forget_old(self) -> None:
        ended = [entry for entry in self._entries.values() if entry.transfer.ended and not entry.going]
        for entry in ended[: max(len(ended) - KEPT_ENDED, 0)]:
            self._remove(entry)

    def _tell(self, entry: Entry) -> None:
        for listener in list(self._listeners):
            try:
                listener(entry.transfer)
            except Exception:
                log.exception("a listener failed")


def _counts(told: SessionStatistics) -> dict[str, Any]:
    whole = told.files_complete - told.files_skipped
    return {
        "attempted": max(told.transfers_attempted, told.files_complete + told.files_failed),
        "completed": max(whole, 0),
        "failed": told.files_failed,
        "skipped": told.files_skipped,
    }
