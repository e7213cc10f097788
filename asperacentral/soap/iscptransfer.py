"""IScpTransferNET-200604: jobs under way, and subscriptions to their events (contract §3.2, §6).

Pause, Resume and the calls about dead letters are our own additions.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from asperacentral.central.model import DeadLetters, JobView
from asperacentral.soap import subscriptions
from asperacentral.soap.fields import domain_values
from asperacentral.soap.models import iscptransfer as messages
from asperacentral.soap.names import ISCPTRANSFER
from asperacentral.soap.service import Call, Endpoint, operation
from asperacentral.soap.spyne_names import ServiceBase
from asperacentral.soap.subscriptions import SubscriptionState


class IScpTransferNET(ServiceBase):
    """The operations; each asks `central.api.CentralService`."""

    @operation(None, messages.ListJobsResponse)
    def ListJobs(ctx: Call) -> tuple[str, ...]:  # noqa: N802, N805
        """Ids of the active jobs."""
        return ctx.udc.list_jobs()

    @operation(messages.JobRequest, messages.QueryJobResponse)
    def QueryJob(ctx: Call, request: Any) -> Future[JobView]:  # noqa: N802, N805
        """One job in full."""
        return ctx.udc.query_job(request.JobID.strip())

    @operation(messages.JobRequest, None)
    def Cancel(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Stop a job and never retry it."""
        return ctx.udc.cancel_job(request.JobID.strip())

    @operation(messages.JobRequest, None)
    def Pause(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Let a job's session move nothing."""
        return ctx.udc.pause_job(request.JobID.strip())

    @operation(messages.JobRequest, None)
    def Resume(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Undo Pause."""
        return ctx.udc.resume_job(request.JobID.strip())

    @operation(messages.SubscribeRequest, messages.SubscriptionResponse)
    def Subscribe(ctx: Call, request: Any) -> Future[SubscriptionState]:  # noqa: N802, N805
        """Ask for the events of a job, or of all."""
        return subscriptions.subscribe(ctx.udc, "job", request)

    @operation(messages.UpdateSubscriptionRequest, messages.SubscriptionResponse)
    def UpdateSubscription(ctx: Call, request: Any) -> Future[SubscriptionState]:  # noqa: N802, N805
        """Add topics and set a new time to live."""
        return subscriptions.update(ctx.udc, "job", request)

    @operation(messages.UnsubscribeRequest, messages.SubscriptionResponse)
    def Unsubscribe(ctx: Call, request: Any) -> Future[SubscriptionState]:  # noqa: N802, N805
        """Take topics away, or end the subscription."""
        return subscriptions.unsubscribe(ctx.udc, "job", request)

    @operation(messages.ListDeadLettersRequest, messages.ListDeadLettersResponse)
    def ListDeadLetters(ctx: Call, request: Any) -> Future[DeadLetters]:  # noqa: N802, N805
        """Notifications that were given up."""
        asked = domain_values(request)
        return ctx.udc.list_dead_letters(_observer(asked), asked.get("after"), asked.get("limit"))

    @operation(messages.DeadLettersRequest, messages.DeadLettersResponse)
    def ReplayDeadLetters(ctx: Call, request: Any) -> Future[int]:  # noqa: N802, N805
        """Have them told again."""
        asked = domain_values(request)
        return ctx.udc.replay_dead_letters(_observer(asked), asked.get("ids", ()))

    @operation(messages.DeadLettersRequest, messages.DeadLettersResponse)
    def DropDeadLetters(ctx: Call, request: Any) -> Future[int]:  # noqa: N802, N805
        """Forget them."""
        asked = domain_values(request)
        return ctx.udc.drop_dead_letters(_observer(asked), asked.get("ids", ()))


def _observer(asked: dict[str, Any]) -> str | None:
    """The address that is asked for; an empty one means none in particular, as an absent one."""
    return asked.get("observer", "").strip() or None


ENDPOINT = Endpoint("IScpTransferNET-200604", "IScpTransfer.wsdl", ISCPTRANSFER, IScpTransferNET)
