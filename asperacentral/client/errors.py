"""What the service refuses, with the numbers that its faces tell."""

from __future__ import annotations

NOT_PERMITTED = -32001
CANCELLED = -32002
UNKNOWN_TRANSFER = -32003
NOT_POSSIBLE = -32004
BAD_REQUEST = -32602


class ClientError(Exception):
    """A call that is refused; `str(error)` is one readable line without secrets."""

    code = NOT_POSSIBLE


class NotPermitted(ClientError):
    """The user has not allowed it, or the page was not given what it names."""

    code = NOT_PERMITTED


class DialogCancelled(ClientError):
    """The user closed the dialog."""

    code = CANCELLED


class UnknownTransfer(ClientError):
    """There is no such transfer among those of the caller."""

    code = UNKNOWN_TRANSFER


class BadRequest(ClientError):
    """The parameters are not what the call takes."""

    code = BAD_REQUEST
