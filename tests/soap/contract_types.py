"""The types of the contract, transcribed: what the served XSD files must declare, no more and no less.

One declaration a line (continued by indentation): `element` (a global one) or `type`, its name, the type it extends,
whether its children are qualified, then its children in order as NAME TYPE, with ? for 0..1, * for 0..unbounded and
{0,3} for 0..3; without a mark exactly 1. Keys are those of `contract.NAMESPACES`.
"""

from __future__ import annotations

EVIDENT = {
    "job": """
element ListTypesRequest
element ListTypesResponse unqualified: Type string*
element SubmitRequest unqualified: Type string, Definition string
element SubmitResponse unqualified: JobResult JobResultType
type JobResultType qualified: Type string, ID string
element JobTypeNotFoundFaultType qualified: Type string
element JobFormatInvalidFaultType qualified: Detail string
element JobSubmissionErrorFaultType qualified: Detail string
""",
    "iscp": """
element ListJobsRequest
element ListJobsResponse unqualified: JobID string*
element CancelRequest unqualified: JobID string
element CancelResponse
element JobNotFoundFaultType qualified: JobID string
type IScpTransferType qualified: ID string, Order OrderType, Status StatusType
type StatusType qualified: SessionID string, Statistics StatisticsType
type StatisticsType qualified: Retry RetryStatisticsType
type RetryStatisticsType qualified: FailedAttempts unsignedByte
type OrderType qualified: Agent string, ApplicationData ApplicationDataType, Operation string,
    RemoteLocation RemoteLocationType, LocalLocation LocalLocationType, FileParameters
    FileParametersType, LinkParameters LinkParametersType, ChannelParameters ChannelParametersType,
    RateParameters RateParametersType, SecurityParameters SecurityParametersType, RetryParameters
    RetryParametersType, PrivateDataType PrivateDataType
type ApplicationDataType qualified: Token string, Cookie string
type RemoteLocationType qualified: System SystemType, Authentication AuthenticationType, Files
    ArrayOfPaths
type SystemType qualified: Address string, Port unsignedShort, UserName string, Password string
type AuthenticationType qualified: Methods ArrayOfMethods, KeyPath string
type ArrayOfMethods qualified: Method string{0,3}
type ArrayOfPaths qualified: Path string*
type LocalLocationType qualified: Files ArrayOfPaths
type FileParametersType qualified: CreatePath boolean, ResumeCheck string
type LinkParametersType qualified: RemoteCapacity unsignedInt, LocalCapacity unsignedInt,
    AutoDetectCapacity boolean
type ChannelParametersType qualified: Port unsignedShort, DatagramSize unsignedInt, AutoDetectPathMTU
    boolean
type RateParametersType qualified: Policy string, TargetRate unsignedInt, TargetRateAsPercent boolean,
    MinimumRate unsignedInt, MinimumRateAsPercent boolean, BandwidthCap unsignedInt, LockPolicy boolean,
    LockTargetRate boolean, LockMinimumRate boolean
type SecurityParametersType qualified: EncryptionCipher string
type RetryParametersType qualified: Count unsignedByte, BaseInterval unsignedInt, MaximumInterval
    unsignedInt
type PrivateDataType qualified: Key string
type SubscriptionResourceType qualified: ID string, Observer EndpointReferenceType, Topics
    TopicExpressionType, TimeRemaining unsignedInt
type EndpointReferenceType qualified: Address string, Action string
type TopicExpressionType qualified: Topic string*
""",
    "fasp06": """
element SetRateParametersRequest unqualified: SessionID string, RateParameters RateParametersType
element SetRateParametersResponse
element SetPolicyRequest unqualified: SessionID string, Policy string
element SetPolicyResponse
element SetTargetRateRequest unqualified: SessionID string, TargetRate unsignedInt
element SetTargetRateResponse
element SetMinimumRateRequest unqualified: SessionID string, MinimumRate unsignedInt
element SetMinimumRateResponse
element SetBandwidthCapRequest unqualified: SessionID string, BandwidthCap unsignedInt
element SetBandwidthCapResponse
element CancelRequest unqualified: SessionID string
element CancelResponse
element SessionNotFoundFaultType qualified: SessionID string
element SubscriptionNotFoundFaultType qualified: SubscriptionID string
type SessionType qualified: SessionID string, ApplicationData ApplicationDataType, Operation
    OperationType, Server ServerType, Client ClientType, RateParameters RateParametersType,
    SecurityParameters SecurityParametersType, Statistics StatisticsType, Error ErrorType
type ApplicationDataType qualified: Token string, Cookie string
type OperationType qualified: Operation string, SourcePath string, DestinationPath string
type ServerType qualified: Endpoint string, Address string, SSHPort unsignedShort, FASPPort
    unsignedShort, User string
type ClientType qualified: Endpoint string, Address string, FASPPort unsignedShort
type RateParametersType qualified: Policy string, TargetRate unsignedInt, MinimumRate unsignedInt,
    BandwidthCap unsignedInt
type SecurityParametersType qualified: EncryptionCipher string
type StatisticsType qualified: Aggregate AggregateStatisticsType, File FileStatisticsType, Network
    NetworkStatisticsType
type AggregateStatisticsType qualified: FileCount unsignedInt, FilesComplete unsignedInt, FilesFailed
    unsignedInt, FilesTransferring unsignedInt, BytesWritten unsignedLong, BytesTransferred
    unsignedLong, BytesLost unsignedLong, uSecondsElapsed unsignedLong
type FileStatisticsType qualified: Name string, Size unsignedLong, BytesWritten unsignedLong,
    BytesContiguous unsignedLong, BytesLost unsignedLong, StartByte unsignedLong, uSecondsElapsed
    unsignedLong, ErrorCode int, ErrorDescription string
type NetworkStatisticsType qualified: Delay unsignedInt, Efficiency float
type ErrorType qualified: Code int, Description string
type SubscriptionResourceType qualified: ID string, Observer EndpointReferenceType, Topics
    TopicExpressionType, TimeRemaining unsignedInt
type EndpointReferenceType qualified: Address string, Action string
type TopicExpressionType qualified: Topic string*
""",
    "fasp09": """
element GetSessionsRequest unqualified: SessionFilter SessionFilter
element GetSessionsResponse unqualified: SessionKeysResult SessionKeysResult
element GetSessionInfoRequest unqualified: SessionFilter SessionFilter
element GetSessionInfoResponse unqualified: SessionInfoResult SessionInfoResult
element GetSessionStatisticsRequest unqualified: SessionFilter SessionFilter
element GetSessionStatisticsResponse unqualified: SessionStatisticsResult SessionStatisticsResult
element GetFileTransfersRequest unqualified: FileTransferFilter FileTransferFilter
element GetFileTransfersResponse unqualified: FileTransferKeysResult FileTransferKeysResult
element GetFileTransferInfoRequest unqualified: FileTransferFilter FileTransferFilter
element GetFileTransferInfoResponse unqualified: FileTransferInfoResult FileTransferInfoResult
element GetFileTransferStatisticsRequest unqualified: FileTransferFilter FileTransferFilter
element GetFileTransferStatisticsResponse unqualified: FileTransferStatisticsResult
    FileTransferStatisticsResult
element GetInfoRequest unqualified: FileTransferFilter FileTransferFilter
element GetInfoResponse unqualified: InfoResult InfoResult
element GetStatisticsRequest unqualified: FileTransferFilter FileTransferFilter
element GetStatisticsResponse unqualified: StatisticsResult StatisticsResult
type SessionFilter unqualified: IterationToken string?, MaxResults positiveInteger?, SessionUUID
    string*, SessionStatus string*, ServerAddress string*, ClientAddress string*, Cookie string*,
    CookieFilter string?, JobId string*, Direction string?, MinSessionStartDate dateTime?,
    MaxSessionStartDate dateTime?, MinSessionEndDate dateTime?, MaxSessionEndDate dateTime?, PrivateKey
    string*, LastSessionOnly boolean?, User string*
type FileTransferFilter extends SessionFilter unqualified: TransferId long*, TransferStatus string*,
    Filepath string*, FilenameFilter string?, MinTransferStartDate dateTime?, MaxTransferStartDate
    dateTime?, MinTransferEndDate dateTime?, MaxTransferEndDate dateTime?
type QueryResult unqualified: ResultCount unsignedInt, RemainingResultCount unsignedInt, IterationToken
    string
type SessionKeysResult extends QueryResult unqualified: SessionKey SessionKey*
type SessionStatisticsResult extends QueryResult unqualified: SessionStatistics SessionStatistics*
type SessionInfoResult extends QueryResult unqualified: SessionInfo SessionInfo*
type FileTransferKeysResult extends QueryResult unqualified: FileTransferKey FileTransferKey*
type FileTransferStatisticsResult extends QueryResult unqualified: FileTransferStatistics
    FileTransferStatistics*
type FileTransferInfoResult extends QueryResult unqualified: FileTransferInfo FileTransferInfo*
type StatisticsResult extends QueryResult unqualified: SessionStatistics SessionStatistics*,
    FileTransferStatistics FileTransferStatistics*
type InfoResult extends QueryResult unqualified: SessionInfo SessionInfo*, FileTransferInfo
    FileTransferInfo*
type SessionKey unqualified: UUID string, JobId string?
type SessionStatistics extends SessionKey unqualified: Status string, ErrorCode int, ErrorDescription
    string?, ExpectedFileCount unsignedInt, ExpectedDirCount unsignedInt, ExpectedByteCount
    unsignedLong, FileCount unsignedInt, FilesComplete unsignedInt, FilesFailed unsignedInt,
    FilesTransferring unsignedInt, BytesWritten unsignedLong, BytesTransferred unsignedLong, BytesLost
    unsignedLong, Elapsed unsignedLong, NetworkDelay unsignedInt, RateInfo string?
type SessionInfo extends SessionStatistics unqualified: StartDate dateTime, EndDate dateTime?, Token
    string?, Cookie string?, Direction string, ServerEndpoint string, ServerAddress string?,
    ServerSSHPort unsignedShort, ServerFASPPort unsignedShort, User string, ClientEndpoint string,
    ClientAddress string?, ClientFASPPort unsignedShort, RatePolicy string, TargetRate unsignedInt,
    MinimumRate unsignedInt, BandwidthCap unsignedInt, EncryptionCipher string, JobRetryCount
    unsignedByte, JobMaxRetries unsignedByte, PrivateKey string?, SourcePath string?, DestinationPath
    string?, VLinkId unsignedInt?
type FileTransferKey unqualified: SessionUUID string, Path string, LocalId long, UUID string
type FileTransferStatistics extends FileTransferKey unqualified: Status string, ErrorCode int,
    ErrorDescription string?, Size unsignedLong, StartOffset unsignedLong, BytesWritten unsignedLong,
    BytesContiguous unsignedLong, BytesLost unsignedLong, Elapsed unsignedLong
type FileTransferInfo extends FileTransferStatistics unqualified: StartDate dateTime, EndDate dateTime?,
    Checksum string?, ChecksumType string?, FileType string?, Action string?, ContentProtection string?
element FilterChangedErrorFaultElement
""",
}
"""Contract §4: known from public evidence."""

