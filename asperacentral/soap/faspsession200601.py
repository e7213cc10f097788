"""FASPSessionNET-200601: sessions under way, their rates, and subscriptions to their events (contract §3.2, §6).

Pause and Resume are our own additions.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from asperacentral.central.model import RateChange, SessionRecord
from asperacentral.soap import subscriptions
from asperacentral.soap.fields import domain_values
from asperacentral.soap.models import faspsession200601 as messages
from asperacentral.soap.names import FASPSESSION_200601
from asperacentral.soap.service import Call, Endpoint, operation
from asperacentral.soap.spyne_names import ServiceBase
from asperacentral.soap.subscriptions import SubscriptionState


def _change(ctx: Call, request: Any, change: RateChange) -> Future[None]:
    return ctx.udc.change_rate(request.SessionID.strip(), change)


class FASPSessionNET(ServiceBase):
    """The operations; each asks `central.api.CentralService`."""

    @operation(None, messages.ListSessionsResponse)
    def ListSessions(ctx: Call) -> tuple[str, ...]:  # noqa: N802, N805
        """Ids of the sessions under way."""
        return ctx.udc.list_sessions()

    @operation(messages.SessionRequest, messages.QuerySessionResponse)
    def QuerySession(ctx: Call, request: Any) -> Future[SessionRecord]:  # noqa: N802, N805
        """One session in full."""
        return ctx.udc.query_session(request.SessionID.strip())

    @operation(messages.SessionRequest, None)
    def Cancel(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Stop a session; its job is not retried."""
        return ctx.udc.cancel_session(request.SessionID.strip())

    @operation(messages.SessionRequest, None)
    def Pause(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Let a session move nothing."""
        return ctx.udc.pause_session(request.SessionID.strip())

    @operation(messages.SessionRequest, None)
    def Resume(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Undo Pause."""
        return ctx.udc.resume_session(request.SessionID.strip())

    @operation(messages.SetRateParametersRequest, None)
    def SetRateParameters(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Change several rate parameters at once; what is left out stays."""
        return _change(ctx, request, RateChange(**domain_values(request.RateParameters)))

    @operation(messages.SetPolicyRequest, None)
    def SetPolicy(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Change the policy."""
        return _change(ctx, request, RateChange(policy=request.Policy.strip()))

    @operation(messages.SetTargetRateRequest, None)
    def SetTargetRate(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Change the target rate; 0 pauses."""
        return _change(ctx, request, RateChange(target_rate=request.TargetRate))

    @operation(messages.SetMinimumRateRequest, None)
    def SetMinimumRate(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Change the minimum rate."""
        return _change(ctx, request, RateChange(minimum_rate=request.MinimumRate))

    @operation(messages.SetBandwidthCapRequest, None)
    def SetBandwidthCap(ctx: Call, request: Any) -> Future[None]:  # noqa: N802, N805
        """Change the bandwidth cap."""
        return _change(ctx, request, RateChange(bandwidth_cap=request.BandwidthCap))

    @operation(messages.SubscribeRequest, messages.SubscriptionResponse)
    def Subscribe(ctx: Call, request: Any) -> Future[SubscriptionState]:  # noqa: N802, N805
        """Ask for the events of a session, or of all."""
        return subscriptions.subscribe(ctx.udc, "session", request)

    @operation(messages.UpdateSubscriptionRequest, messages.SubscriptionResponse)
    def UpdateSubscription(ctx: Call, request: Any) -> Future[SubscriptionState]:  # noqa: N802, N805
        """Add topics and set a new time to live."""
        return subscriptions.update(ctx.udc, "session", request)

    @operation(messages.UnsubscribeRequest, messages.SubscriptionResponse)
    def Unsubscribe(ctx: Call, request: Any) -> Future[SubscriptionState]:  # noqa: N802, N805
        """Take topics away, or end the subscription."""
        return subscriptions.unsubscribe(ctx.udc, "session", request)


ENDPOINT = Endpoint("FASPSessionNET-200601", "FASPSession.wsdl", FASPSESSION_200601, FASPSessionNET)
