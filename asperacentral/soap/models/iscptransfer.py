"""Messages and types of IScpTransferNET 2006/04 (contract §4.2, §6)."""

from __future__ import annotations

from asperacentral.soap.fields import (
    Boolean,
    DateTime,
    Long,
    Model,
    String,
    UnsignedByte,
    UnsignedInt,
    UnsignedShort,
    many,
    maybe,
    one,
)
from asperacentral.soap.names import ISCPTRANSFER


class Message(Model):
    """A request, an answer or a notification: its direct children are in no namespace."""

    __namespace__ = ISCPTRANSFER


class Type(Model):
    """A named type: its children are in the namespace."""

    __namespace__ = ISCPTRANSFER
    qualified = True


class JobRequest(Message):
    """A request about one job: QueryJob, Cancel, Pause, Resume."""

    JobID = one(String, "job_id")


class ListJobsResponse(Message):
    """Jobs, from a sequence of ids."""

    JobID = many(String, "")


# --- a job, from a JobView; its groups share the view or the order


class ApplicationDataType(Type):
    """The token is never shown."""

    Token = one(String, None)
    Cookie = one(String, "cookie")


class SystemType(Type):
    """The password is never shown."""

    Address = one(String, "address")
    Port = one(UnsignedShort, "port")
    UserName = one(String, "user_name")
    Password = one(String, None)


class ArrayOfMethods(Type):
    """Authentication methods."""

    Method = many(String, "methods")


class AuthenticationType(Type):
    """How to log in."""

    Methods = one(ArrayOfMethods, "")
    KeyPath = one(String, "key_path")


class ArrayOfPaths(Type):
    """Paths of a side."""

    Path = many(String, "paths")


class RemoteLocationType(Type):
    """The remote side."""

    System = one(SystemType, "system")
    Authentication = one(AuthenticationType, "")
    Files = one(ArrayOfPaths, "")


class LocalLocationType(Type):
    """This side."""

    Files = one(ArrayOfPaths, "")


class FileParametersType(Type):
    """How files are treated."""

    CreatePath = one(Boolean, "create_path")
    ResumeCheck = one(String, "resume_check")


class LinkParametersType(Type):
    """Capacities in Kbps; 0 when the order names none."""

    RemoteCapacity = one(UnsignedInt, "remote_capacity")
    LocalCapacity = one(UnsignedInt, "local_capacity")
    AutoDetectCapacity = one(Boolean, "auto_detect_capacity")


class ChannelParametersType(Type):
    """The data channel."""

    Port = one(UnsignedShort, "port")
    DatagramSize = one(UnsignedInt, "datagram_size")
    AutoDetectPathMTU = one(Boolean, "auto_detect_path_mtu")


class RateParametersType(Type):
    """Rates of an order, in Kbps or percent."""

    Policy = one(String, "policy")
    TargetRate = one(UnsignedInt, "target_rate")
    TargetRateAsPercent = one(Boolean, "target_rate_as_percent")
    MinimumRate = one(UnsignedInt, "minimum_rate")
    MinimumRateAsPercent = one(Boolean, "minimum_rate_as_percent")
    BandwidthCap = one(UnsignedInt, "bandwidth_cap")
    LockPolicy = one(Boolean, "lock_policy")
    LockTargetRate = one(Boolean, "lock_target_rate")
    LockMinimumRate = one(Boolean, "lock_minimum_rate")


class SecurityParametersType(Type):
    """Encryption in transit."""

    EncryptionCipher = one(String, "encryption_cipher")


class RetryParametersType(Type):
    """Retries; intervals in seconds."""

    Count = one(UnsignedByte, "count")
    BaseInterval = one(UnsignedInt, "base_interval")
    MaximumInterval = one(UnsignedInt, "maximum_interval")


class PrivateDataType(Type):
    """Data known to this side only."""

    Key = one(String, "private_key")


class OrderType(Type):
    """The order, without its secrets."""

    Agent = one(String, "agent")
    ApplicationData = one(ApplicationDataType, "")
    Operation = one(String, "operation")
    RemoteLocation = one(RemoteLocationType, "remote")
    LocalLocation = one(LocalLocationType, "local")
    FileParameters = one(FileParametersType, "file")
    LinkParameters = one(LinkParametersType, "link")
    ChannelParameters = one(ChannelParametersType, "channel")
    RateParameters = one(RateParametersType, "rate")
    SecurityParameters = one(SecurityParametersType, "security")
    RetryParameters = one(RetryParametersType, "retry")
    PrivateDataType = one(PrivateDataType, "")