DECIDED = {
    "iscp": """
element QueryJobRequest unqualified: JobID string
element QueryJobResponse unqualified: IScpTransfer IScpTransferType
element PauseRequest unqualified: JobID string
element PauseResponse
element ResumeRequest unqualified: JobID string
element ResumeResponse
element SubscribeRequest unqualified: JobID string, SubscriptionObserver EndpointReferenceType?,
    JobObserver EndpointReferenceType, Topics TopicExpressionType?, Duration unsignedInt
element SubscribeResponse unqualified: SubscriptionResource SubscriptionResourceType
element UpdateSubscriptionRequest unqualified: SubscriptionID string, Topics TopicExpressionType?,
    Duration unsignedInt
element UpdateSubscriptionResponse unqualified: SubscriptionResource SubscriptionResourceType
element UnsubscribeRequest unqualified: SubscriptionID string, Topics TopicExpressionType?
element UnsubscribeResponse unqualified: SubscriptionResource SubscriptionResourceType
element ListDeadLettersRequest unqualified: Observer string?, AfterID long?, MaxResults unsignedInt?
element ListDeadLettersResponse unqualified: DeadLetter DeadLetterType*, RemainingResultCount
    unsignedInt
element ReplayDeadLettersRequest unqualified: Observer string?, ID long*
element ReplayDeadLettersResponse unqualified: Count unsignedInt
element DropDeadLettersRequest unqualified: Observer string?, ID long*
element DropDeadLettersResponse unqualified: Count unsignedInt
element JobNotification unqualified: SubscriptionID string, Topic string, IScpTransfer IScpTransferType,
    EventID string?, Time dateTime?
element JobNotificationResponse
element SubscriptionNotification unqualified: SubscriptionResource SubscriptionResourceType, EventID
    string?, Time dateTime?
element SubscriptionNotificationResponse
element SubscriptionNotFoundFaultType qualified: SubscriptionID string
type DeadLetterType qualified: ID long, Observer string, EventID string, Kind string, Topic string,
    Subject string, Time dateTime, Attempts unsignedInt, Reason string
""",
    "fasp06": """
element ListSessionsRequest
element ListSessionsResponse unqualified: SessionID string*
element QuerySessionRequest unqualified: SessionID string
element QuerySessionResponse unqualified: Session SessionType
element PauseRequest unqualified: SessionID string
element PauseResponse
element ResumeRequest unqualified: SessionID string
element ResumeResponse
element SubscribeRequest unqualified: SessionID string, SubscriptionObserver EndpointReferenceType?,
    SessionObserver EndpointReferenceType, Topics TopicExpressionType?, Duration unsignedInt
element SubscribeResponse unqualified: SubscriptionResource SubscriptionResourceType
element UpdateSubscriptionRequest unqualified: SubscriptionID string, Topics TopicExpressionType?,
    Duration unsignedInt
element UpdateSubscriptionResponse unqualified: SubscriptionResource SubscriptionResourceType
element UnsubscribeRequest unqualified: SubscriptionID string, Topics TopicExpressionType?
element UnsubscribeResponse unqualified: SubscriptionResource SubscriptionResourceType
element SessionNotification unqualified: SubscriptionID string, Topic string, Session SessionType,
    EventID string?, Time dateTime?
element SessionNotificationResponse
element SubscriptionNotification unqualified: SubscriptionResource SubscriptionResourceType, EventID
    string?, Time dateTime?
element SubscriptionNotificationResponse
""",
}
"""What the evidence does not show, or what is our own: contract §3.3 and §6, and docs/contract-decisions.md."""
