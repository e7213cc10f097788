"""Messages and types of FASPSessionNET 2006/01 (contract §4.3, §6)."""

from __future__ import annotations

from asperacentral.soap.fields import (
    DateTime,
    Float,
    Int,
    Model,
    String,
    UnsignedInt,
    UnsignedLong,
    UnsignedShort,
    many,
    maybe,
    one,
)
from asperacentral.soap.names import FASPSESSION_200601


class Message(Model):
    """A request, an answer or a notification: its direct children are in no namespace."""

    __namespace__ = FASPSESSION_200601


class Type(Model):
    """A named type: its children are in the namespace."""

    __namespace__ = FASPSESSION_200601
    qualified = True


class SessionRequest(Message):
    """A request about one session: QuerySession, Cancel, Pause, Resume."""

    SessionID = one(String, "session_id")


class ListSessionsResponse(Message):
    """Sessions, from a sequence of ids."""

    SessionID = many(String, "")


# --- rates, in Kbps


class RateChangeType(Type):
    """RateParametersType as received: what is left out stays as it is."""

    Policy = maybe(String, "policy")
    TargetRate = maybe(UnsignedInt, "target_rate")
    MinimumRate = maybe(UnsignedInt, "minimum_rate")
    BandwidthCap = maybe(UnsignedInt, "bandwidth_cap")


class SetRateParametersRequest(Message):
    """New rate parameters of a session."""

    SessionID = one(String, "session_id")
    RateParameters = one(RateChangeType, "change")


class SetPolicyRequest(Message):
    """A new policy."""

    SessionID = one(String, "session_id")
    Policy = one(String, "policy")


class SetTargetRateRequest(Message):
    """A new target rate; 0 pauses."""

    SessionID = one(String, "session_id")
    TargetRate = one(UnsignedInt, "target_rate")


class SetMinimumRateRequest(Message):
    """A new minimum rate."""

    SessionID = one(String, "session_id")
    MinimumRate = one(UnsignedInt, "minimum_rate")


class SetBandwidthCapRequest(Message):
    """A new bandwidth cap."""

    SessionID = one(String, "session_id")
    BandwidthCap = one(UnsignedInt, "bandwidth_cap")


# --- a session, from a SessionRecord, which all its groups share


class ApplicationDataType(Type):
    """The token is never shown."""

    Token = one(String, None)
    Cookie = one(String, "cookie")


class OperationType(Type):
    """What is moved whence and whither."""

    Operation = one(String, "direction", words={"outgoing": "Push", "incoming": "Pull"})
    SourcePath = one(String, "source_path")
    DestinationPath = one(String, "destination_path")


class ServerType(Type):
    """The serving end."""

    Endpoint = one(String, "server_endpoint")
    Address = one(String, "server_address")
    SSHPort = one(UnsignedShort, "server_ssh_port")
    FASPPort = one(UnsignedShort, "server_fasp_port")
    User = one(String, "user")


class ClientType(Type):
    """The end that dialled."""

    Endpoint = one(String, "client_endpoint")
    Address = one(String, "client_address")
    FASPPort = one(UnsignedShort, "client_fasp_port")


class RateParametersType(Type):
    """Rates in force."""

    Policy = one(String, "rate_policy")
    TargetRate = one(UnsignedInt, "target_rate")
    MinimumRate = one(UnsignedInt, "minimum_rate")
    BandwidthCap = one(UnsignedInt, "bandwidth_cap")


class SecurityParametersType(Type):
    """Encryption in transit."""

    EncryptionCipher = one(String, "encryption_cipher")


class AggregateStatisticsType(Type):
    """Counters of the whole session."""

    FileCount = one(UnsignedInt, "file_count")
    FilesComplete = one(UnsignedInt, "files_complete")
    FilesFailed = one(UnsignedInt, "files_failed")
    FilesTransferring = one(UnsignedInt, "files_transferring")
    BytesWritten = one(UnsignedLong, "bytes_written")
    BytesTransferred = one(UnsignedLong, "bytes_transferred")
    BytesLost = one(UnsignedLong, "bytes_lost")
    uSecondsElapsed = one(UnsignedLong, "elapsed")  # noqa: N815 - the contract's spelling


class FileStatisticsType(Type):
    """The file being moved, from a CurrentFile."""

    Name = one(String, "name")
    Size = one(UnsignedLong, "size")
    BytesWritten = one(UnsignedLong, "bytes_written")
    BytesContiguous = one(UnsignedLong, "bytes_contiguous")
    BytesLost = one(UnsignedLong, "bytes_lost")
    StartByte = one(UnsignedLong, "start_byte")
    uSecondsElapsed = one(UnsignedLong, "elapsed")  # noqa: N815 - the contract's spelling
    ErrorCode = one(Int, "error_code")
    ErrorDescription = one(String, "error_description")


class NetworkStatisticsType(Type):
    """The network: milliseconds of a round trip, and the share of bytes that were not lost."""

    Delay = one(UnsignedInt, "network_delay")
    Efficiency = one(Float, "network_efficiency")


class StatisticsType(Type):
    """All statistics."""

    Aggregate = one(AggregateStatisticsType, "")
    File = one(FileStatisticsType, "current_file")
    Network = one(NetworkStatisticsType, "")


class ErrorType(Type):
    """Why a session failed; code 0 when it did not."""

    Code = one(Int, "error_code")
    Description = one(String, "error_description")


class SessionType(Type):
    """A session."""

    SessionID = one(String, "id")
    ApplicationData = one(ApplicationDataType, "")
    Operation = one(OperationType, "")
    Server = one(ServerType, "")
    Client = one(ClientType, "")
    RateParameters = one(RateParametersType, "")
    SecurityParameters = one(SecurityParametersType, "")
    Statistics = one(StatisticsType, "")
    Error = one(ErrorType, "")


class QuerySessionResponse(Message):
    """The answer to QuerySession, from a SessionRecord."""

    Session = one(SessionType, "")


# --- subscriptions, from a `subscriptions.SubscriptionState`, and notifications


class EndpointReferenceType(Type):
    """Where to send notifications."""

    Address = one(String, "address")
    Action = maybe(String, "action")


class TopicExpressionType(Type):
    """A list of topics."""

    Topic = many(String, "topics")


class SubscribeRequest(Message):
    """Whom to tell what, and for how many seconds; SessionID "0" means all sessions."""

    SessionID = one(String, "subject")
    SubscriptionObserver = maybe(EndpointReferenceType, "subscription_observer")
    SessionObserver = one(EndpointReferenceType, "observer")
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


class SessionNotification(Message):
    """What happened to a session, from a `notifications.Notification`."""

    SubscriptionID = one(String, "subscription_id")
    Topic = one(String, "topic")
    Session = one(SessionType, "snapshot")
    EventID = maybe(String, "event_id")
    Time = maybe(DateTime, "time")


class SubscriptionNotification(Message):
    """What happened to a subscription, from a `notifications.Notification`."""

    SubscriptionResource = one(SubscriptionResourceType, "snapshot")
    EventID = maybe(String, "event_id")
    Time = maybe(DateTime, "time")