class RetryStatisticsType(Type):
    """Failed attempts."""

    FailedAttempts = one(UnsignedByte, "failed_attempts")


class StatisticsType(Type):
    """Statistics of a job."""

    Retry = one(RetryStatisticsType, "")


class StatusType(Type):
    """How a job stands."""

    SessionID = one(String, "session_id")
    Statistics = one(StatisticsType, "")


class IScpTransferType(Type):
    """A job."""

    ID = one(String, "id")
    Order = one(OrderType, "order")
    Status = one(StatusType, "")


class QueryJobResponse(Message):
    """The answer to QueryJob, from a JobView."""

    IScpTransfer = one(IScpTransferType, "")


# --- subscriptions, from a `subscriptions.SubscriptionState`, and notifications


class EndpointReferenceType(Type):
    """Where to send notifications."""

    Address = one(String, "address")
    Action = maybe(String, "action")


class TopicExpressionType(Type):
    """A list of topics."""

    Topic = many(String, "topics")


class SubscribeRequest(Message):
    """Whom to tell what, and for how many seconds; JobID "0" means all jobs."""

    JobID = one(String, "subject")
    SubscriptionObserver = maybe(EndpointReferenceType, "subscription_observer")
    JobObserver = one(EndpointReferenceType, "observer")
    Topics = maybe(TopicExpressionType, "topics")
    Duration = one(UnsignedInt, "duration")


class UpdateSubscriptionRequest(Message):
    """Topics to add, and a new time to live in seconds."""

    SubscriptionID = one(String, "subscription_id")
    Topics = maybe(TopicExpressionType, "topics")
    Duration = one(UnsignedInt, "duration")


class UnsubscribeRequest(Message):
    """Topics to take away; none means all."""

    SubscriptionID = one(String, "subscription_id")
    Topics = maybe(TopicExpressionType, "topics")


class SubscriptionResourceType(Type):
    """A subscription as it stands."""

    ID = one(String, "subscription.id")
    Observer = one(EndpointReferenceType, "subscription.observer")
    Topics = one(TopicExpressionType, "subscription")
    TimeRemaining = one(UnsignedInt, "time_remaining")


class SubscriptionResponse(Message):
    """The answer to Subscribe, UpdateSubscription and Unsubscribe."""

    SubscriptionResource = one(SubscriptionResourceType, "")


# --- notifications that were given up: our own


class ListDeadLettersRequest(Message):
    """Which to list: those for one observer's address, those after an id; at most so many."""

    Observer = maybe(String, "observer")
    AfterID = maybe(Long, "after")
    MaxResults = maybe(UnsignedInt, "limit")


class DeadLettersRequest(Message):
    """Which to replay or drop: those for one observer's address, those with these ids; without either all."""

    Observer = maybe(String, "observer")
    ID = many(Long, "ids")


class DeadLetterType(Type):
    """A notification that was given up, from a DeadLetter."""

    ID = one(Long, "id")
    Observer = one(String, "observer")
    EventID = one(String, "event_id")
    Kind = one(String, "kind")
    Topic = one(String, "topic")
    Subject = one(String, "subject")
    Time = one(DateTime, "at")
    Attempts = one(UnsignedInt, "attempts")
    Reason = one(String, "reason")


class ListDeadLettersResponse(Message):
    """The answer to ListDeadLetters, from DeadLetters."""

    DeadLetter = many(DeadLetterType, "items")
    RemainingResultCount = one(UnsignedInt, "remaining")


class DeadLettersResponse(Message):
    """The answer to ReplayDeadLetters and DropDeadLetters: how many there were."""

    Count = one(UnsignedInt, "")


class JobNotification(Message):
    """What happened to a job, from a `notifications.Notification`."""

    SubscriptionID = one(String, "subscription_id")
    Topic = one(String, "topic")
    IScpTransfer = one(IScpTransferType, "snapshot")
    EventID = maybe(String, "event_id")
    Time = maybe(DateTime, "time")


class SubscriptionNotification(Message):
    """What happened to a subscription, from a `notifications.Notification`."""

    SubscriptionResource = one(SubscriptionResourceType, "snapshot")
    EventID = maybe(String, "event_id")
    Time = maybe(DateTime, "time")
