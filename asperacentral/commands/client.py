"""A client of a daemon: our own contract, read from its files, called through zeep; errors fit to be shown.

`CentralClient` has a method for each thing the commands need and gives plain values. It knows nothing of terminals.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests
import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.exceptions import Fault, TransportError
from zeep.transports import Transport

from asperacentral.central.model import ALL, JOB_TYPE
from asperacentral.commands.progress import SessionView
from asperacentral.soap.contract_files import contract_path

DEFAULT_URL = "http://127.0.0.1:40001"
URL_VARIABLE = "ASPERACENTRAL_URL"
TIMEOUT = 30.0
"""Seconds to wait for a connection or an answer."""

_JOBS_PER_QUERY = 200
_PAGE = 1000

_FAULTS = {
    "JobTypeNotFoundFaultType": "the daemon knows no job type {!r}",
    "JobFormatInvalidFaultType": "the order is not valid: {}",
    "JobSubmissionErrorFaultType": "the order cannot be carried out: {}",
    "JobNotFoundFaultType": "no job {!r}",
    "SessionNotFoundFaultType": "no session {!r} under way",
    "SubscriptionNotFoundFaultType": "no subscription {!r}",
}
"""How each typed fault is told; the argument is what its one element says."""


class CentralProblem(Exception):
    """A call did not work; the text is one line, fit to be shown."""


class NotReachable(CentralProblem):
    """No daemon answered; trying again later may help."""


class Refused(CentralProblem):
    """The daemon answered with a fault; `fault` is its detail's element name, or empty."""

    def __init__(self, text: str, fault: str = "") -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True)
class DeadLetterView:
    """A notification that was given up."""

    id: int
    observer: str
    event: str
    subject: str
    time: datetime
    attempts: int
    reason: str


