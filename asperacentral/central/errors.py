"""What a caller of `central.service` can have done wrong; a face turns each into its own typed fault."""

from __future__ import annotations


class CentralError(Exception):
    """Base of all errors that a face reports to its client. `str(error)` is fit to be shown."""


class JobTypeNotFound(CentralError):
    """The job type is unknown (contract §5, JobTypeNotFoundFault)."""

    def __init__(self, job_type: str) -> None:
        super().__init__(f"unknown job type {job_type!r}")
        self.job_type = job_type


class JobFormatInvalid(CentralError):
    """The order is not well-formed or not valid; `detail` names element and reason (JobFormatInvalidFault)."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class JobSubmissionError(CentralError):
    """The order is valid but cannot be carried out here (JobSubmissionErrorFault)."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class JobNotFound(CentralError):
    """No such job (JobNotFoundFault)."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job {job_id!r}")
        self.job_id = job_id


class SessionNotFound(CentralError):
    """No such session, or it has ended and the call needs a running one (SessionNotFoundFault)."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"no session {session_id!r}")
        self.session_id = session_id


class SubscriptionNotFound(CentralError):
    """No such subscription, or it has expired (SubscriptionNotFoundFault)."""

    def __init__(self, subscription_id: str) -> None:
        super().__init__(f"no subscription {subscription_id!r}")
        self.subscription_id = subscription_id


class FilterChanged(CentralError):
    """The iteration token belongs to a query with another filter (FilterChangedErrorFault)."""

    def __init__(self) -> None:
        super().__init__("the iteration token belongs to a query with a different filter")


class InvalidValue(CentralError):
    """A value of a call is out of its domain; a generic Client fault."""


class Unavailable(CentralError):
    """The service cannot answer now (store disabled, disk full, stopping); a generic Server fault."""
