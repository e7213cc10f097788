"""JobNET-200601: which job types there are, and submitting a job (contract §3)."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from asperacentral.central.model import JobResult
from asperacentral.soap.models import jobnet as messages
from asperacentral.soap.names import JOBNET
from asperacentral.soap.service import Call, Endpoint, operation
from asperacentral.soap.spyne_names import ServiceBase


class JobNET(ServiceBase):
    """The operations; each asks `central.api.CentralService`."""

    @operation(None, messages.ListTypesResponse, lasting=True)
    def ListTypes(ctx: Call) -> tuple[str, ...]:  # noqa: N802, N805
        """Job types Central can run."""
        return ctx.udc.list_types()

    @operation(messages.SubmitRequest, messages.SubmitResponse)
    def Submit(ctx: Call, request: Any) -> Future[JobResult]:  # noqa: N802, N805
        """Take an order."""
        return ctx.udc.submit(request.Type.strip(), request.Definition)


ENDPOINT = Endpoint("JobNET-200601", "Job.wsdl", JOBNET, JobNET)