class CentralClient:
    """A daemon at `url`. Methods raise NotReachable, Refused, or CentralProblem for anything else."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CentralProblem(f"{url!r} is not a daemon's address; one looks like {DEFAULT_URL}")
        self.url = url.rstrip("/")
        session = requests.Session()
        session.trust_env = False  # neither proxies nor .netrc: a daemon is near, most often on this machine
        self._transport = Transport(session=session, timeout=timeout, operation_timeout=timeout)
        self._timeout = timeout

    # Jobs

    def submit(self, definition: str) -> str:
        """Submit an order (its XML); the new job's id."""
        return str(self._call(self._job.Submit, Type=JOB_TYPE, Definition=definition).ID)

    def list_jobs(self) -> list[str]:
        """Ids of the jobs that have not ended."""
        return [str(job) for job in self._call(self._transfer.ListJobs) or ()]

    def job_session(self, job: str) -> str:
        """The id of the job's latest session; empty if there was none yet."""
        return str(self._call(self._iscp.QueryJob, JobID=job).Status.SessionID or "")

    def pause_job(self, job: str) -> None:
        """Let the job move nothing until it is resumed."""
        self._call(self._iscp.Pause, JobID=job)

    def resume_job(self, job: str) -> None:
        """Undo `pause_job`."""
        self._call(self._iscp.Resume, JobID=job)

    def cancel_job(self, job: str) -> None:
        """End the job for good."""
        self._call(self._iscp.Cancel, JobID=job)

    # Sessions

    def sessions(self, jobs: Iterable[str] | None = None) -> list[SessionView]:
        """All sessions of these jobs (without `jobs`: of all), ended ones too, oldest first."""
        if jobs is None:
            found = list(self._session_pages({}))
        else:
            wanted = list(jobs)
            chunks = (wanted[at : at + _JOBS_PER_QUERY] for at in range(0, len(wanted), _JOBS_PER_QUERY))
            found = [view for chunk in chunks for view in self._session_pages({"JobId": chunk})]
        return sorted(found, key=lambda view: view.age_key)

    def pause_session(self, session: str) -> None:
        """Let the session move nothing until it is resumed."""
        self._call(self._fasp.Pause, SessionID=session)

    def resume_session(self, session: str) -> None:
        """Undo `pause_session`."""
        self._call(self._fasp.Resume, SessionID=session)

    def cancel_session(self, session: str) -> None:
        """Stop the session; its job is not retried."""
        self._call(self._fasp.Cancel, SessionID=session)

    def set_rate(self, session: str, target: int | None, minimum: int | None, policy: str | None) -> None:
        """Change what is not None. Rates in Kbps."""
        if policy is not None:
            self._call(self._fasp.SetPolicy, SessionID=session, Policy=policy)
        if target is not None:
            self._call(self._fasp.SetTargetRate, SessionID=session, TargetRate=target)
        if minimum is not None:
            self._call(self._fasp.SetMinimumRate, SessionID=session, MinimumRate=minimum)

    # Subscriptions; `kind` is "job" or "session"

    def subscribe(
        self, kind: str, address: str, duration: int, topics: tuple[str, ...] = (), subject: str = ALL
    ) -> str:
        """Have the events of `subject` sent to `address` for `duration` seconds; the subscription's id."""
        name = {"job": "Job", "session": "Session"}[kind]
        arguments = {
            f"{name}ID": subject,
            f"{name}Observer": {"Address": address, "Action": ""},
            "Topics": {"Topic": list(topics)},
            "Duration": duration,
        }
        return str(self._call(self._subscriptions(kind).Subscribe, **arguments).ID)

    def renew(self, kind: str, subscription: str, duration: int) -> None:
        """Let the subscription expire in `duration` seconds from now."""
        update = self._subscriptions(kind).UpdateSubscription
        self._call(update, SubscriptionID=subscription, Topics={"Topic": []}, Duration=duration)

    def unsubscribe(self, kind: str, subscription: str) -> None:
        """End the subscription."""
        unsubscribe = self._subscriptions(kind).Unsubscribe
        self._call(unsubscribe, SubscriptionID=subscription, Topics={"Topic": []})

    # Notifications that were given up; chosen by the observer's address, by ids, or by both

    def dead_letters(self, observer: str | None) -> Iterator[DeadLetterView]:
        """All of them, oldest first."""
        after = 0
        while True:
            page = self._call(self._iscp.ListDeadLetters, Observer=observer, AfterID=after, MaxResults=_PAGE)
            for letter in page.DeadLetter or ():
                after = letter.ID
                yield _dead_letter_view(letter)
            if not page.DeadLetter or not page.RemainingResultCount:
                return

    def replay_dead_letters(self, observer: str | None, ids: Sequence[int]) -> int:
        """Have them told again; how many there were."""
        return int(self._call(self._iscp.ReplayDeadLetters, Observer=observer, ID=list(ids)))

    def drop_dead_letters(self, observer: str | None, ids: Sequence[int]) -> int:
        """Forget them; how many there were."""
        return int(self._call(self._iscp.DropDeadLetters, Observer=observer, ID=list(ids)))

    # Below

    def _session_pages(self, criteria: dict[str, Any]) -> Iterator[SessionView]:
        asked = dict(criteria, MaxResults=_PAGE)
        while True:
            page = self._call(self._transfer.GetSessionInfo, SessionFilter=asked)
            items = page.SessionInfo or []
            yield from map(_session_view, items)
            if not items or not page.RemainingResultCount:
                return
            asked["IterationToken"] = page.IterationToken

    def _subscriptions(self, kind: str) -> Any:
        return self._iscp if kind == "job" else self._fasp

    @cached_property
    def _job(self) -> Any:
        return self._service("Job")

    @cached_property
    def _iscp(self) -> Any:
        return self._service("IScpTransfer")

    @cached_property
    def _fasp(self) -> Any:
        return self._service("FASPSession")

    @cached_property
    def _transfer(self) -> Any:
        return self._service("Transfer201210")

    def _service(self, name: str) -> Any:
        """The operations of `NAME.wsdl`, at this daemon's address instead of the one written there."""
        try:
            contract = str(contract_path(f"{name}.wsdl"))
        except FileNotFoundError as problem:
            raise CentralProblem(f"this installation is incomplete: {problem}") from None
        client = zeep.Client(contract, transport=self._transport)
        (service,) = client.wsdl.services.values()
        (port,) = service.ports.values()
        path = urlsplit(port.binding_options["address"]).path
        return client.create_service(port.binding.name.text, self.url + path)

    def _call(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        try:
            return operation(**arguments)
        except Fault as fault:
            raise _refused(fault) from None
        except requests.Timeout:
            raise NotReachable(
                f"the daemon at {self.url} did not answer within {self._timeout:g} s"
            ) from None
        except requests.ConnectionError:
            raise NotReachable(
                f"no daemon answers at {self.url}; start one with: asperacentral, or name another with --url"
            ) from None
        except TransportError as problem:
            raise CentralProblem(
                f"what answers at {self.url} is not a daemon of ours (HTTP status {problem.status_code})"
            ) from None
        except (ZeepError, requests.RequestException, etree.XMLSyntaxError) as problem:
            raise CentralProblem(f"the answer of {self.url} makes no sense: {_one_line(problem)}") from None
        except ValueError as problem:
            raise CentralProblem(f"this cannot be sent: {_one_line(problem)}") from None


def add_url_argument(parser: argparse.ArgumentParser) -> None:
    """The option that says which daemon."""
    parser.add_argument(
        "--url",
        default=os.environ.get(URL_VARIABLE) or DEFAULT_URL,
        help=f"the daemon's address (default: ${URL_VARIABLE}, else {DEFAULT_URL})",
    )


def with_client(url: str, work: Callable[[CentralClient], int]) -> int:
    """Do `work` and return its exit status; a CentralProblem is told in one line and is status 1."""
    try:
        return work(CentralClient(url))
    except CentralProblem as problem:
        print(f"asperacentral: {problem}", file=sys.stderr)
        return 1


def _refused(fault: Fault) -> Refused:
    """The fault's typed detail in words; without one, what the daemon says."""
    children = list(fault.detail) if fault.detail is not None else []
    if children:
        name = str(etree.QName(children[0]).localname)
        said = _one_line(" ".join(children[0].itertext()))
        if name in _FAULTS:
            return Refused(_FAULTS[name].format(said), name)
        return Refused(_one_line(f"{fault.message} {said}"), name)
    return Refused(_one_line(fault.message))


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


def _dead_letter_view(letter: Any) -> DeadLetterView:
    return DeadLetterView(
        id=letter.ID,
        observer=letter.Observer or "",
        event=f"{letter.Kind} {letter.Topic}",
        subject=letter.Subject or "",
        time=letter.Time,
        attempts=letter.Attempts,
        reason=letter.Reason or "",
    )


def _session_view(info: Any) -> SessionView:
    return SessionView(
        id=info.UUID,
        job=info.JobId or "",
        status=(info.Status or "").lower(),
        started=info.StartDate,
        ended=info.EndDate,
        attempt=(info.JobRetryCount or 0) + 1,
        direction=info.Direction or "",
        cookie=info.Cookie or "",
        expected_bytes=info.ExpectedByteCount or 0,
        expected_files=info.ExpectedFileCount or 0,
        bytes_written=info.BytesWritten or 0,
        bytes_transferred=info.BytesTransferred or 0,
        files_complete=info.FilesComplete or 0,
        files_failed=info.FilesFailed or 0,
        elapsed=(info.Elapsed or 0) / 1e6,
        target_rate=info.TargetRate or 0,
        error_code=info.ErrorCode or 0,
        error_description=info.ErrorDescription or "",
    )
