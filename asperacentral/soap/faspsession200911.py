"""FASPSessionNET-200911: the reliable query for sessions and file transfers (contract §7)."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.query import FileTransferFilter, InfoPage, Page, SessionFilter
from asperacentral.soap.fields import domain_values
from asperacentral.soap.models import faspsession200911 as messages
from asperacentral.soap.names import FASPSESSION_200911
from asperacentral.soap.service import Call, Endpoint, operation, then
from asperacentral.soap.spyne_names import ServiceBase


@dataclass(frozen=True, slots=True)
class Batch:
    """What every result of this service is written from."""

    count: int
    remaining: int
    iteration_token: str
    sessions: tuple[SessionRecord, ...] = ()
    files: tuple[FileRecord, ...] = ()


def _sessions(ctx: Call, request: Any) -> Future[Batch]:
    def batch(page: Page[SessionRecord]) -> Batch:
        return Batch(len(page.items), page.remaining, page.iteration_token, sessions=page.items)

    return then(ctx.udc.query_sessions(SessionFilter(**domain_values(request.SessionFilter))), batch)


def _files(ctx: Call, request: Any) -> Future[Batch]:
    def batch(page: Page[FileRecord]) -> Batch:
        return Batch(len(page.items), page.remaining, page.iteration_token, files=page.items)

    return then(ctx.udc.query_files(_file_filter(request)), batch)


def _both(ctx: Call, request: Any) -> Future[Batch]:
    def batch(page: InfoPage) -> Batch:
        count = len(page.sessions) + len(page.files)
        return Batch(count, page.remaining, page.iteration_token, page.sessions, page.files)

    return then(ctx.udc.query_info(_file_filter(request)), batch)


def _file_filter(request: Any) -> FileTransferFilter:
    return FileTransferFilter(**domain_values(request.FileTransferFilter))


class FASPSessionQuery(ServiceBase):
    """The operations; each asks `central.api.CentralService`."""

    @operation(messages.SessionFilterRequest, messages.GetSessionsResponse)
    def GetSessions(ctx: Call, request: Any) -> Future[Batch]:  # noqa: N802, N805
        """Keys of sessions."""
        return _sessions(ctx, request)

    @operation(messages.SessionFilterRequest, messages.GetSessionInfoResponse)
    def GetSessionInfo(ctx: Call, request: Any) -> Future[Batch]:  # noqa: N802, N805
        """Sessions in full."""
        return _sessions(ctx, request)

    @operation(messages.SessionFilterRequest, messages.GetSessionStatisticsResponse)
    def GetSessionStatistics(ctx: Call, request: Any) -> Future[Batch]:  # noqa: N802, N805
        """Statistics of sessions."""
        return _sessions(ctx, request)

    @operation(messages.FileTransferFilterRequest, messages.GetFileTransfersResponse)
    def GetFileTransfers(ctx: Call, request: Any) -> Future[Batch]:  # noqa: N802, N805
        """Keys of file transfers."""
        return _files(ctx, request)

    @operation(messages.FileTransferFilterRequest, messages.GetFileTransferInfoResponse)
    def GetFileTransferInfo(ctx: Call, request: Any) -> Future[Batch]:  # noqa: N802, N805
        """File transfers in full."""
        return _files(ctx, request)

    @operation(messages.FileTransferFilterRequest, messages.GetFileTransferStatisticsResponse)
    def GetFileTransferStatistics(ctx: Call, request: Any) -> Future[Batch]:  # noqa: N802, N805
        """Statistics of file transfers."""
        return _files(ctx, request)

    @operation(messages.FileTransferFilterRequest, messages.GetInfoResponse)
    def GetInfo(ctx: Call, request: Any) -> Future[Batch]:  # noqa: N802, N805
        """Sessions and file transfers in full."""
        return _both(ctx, request)

    @operation(messages.FileTransferFilterRequest, messages.GetStatisticsResponse)
    def GetStatistics(ctx: Call, request: Any) -> Future[Batch]:  # noqa: N802, N805
        """Statistics of sessions and file transfers."""
        return _both(ctx, request)


ENDPOINT = Endpoint("FASPSessionNET-200911", "FASPSession200911.wsdl", FASPSESSION_200911, FASPSessionQuery)
