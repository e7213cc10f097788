"""The jobs of a shell: launched, numbered, steered, and put into lines for people. Knows no terminal."""

from __future__ import annotations

from collections.abc import Callable

from asperacentral.commands.shell_language import NotUnderstood, Remote, Request, Transfer
from asperacentral.commands.terminal import bar, human_rate, human_size, human_time, safe, table
from asperacentral.fasp import (
    EventKind,
    FaspManager,
    JobOrder,
    JobResult,
    JobState,
    LaunchError,
    Location,
    OrderError,
    SessionStatistics,
    TransferEvent,
    TransferParameters,
)

_ENDED = {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}
_BAR = 16


class ShellJobs:
    """All jobs of one shell. `say` gets a line when something happened by itself, `ask` gives a host's password."""

    def __init__(
        self, manager: FaspManager, say: Callable[[str], None], ask: Callable[[Remote], str]
    ) -> None:
        self._manager = manager
        self._say = say
        self._ask = ask
        self._ids: list[str] = []
        self._titles: list[str] = []

    def launch(self, wanted: Transfer) -> str:
        """Start a transfer; the line that says so. NotUnderstood when it cannot be."""
        far, near = self._locations(wanted)
        how = TransferParameters(
            target_rate=wanted.rate,
            policy=wanted.policy,
            create_path=wanted.create,
            transport=wanted.transport,
        )
        number = len(self._ids) + 1
        try:
            order = JobOrder(near, far, how) if wanted.sending else JobOrder(far, near, how)
            job = self._manager.launch_job(order, lambda event: self._hear(number, event))
        except (OrderError, LaunchError) as error:
            raise NotUnderstood(str(error)) from None
        self._ids.append(job)
        self._titles.append(_title(wanted))
        self._manager.ended(job).add_done_callback(lambda ended: self._ended(number, ended.result()))
        return f"job {number}: {self._titles[-1]}"

    def obey(self, request: Request) -> list[str]:
        """Carry out a request about jobs; the lines to show. NotUnderstood."""
        match request.word:
            case "list":
                return self._list()
            case "stats":
                return self._stats(self._id(request.job))
            case "files":
                return self._files(self._id(request.job))
        jobs = self._ids if request.job is None else [self._id(request.job)]
        running = [job for job in jobs if self._manager.state(job) not in _ENDED]
        if not running:
            raise NotUnderstood("no such job is under way")
        for job in running:
            self._steer(job, request)
        return []

    def running(self) -> int:
        """How many jobs are under way."""
        return sum(self._manager.state(job) not in _ENDED for job in self._ids)

    def progress(self) -> list[str]:
        """A line for each job that is under way."""
        lines = []
        for number, job in enumerate(self._ids, 1):
            if self._manager.state(job) not in _ENDED:
                lines.append(
                    f"{number}  {_progress(self._manager.statistics(job))}  {self._titles[number - 1]}"
                )
        return lines

    def _steer(self, job: str, request: Request) -> None:
        match request.word:
            case "pause":
                self._manager.pause_job(job)
            case "resume":
                self._manager.resume_job(job)
            case "cancel":
                self._manager.cancel_job(job)
            case "rate":
                minimum = request.numbers[1] if len(request.numbers) > 1 else None
                self._manager.control_job(job, target_rate=request.numbers[0], minimum_rate=minimum)
            case "policy":
                self._manager.control_job(job, policy=request.text)

    def _locations(self, wanted: Transfer) -> tuple[Location, Location]:
        far = wanted.remote
        password = self._ask(far)
        there = Location.remote(
            far.host, *far.paths, user=far.user, password=password, key_path=wanted.key, port=far.port
        )
        return there, Location.local(*wanted.local)

    def _id(self, number: int | None) -> str:
        if number is None or not 0 < number <= len(self._ids):
            raise NotUnderstood(f"there is no job {number}; list shows them")
        return self._ids[number - 1]

    def _hear(self, number: int, event: TransferEvent) -> None:
        """Events that come by themselves and are worth a line."""
        if event.kind is EventKind.FILE_ERROR and event.file is not None:
            self._say(f"job {number}: {safe(event.file.name)}: {safe(event.file.error_description)}")

    def _ended(self, number: int, result: JobResult) -> None:
        moved = human_size(result.statistics.transferred_bytes)
        why = f": {safe(result.description)}" if result.description and not result.ok else ""
        self._say(f"job {number}: {result.state.lower()}, {moved} moved{why}")

    def _list(self) -> list[str]:
        rows = []
        for number, job in enumerate(self._ids, 1):
            told = self._manager.statistics(job)
            done, total = human_size(_done(told)), _total(told)
            rows.append(
                [
                    str(number),
                    self._manager.state(job),
                    done if total is None else f"{done} of {human_size(total)}",
                    human_rate(told.average_rate * 1000),
                    self._titles[number - 1],
                ]
            )
        return table(["job", "state", "done", "rate", "what"], rows) if rows else ["no jobs yet"]

    def _stats(self, job: str) -> list[str]:
        told = self._manager.statistics(job)
        rows = [
            ["state", self._manager.state(job)],
            ["session", told.session_id],
            ["direction", told.direction],
            ["rate", human_rate(told.average_rate * 1000)],
            ["target rate", human_rate(told.target_rate * 1000)],
            ["minimum rate", human_rate(told.minimum_rate * 1000)],
            ["policy", told.policy],
            ["moved", human_size(told.transferred_bytes)],
            ["there before", human_size(told.existing_bytes)],
            ["in all", "not known" if told.total_bytes is None else human_size(told.total_bytes)],
            ["lost", human_size(told.lost_bytes)],
            ["delay", f"{told.delay} ms"],
            ["time", human_time(told.elapsed / 1_000_000)],
            ["files complete", str(told.files_complete)],
            ["files skipped", str(told.files_skipped)],
            ["files failed", str(told.files_failed)],
            ["error", f"{told.error_code} {told.error_description}" if told.error_code else ""],
        ]
        return table(["what", "value"], rows)[1:]

    def _files(self, job: str) -> list[str]:
        rows = [
            [file.state, human_size(file.written), human_size(file.size), file.name, file.error_description]
            for file in self._manager.files(job)
        ]
        heads = ["state", "written", "size", "file", "why"]
        return table(heads, rows, right=("written", "size")) if rows else ["no files yet"]


def _title(wanted: Transfer) -> str:
    far = wanted.remote
    place = f"{far.host}:{far.paths[0]}"
    if wanted.sending:
        more = f" and {len(wanted.local) - 1} more" if len(wanted.local) > 1 else ""
        return safe(f"{wanted.local[0]}{more} to {place}")
    more = f" and {len(far.paths) - 1} more" if len(far.paths) > 1 else ""
    return safe(f"{place}{more} to {wanted.local[0]}")


def _done(told: SessionStatistics) -> int:
    return told.transferred_bytes + told.existing_bytes


def _total(told: SessionStatistics) -> int | None:
    return told.total_bytes


def _progress(told: SessionStatistics) -> str:
    total, done = _total(told), _done(told)
    rate = "paused" if told.target_rate == 0 and told.session_id else human_rate(told.average_rate * 1000)
    if not total:
        return f"{human_size(done):>10}  {rate:>12}"
    return f"{bar(done / total, _BAR)} {min(100, 100 * done // total):3} %  {rate:>12}"
